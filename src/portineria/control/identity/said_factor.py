# SPDX-License-Identifier: Apache-2.0
"""What an identity provider says of a second factor, read from verified claims. Pure: it counts where its row says so.

Sources: RFC 8176, 2 (``amr``, its value ``mfa``; single methods such as ``otp`` say nothing of a second one) and OpenID
Connect Core 1.0, 2 (``acr``, ``auth_time``). Entra ID has ``mfa`` in ``amr`` of its tokens of version 1.0 ("Access
token claims reference"), and in SAML ``multipleauthn`` in its attribute ``authnmethodsreferences``. Okta has ``mfa``
in ``amr``, and ``acr`` as it was asked ("Step-up authentication using ACR values"). Keycloak has the name of the level
in ``acr`` ("ACR to Level of Authentication Mapping"). In SAML the level is the AuthnContextClassRef, and the time
AuthnInstant (core, 2.7.2).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

AUTHN_METHODS = "http://schemas.microsoft.com/claims/authnmethodsreferences"  # of SAML attributes
SEVERAL_FACTORS = frozenset(["mfa", "http://schemas.microsoft.com/claims/multipleauthn"])
LEVELS_CHARACTERS = 400  # of all that a provider's row names


@dataclass(frozen=True, slots=True)
class FactorTerms:
    """``levels``: the only ``acr`` that count, where any are named; otherwise several factors among the methods do."""

    counts: bool = False
    levels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SaidFactor:
    """A second factor was shown. ``at``: when whoever it is proved themselves; None: nobody knows."""

    at: datetime | None


def said_factor(
    claims: Mapping[str, Any], terms: FactorTerms, *, now: datetime, leeway: timedelta
) -> SaidFactor | None:
    """None: none was shown, as far as it counts here; of a time to come nothing is believed."""
    told = claims.get("auth_time")
    at = told if isinstance(told, int | float) and not isinstance(told, bool) else 0
    if not terms.counts or at > (now + leeway).timestamp():
        return None
    level, methods = claims.get("acr"), claims.get("amr")
    if terms.levels:
        shown = isinstance(level, str) and level in terms.levels
    else:
        shown = isinstance(methods, list) and any(one in SEVERAL_FACTORS for one in methods if isinstance(one, str))
    if not shown:
        return None
    return SaidFactor(min(datetime.fromtimestamp(at, tz=UTC), now) if at > 0 else None)
