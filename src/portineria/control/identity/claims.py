# SPDX-License-Identifier: Apache-2.0
"""What an identity provider says of somebody, read from verified claims. Pure: nothing here knows who they are to us.

Sources: OpenID Connect Core 1.0, 2 and 5.1; for groups that do not fit into a token, Microsoft's "ID token claims
reference" (``_claim_names``, ``hasgroups``), and for SAML its attribute ``…/claims/groups.link``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from portineria.control.identity.provider_models import GROUP_CHARACTERS, GroupRole
from portineria.control.identity.said_factor import SaidFactor

SUBJECT_CHARACTERS = 191  # what the sign-in library keeps; OpenID Connect Core, 2 allows 255
_EMAIL_CHARACTERS, _NAME_CHARACTERS, _MOST_GROUPS = 254, 120, 2000
# Azure AD B2C has a list; Entra's own accounts may have an address in none but the others. It is where to reach
# somebody, and never who they are.
_ADDRESSES = ("email", "emails", "preferred_username", "upn")
GROUPS_LINK = "http://schemas.microsoft.com/claims/groups.link"
_ORDER = ("administrator", "approver", "operator", "technician")


class Refusal(StrEnum):
    """Why somebody whom a provider sent does not come in."""

    CANCELLED = "cancelled"
    UNREACHABLE = "unreachable"
    UNPROVEN = "unproven"  # signature, issuer, audience, time, nonce or state
    GONE = "gone"  # the provider is disabled or withdrawn
    GROUPS_ELSEWHERE = "groups-elsewhere"
    GROUPS_MISSING = "groups-missing"
    NO_ROLE = "no-role"
    NO_ADDRESS = "no-address"
    OTHER_DOMAIN = "other-domain"
    ADDRESS_TAKEN = "address-taken"
    ELSEWHERE = "elsewhere"  # belongs to other organisations too
    LOCKED = "locked"
    CONNECTED = "connected"  # this identity, or this person's, is connected otherwise already
    SOMEBODY_ELSE = "somebody-else"  # was to prove the account that is signed in, and is another one
    NO_FACTOR = "no-factor"
    NOT_ANEW = "not-anew"  # proved before it was asked, or nobody knows when


@dataclass(frozen=True, slots=True)
class Vouched:
    """``groups``: those that it names, or why they are not known."""

    subject: str
    email: str
    name: str
    groups: frozenset[str] | Refusal
    factor: SaidFactor | None = None  # as far as it counts here


class NoSubject(ValueError):
    """Claims that are about nobody."""


def read_claims(claims: Mapping[str, Any], groups_claim: str) -> Vouched:
    """Raise NoSubject."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= SUBJECT_CHARACTERS or not subject.isprintable():
        raise NoSubject(f"sub of {type(subject).__name__}, expected 1 to {SUBJECT_CHARACTERS} characters")
    return Vouched(subject, _address(claims), _name(claims), _groups(claims, groups_claim))


def _address(claims: Mapping[str, Any]) -> str:
    for name in _ADDRESSES:
        for text in _texts(claims.get(name)):
            if "@" in text and len(text) <= _EMAIL_CHARACTERS:
                return text.strip().lower()
    return ""


def _name(claims: Mapping[str, Any]) -> str:
    whole = claims.get("name") or f"{claims.get('given_name') or ''} {claims.get('family_name') or ''}"
    name = " ".join(str(whole).split())[:_NAME_CHARACTERS]
    return name if name.isprintable() else ""


def _groups(claims: Mapping[str, Any], groups_claim: str) -> frozenset[str] | Refusal:
    if not groups_claim:
        return frozenset()
    given = claims.get(groups_claim)
    if given is None:
        elsewhere = claims.get("_claim_names")
        linked = isinstance(elsewhere, Mapping) and groups_claim in elsewhere
        if linked or claims.get("hasgroups") or claims.get(GROUPS_LINK):
            return Refusal.GROUPS_ELSEWHERE
        return Refusal.GROUPS_MISSING
    found = _texts(given)
    return frozenset(found) if len(found) <= _MOST_GROUPS else Refusal.GROUPS_ELSEWHERE


def _texts(value: object) -> list[str]:
    """A claim may have one value or several; what is neither text nor short enough to be mapped fits nothing."""
    values = value if isinstance(value, list) else [value]
    return [text for text in values if isinstance(text, str) and 0 < len(text) <= max(GROUP_CHARACTERS, 254)]


def role_of(vouched: Vouched, given: Iterable[GroupRole]) -> GroupRole | Refusal:
    """What of ``given`` counts for somebody: the most that one of their groups has, else what everybody has."""
    if vouched.groups is Refusal.GROUPS_ELSEWHERE:
        return Refusal.GROUPS_ELSEWHERE
    missing = vouched.groups is Refusal.GROUPS_MISSING
    groups = frozenset[str]() if isinstance(vouched.groups, Refusal) else vouched.groups
    fitting = [row for row in given if row.group == "" or row.group in groups]
    if not fitting:
        return Refusal.GROUPS_MISSING if missing else Refusal.NO_ROLE
    return min(fitting, key=lambda row: (row.group == "", _ORDER.index(row.role), row.pk))
