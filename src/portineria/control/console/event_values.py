# SPDX-License-Identifier: Apache-2.0
"""The values in an event as people read them: names for ids as far as the reader sees them, words for codes."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db.models import F, QuerySet, Value

from portineria.control.audit.queries import EventView
from portineria.control.console import texts
from portineria.control.console.templatetags.console import moment_text, size
from portineria.control.console.texts.values import WORDS, YES_NO, attempt, words
from portineria.control.estate import queries as estate
from portineria.control.estate.models import Service
from portineria.control.identity import queries as identity
from portineria.control.identity.authority import SYSTEM
from portineria.control.identity.group_queries import named_groups
from portineria.control.identity.models import Person
from portineria.control.identity.provider_queries import named_providers
from portineria.control.remote_sessions import queries as remote_sessions
from portineria.control.remote_sessions.models import Session
from portineria.core.event import REPORTED_BY_GATEWAYS
from portineria.core.event import Value as Field
from portineria.core.ids import Kind, is_id


def _by_kind(ids: Iterable[str]) -> Mapping[str, set[str]]:
    """An id says itself what it is of."""
    found: dict[str, set[str]] = defaultdict(set)
    for word in ids:
        found[word.partition("_")[0]].add(word)
    return found


def session_name(session: Session) -> str:
    return f"{session.person.name} · {session.machine.name}"


class Names:
    """Public id → name, and plant's zone, for one page of events. Nobody is asked about a kind that does not occur."""

    def __init__(
        self, actor: Person, views: Iterable[EventView], services: Iterable[Service] = (),
        known: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        ids = {word for view in views for value in view.fields.values() for word in str(value).split()}
        ids |= {view.actor for view in views}
        self._names: dict[str, str] = {"portineria": "Portineria", "operator": str(texts.OPERATOR)}
        self._names |= {**(known or {}), **{service.public_id: service.name for service in services}}
        self._zones: dict[str, str] = {}
        of = _by_kind(ids - self._names.keys())
        self._add(actor, of)
        if of[Kind.ORGANISATION]:
            self._names |= {row.public_id: row.name for row in identity.organisations(actor)}
        if relays := of[Kind.RELAY]:
            self._names |= {row.public_id: str(row) for row in estate.relays(actor).filter(public_id__in=relays)}
        if sessions := of[Kind.SESSION]:
            for session in remote_sessions.sessions(actor).filter(public_id__in=sessions):
                self._names[session.public_id] = session_name(session)

    def _add(self, actor: Person, of: Mapping[str, set[str]]) -> None:
        """Whatever has a name of its own, in one query."""
        found: list[tuple[str, QuerySet[Any], str]] = [
            (Kind.MACHINE, estate.machines(actor), "plant__time_zone"),
            (Kind.GATEWAY, estate.gateways(actor), "plant__time_zone"),
            (Kind.PLANT, estate.plants(actor), "time_zone"),
            (Kind.PERSON, identity.people(actor), ""),
            (Kind.SERVICE, estate.services(actor), ""),
            (Kind.DEVICE, estate.devices(actor), ""),
            (Kind.SUPPLIER, identity.suppliers(actor), ""),
            (Kind.PROVIDER, named_providers(actor), ""),
            (Kind.GROUP, named_groups(actor), ""),
        ]
        named = [
            rows.filter(public_id__in=of[kind])
            .order_by()
            .values_list("public_id", "name", F(zone) if zone else Value(""))
            for kind, rows, zone in found
            if of[kind]
        ]
        for public_id, name, zone in named[0].union(*named[1:]) if named else ():
            self._names[public_id] = name
            if zone:
                self._zones[public_id] = zone

    def __getitem__(self, public_id: str) -> str:
        """Whom this person may not look up is called by what they are: an id would tell nothing, or too much."""
        kind = public_id.partition("_")[0]
        return self._names.get(public_id) or str(texts.SOMEBODY.get(kind, public_id))

    def several(self, value: str) -> str:
        return ", ".join(self[word] for word in value.split())

    def zone_of(self, view: EventView) -> str:
        """That of the plant it is about; empty where there is none that this person sees."""
        placed = (str(view.fields.get(name)) for name in ("machine", "gateway", "plant"))
        return next((self._zones[public_id] for public_id in placed if public_id in self._zones), "")


# Of use to whoever verifies the chain, or named elsewhere in the row; not to whoever reads the page.
_NOT_SHOWN = {
    "machine", "gateway", "session", "person", "epoch", "previous_epoch", "gateway_seq", "previous_seq",
    "report_sha256", "stored_sha256", "boot", "previous_boot", "gateway_at_ms", "order_sha256", "order_seq", "request",
    "grant", "rule", "lookup", "stream", "key", "sha256", "expires_ms", "installation", "token", "unix_ms", "source",
    "dead", "recording", "number", "head", "end", "mode", "recipients",
    "question", "request_sha256", "held", "hold_ms", "answer_s", "notification",
    "substitution", "bundle", "entry", "job", "search", "rules", "directory_end", "extension",
    "open_sessions",
}  # fmt: skip
# Names of keys that nobody has read anywhere else, and what an event of the installation alone tells.
_NOT_SHOWN_OF = {("gateway.trust.changed", "what"), *((f"identity.key.{act}", "role") for act in (
    "created", "retired", "destroyed"
))}  # fmt: skip
_MOMENTS = {"until", "begin_by"}  # where they are no days; what a gateway says under such a name stays as it said it
_REASONS = {"why", "reasons", "on_silence"}
_BYTES = {"to_device", "from_device", "limit_bytes", "lost", "bytes"}
_IDS = {"machines", "device", "service", "supplier", "plant", "organisation", "relay", "provider"}
_IDS |= {"approver", "sponsor", "to", "of_person", "of_machine", "of_supplier", "of_gateway", "of_session"}


def details(view: EventView, names: Names) -> list[tuple[str, str]]:
    """Label and value of whatever says more than the row does elsewhere."""
    shown = [
        (name, value)
        for name, value in view.fields.items()
        if name not in _NOT_SHOWN and (view.code, name) not in _NOT_SHOWN_OF
    ]
    return [(texts.field_name(name), _shown(view, name, value, names)) for name, value in shown]


def _shown(view: EventView, name: str, value: Field | None, names: Names) -> str:
    if value is None:
        return texts.field_name("erased")
    if isinstance(value, bool):
        return str(YES_NO[value])
    if isinstance(value, int):  # a gateway may say a word where a number belongs: then it is shown as that
        return size(value) if name in _BYTES else str(value)
    if name.endswith("_at") or (name in _MOMENTS and "T" in value and view.code not in REPORTED_BY_GATEWAYS):
        return moment_text(datetime.fromisoformat(value))
    if name == "ending":
        return texts.ending(value)
    if name in _REASONS or (name == "reason" and _is_a_code(view)):
        return ", ".join(texts.reason(word.removeprefix("access.")) for word in value.split())
    return _named(name, value, names)


def _named(name: str, value: str, names: Names) -> str:
    if name in _IDS or is_id(value, Kind.GROUP):  # of a group at a provider there is only its name there
        return names.several(value)
    if name in WORDS:
        return words(name, value)
    if name == "of_kind":
        return texts.kind_name(value)
    if name == "role":
        return str(texts.state(value, "role").text)
    if name == "how":
        return texts.how_closed(value)
    if name == "protocol":
        return texts.protocol(value)
    if name == "what":
        return attempt(value)
    return value


def _is_a_code(view: EventView) -> bool:
    """The reason that a gateway or a timer gives is a code of its own; that of a person is what they wrote."""
    return view.code in REPORTED_BY_GATEWAYS or view.actor == SYSTEM
