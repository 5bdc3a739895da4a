# SPDX-License-Identifier: Apache-2.0
"""What identity providers are documented to say, and what it means here."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.control.django_state import start

start()

from portineria.control.console.texts.providers import REFUSALS  # noqa: E402 models need Django to have started
from portineria.control.console.texts.reasons import REASONS  # noqa: E402
from portineria.control.identity.claims import NoSubject, Refusal, Vouched, read_claims, role_of  # noqa: E402
from portineria.control.identity.provider_models import GroupRole  # noqa: E402
from tests.unit.control import documented_claims as documented  # noqa: E402

TINA = "tina@plant.example"


@pytest.mark.parametrize(
    ("claims", "claim", "groups"),
    [
        (documented.ENTRA_V2, "groups", set(documented.ENTRA_V2["groups"])),
        (documented.ENTRA_V1, "groups", {"0760b6cf-170e-4a14-91b3-4b78e0739963"}),
        (documented.B2C, "", set()),
        (documented.EXTERNAL_ID, "", set()),
        (documented.OKTA, "groups", {"Everyone", "IT"}),
        (documented.KEYCLOAK_PATHS, "groups", {"/maintenance", "/maintenance/presses"}),
        (documented.KEYCLOAK_NAMES, "groups", {"maintenance", "presses"}),
        ({"sub": "1", "email": TINA, "groups": "maintenance"}, "groups", {"maintenance"}),
        ({"sub": "1", "email": TINA, "groups": []}, "groups", set()),
    ],
)
def test_documented_claims_say_who_and_which_groups(claims: dict[str, Any], claim: str, groups: set[str]) -> None:
    read = read_claims(claims, claim)
    assert (read.subject, read.email, read.groups) == (claims["sub"], TINA, frozenset(groups))


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        (documented.ENTRA_OVERAGE, Refusal.GROUPS_ELSEWHERE),
        (documented.ENTRA_OVERAGE_IMPLICIT, Refusal.GROUPS_ELSEWHERE),
        (documented.ENTRA_SAML_OVERAGE, Refusal.GROUPS_ELSEWHERE),
        ({"sub": "1", "groups": [f"g{n}" for n in range(2001)]}, Refusal.GROUPS_ELSEWHERE),
        (documented.B2C, Refusal.GROUPS_MISSING),
    ],
)
def test_groups_that_are_not_there_are_never_none(claims: dict[str, Any], why: Refusal) -> None:
    read = read_claims(claims, "groups")
    assert read.groups is why
    assert role_of(read, [GroupRole(pk=1, group="maintenance", role="technician")]) is why


def test_too_many_groups_are_unknown_even_where_everybody_has_a_role() -> None:
    everybody = [GroupRole(pk=1, group="", role="technician")]
    assert role_of(read_claims(documented.ENTRA_OVERAGE, "groups"), everybody) is Refusal.GROUPS_ELSEWHERE
    assert role_of(read_claims(documented.B2C, ""), everybody) is everybody[0]


def test_the_most_of_several_groups_counts_and_everybody_s_role_last() -> None:
    rows = [
        GroupRole(pk=1, group="", role="operator"), GroupRole(pk=2, group="presses", role="technician"),
        GroupRole(pk=3, group="leads", role="approver"),
    ]  # fmt: skip

    def of(*groups: str) -> object:
        return role_of(Vouched("1", TINA, "Tina", frozenset(groups)), rows)

    assert (of("presses", "leads"), of("presses"), of("others"), of()) == (rows[2], rows[1], rows[0], rows[0])
    assert role_of(Vouched("1", TINA, "", frozenset({"Presses"})), rows[1:]) is Refusal.NO_ROLE  # exactly as named


@pytest.mark.parametrize("subject", [None, "", 7, ["a"], "a" * 192, "a\nb"])
def test_claims_without_a_subject_are_about_nobody(subject: object) -> None:
    with pytest.raises(NoSubject):
        read_claims({"sub": subject}, "groups")


def test_hostile_values_are_data_or_nothing() -> None:
    claims = {"sub": "1", "name": "a\u202eb" * 100, "email": "x" * 300 + "@a.example", "emails": [7, {"a": 1}, None],
              "groups": [{"a": 1}, 7, "g" * 5000, "<script>"]}  # fmt: skip
    read = read_claims(claims, "groups")
    assert (read.name, read.email, read.groups) == ("", "", frozenset({"<script>"}))


def test_every_refusal_is_said_to_whoever_is_refused_and_in_the_register() -> None:
    assert REFUSALS.keys() == set(Refusal)
    assert {why.value for why in Refusal} - REASONS.keys() == set()
