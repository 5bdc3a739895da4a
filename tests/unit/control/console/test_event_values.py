# SPDX-License-Identifier: Apache-2.0
"""No value that a page of events shows is a code of ours, in no language."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.utils import translation

import portineria.dataplane.gateway as gateway
from portineria.control.audit.queries import EventView
from portineria.control.console import event_values, texts
from portineria.control.console.event_values import Names, details
from portineria.control.console.texts.event_fields import FIELD_NAMES
from portineria.control.console.texts.reasons import HOW_CLOSED, REASONS
from portineria.control.estate.models import OnSilence
from portineria.control.identity.claims import Refusal
from portineria.control.identity.closing_models import ClosedWhy
from portineria.control.identity.models import Language, Role
from portineria.core.event import CATALOGUE, REPORTED_BY_GATEWAYS
from portineria.policy.consent import SignalKind
from portineria.policy.ending import Ending, Locked, Reason

POLICY = [str(word) for word in Reason]
WHY = [
    *POLICY, " ".join(POLICY[:2]), "cut-by-person", "drained-by-person", "drain-overdue", "machine-changed",
    "gateway-revoked", "never-accepted", "gateway-silent", "forked", "cloned", "finished",
]  # fmt: skip
DENIED = ["denied", "access.no-rule", "access.denied", "access.request.own", "access.request-waits", "access.revoked"]
LAPSED = ["provider-disabled", "provider-withdrawn", "group-unmapped", "disconnected"]
ID = "aaaaaaaaaaaaaaaa"
# Every closed set of values, and ids; what is missing here is free text, a number or a name.
VALUES: dict[str, list[str | int | bool]] = {
    "role": [*Role.values],
    "kind": ["totp", "webauthn", "recovery-codes", "all", "saml", "openid", *Locked, *SignalKind],
    "source": ["file", "modbus-coil", "modbus-discrete", "opcua-node"],
    "provider": [f"idp_{ID}"],
    "method": [
        "password", "password totp", "password webauthn", "mfa webauthn", "password recovery_codes",
        "socialaccount totp",
    ],
    "language": [*Language.values],
    "needs_approval": [True, False],
    "why": [*WHY, *DENIED, *Refusal, *LAPSED, *ClosedWhy.values],
    "what": ["GET", "POST", f"POST /machines/mac_{ID}/ask/"],
    "ending": [*Ending, "cut", "drained", "finished", "expired", "silence"],
    "on_silence": [*OnSilence.values],
    "changed": ["criticality drain_s hold_s on_silence gateway answering line tag"],
    "how": [*HOW_CLOSED],
    "transport": ["tcp"],
    "protocol": ["modbus", "s7comm", "opcua", "ssh", "http"],
    "machines": [f"mac_{ID} mac_{ID[::-1]}b"],
    "device": [f"dev_{ID}"],
    "service": [f"srv_{ID}"],
    "supplier": [f"sup_{ID}"],
    "plant": [f"pla_{ID}"],
    "organisation": [f"org_{ID}"],
    "relay": [f"rel_{ID}"],
    "made_at": ["2026-01-07T11:30:00+00:00"],
    "until": ["2026-01-07T11:30:00+00:00"],
    **{name: ["2026-01-07T11:30:00+00:00"] for name in ("ends_at", "starts_at", "expires_at", "previous_ends_at")},
    "used_at": ["2026-01-07T11:30:00+00:00"],
}  # fmt: skip
# Where a gateway's source says why: a refusal that is returned, a device that failed, an end of what is permitted.
WHY_THERE = re.compile(
    r'(?:return |DeviceFailed\(|obstruct\([^"\n]*|Drain\([^"\n]*"[a-z]+", |_refuse\([^"\n]*)"([a-z]+\.[a-z-]+)"'
)
SAID_BY_GATEWAYS = sorted(
    {code for path in Path(gateway.__path__[0]).glob("*.py") for code in WHY_THERE.findall(path.read_text("utf-8"))}
)
ID_FORM = re.compile(r"\b[a-z]{2,4}_[a-z2-7]{16}\b")


def name_of_nobody(names: Names) -> Names:
    names._names, names._zones = {}, {}
    return names


NOBODY_KNOWN = name_of_nobody(object.__new__(Names))


def shown(code: str, name: str, value: str | int | bool | None, actor: str = "portineria") -> list[tuple[str, str]]:
    view = EventView("org_a", 1, datetime(2026, 1, 7, tzinfo=UTC), code, actor, {name: value}, "")
    return details(view, NOBODY_KNOWN)


NO_WORDS = {"totp", "webauthn", "mfa", "tcp", "modbus", "s7comm", "opcua", "en", "it", "ja"}
CASES = [
    (code, name, value)
    for code, fields in CATALOGUE.items()
    for name in fields
    for value in [
        *VALUES.get(name, ["words of somebody", 7]),
        *([*SAID_BY_GATEWAYS, "start", "stop"] if name == "reason" and code in REPORTED_BY_GATEWAYS else []),
    ]
]


@pytest.mark.parametrize("language", ["en", "it", "ja"])
def test_no_value_of_the_catalogue_is_shown_as_a_code(language: str) -> None:
    raw = []
    with translation.override(language):
        for code, name, value in CASES:
            for label, text in shown(code, name, value):
                told_again = name in VALUES and any(word in text.split(", ") for word in codes_in(str(value)))
                if text in ("True", "False") or ID_FORM.search(text.partition("/")[0]) or told_again or not label:
                    raw.append((code, name, text))
    assert raw == []


def codes_in(value: str) -> set[str]:
    """Words that only a program would write; a few are words of English too."""
    return {word for word in value.split() if re.search(r"[._-]", word) or word in NO_WORDS}


@pytest.mark.parametrize("language", ["it", "ja"])
def test_closed_sets_are_in_the_readers_language(language: str) -> None:
    names = ("role", "why", "ending", "on_silence", "how", "needs_approval", "changed")
    same = []
    with translation.override(language):
        for code, name, value in CASES:
            same += [(code, value) for _, text in shown(code, name, value) if name in names and text == str(value)]
    assert same == []


def test_whatever_a_gateway_gives_as_a_reason_has_words() -> None:
    assert len(SAID_BY_GATEWAYS) > 10
    assert {code for code in SAID_BY_GATEWAYS if code not in REASONS and code not in HOW_CLOSED} == set()


def test_every_field_has_a_label() -> None:
    hidden = event_values._NOT_SHOWN
    assert {name for fields in CATALOGUE.values() for name in fields} - hidden - FIELD_NAMES.keys() == set()


def test_what_a_person_wrote_is_shown_as_they_wrote_it() -> None:
    [(_, text)] = shown("access.grant.revoked", "reason", "expired seal on stop valve", actor="per_a")
    assert text == "expired seal on stop valve"


def test_what_is_not_kept_says_so() -> None:
    assert shown("identity.person.invited", "link", None)[0][1] == texts.field_name("erased")
