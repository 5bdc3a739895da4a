# SPDX-License-Identifier: Apache-2.0
"""What identity providers are documented to say of a second factor, and what of it counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portineria.control.identity.said_factor import AUTHN_METHODS, FactorTerms, SaidFactor, said_factor
from tests.unit.control import documented_claims as documented

NOW = datetime(2026, 11, 27, 8, tzinfo=UTC)
AT = int(NOW.timestamp()) - 600
COUNTS, OFF = FactorTerms(True), FactorTerms(False, ())
VALUE = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.just("mfa")


def read(claims: dict[str, Any], terms: FactorTerms = COUNTS) -> SaidFactor | None:
    return said_factor(claims, terms, now=NOW, leeway=timedelta(seconds=60))


@pytest.mark.parametrize(
    ("claims", "levels"),
    [
        (documented.ENTRA_V1 | documented.ENTRA_MFA, ()),
        (documented.OKTA | documented.OKTA_MFA, ()),
        (documented.OKTA | documented.OKTA_STEP_UP, ("urn:okta:loa:2fa:any",)),
        (documented.KEYCLOAK_NAMES | documented.KEYCLOAK_LEVEL, ("silver", "gold")),
        ({"sub": "1", "amr": documented.ENTRA_SAML_METHODS[AUTHN_METHODS]}, ()),
    ],
)
def test_documented_claims_show_one_where_their_row_says_that_it_counts(
    claims: dict[str, Any], levels: tuple[str, ...]
) -> None:
    timed = claims | {"auth_time": AT}
    assert read(timed, FactorTerms(True, levels)) == SaidFactor(NOW - timedelta(minutes=10))
    assert read({**claims, "auth_time": None}, FactorTerms(True, levels)) == SaidFactor(None)
    assert read(timed, OFF) is None
    assert read(timed, FactorTerms(True, ("other",))) is None


@pytest.mark.parametrize(
    "claims",
    [documented.OKTA, documented.ENTRA_V2, documented.KEYCLOAK_NAMES | documented.KEYCLOAK_LEVEL, {"amr": ["otp"]},
     {"amr": ["pwd", "hwk"]}, {"amr": "mfa"}, {"amr": [["mfa"]]}, {"amr": {"mfa": 1}}, {"acr": "mfa"}],
)  # fmt: skip
def test_one_method_is_no_second_factor(claims: dict[str, Any]) -> None:
    assert read(claims) is None


def test_the_age_is_what_is_said_and_never_of_a_time_to_come() -> None:
    shown = {"amr": ["mfa"]}
    assert read({**shown, "auth_time": NOW.timestamp() + 59}) == SaidFactor(NOW)  # clocks differ
    for later in (NOW.timestamp() + 61, 10**400, float("inf")):
        assert read({**shown, "auth_time": later}) is None
    for nothing in (0, -1, True, "1669657224", float("nan"), -(10**400), [AT], None):
        assert read({**shown, "auth_time": nothing}) == SaidFactor(None), nothing


@given(amr=VALUE | st.lists(VALUE), acr=VALUE | st.lists(VALUE), at=VALUE, level=st.text(max_size=3))
def test_whatever_is_said_naming_levels_admits_no_word_without_one(amr: Any, acr: Any, at: Any, level: str) -> None:
    claims = {"amr": amr, "acr": acr, "auth_time": at}
    assert read(claims, OFF) is None
    found = read(claims, FactorTerms(True, (level,)))
    assert found is None or (acr == level and (found.at is None or found.at <= NOW))
    free = read(claims)
    assert free is None or "mfa" in amr
