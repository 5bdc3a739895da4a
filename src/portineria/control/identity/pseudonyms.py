# SPDX-License-Identifier: Apache-2.0
"""The names under which a provider's people act in a customer: always the same there, another one elsewhere.

A name is an HMAC of who somebody is, under a key of two halves: one of the customer, one of the provider. No row says
who is behind it. Only with both halves can it be found out, by trying people one after the other, and the server uses
both for that only where both organisations said yes (``resolving``). Whoever runs the server and holds its master key
could: decision 0087.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable

from portineria.control.identity.delegation_models import Delegation
from portineria.control.identity.models import Person
from portineria.control.identity.vault import unwrap, wrap
from portineria.core.ids import Kind

_HALF_BYTES = 32
_ID_BYTES = 10  # 80 bits, as every id here has


def make_halves(delegation: Delegation) -> None:
    """In memory, once for a customer and a provider: a new key would make strangers of everybody."""
    delegation.customer_half = wrap(secrets.token_bytes(_HALF_BYTES), purpose=_purpose(delegation, "customer"))
    delegation.provider_half = wrap(secrets.token_bytes(_HALF_BYTES), purpose=_purpose(delegation, "provider"))


def _purpose(delegation: Delegation, whose: str) -> str:
    return f"pseudonyms {delegation.public_id} {whose}"


def _key(delegation: Delegation) -> bytes:
    """Neither half says anything about it (one-time pad)."""
    one = unwrap(bytes(delegation.customer_half), purpose=_purpose(delegation, "customer"))
    other = unwrap(bytes(delegation.provider_half), purpose=_purpose(delegation, "provider"))
    return bytes(left ^ right for left, right in zip(one, other, strict=True))


def pseudonym(delegation: Delegation, person: Person) -> str:
    """An id of a person like any other. Raise WrongMasterKey."""
    return _derived(_key(delegation), person.public_id)


def pseudonyms(delegation: Delegation, people: Iterable[Person]) -> set[str]:
    key = _key(delegation)
    return {_derived(key, one.public_id) for one in people}


def _derived(key: bytes, public_id: str) -> str:
    digest = hmac.digest(key, b"portineria-analyst" + public_id.encode(), hashlib.sha256)
    return f"{Kind.PERSON}_{base64.b32encode(digest[:_ID_BYTES]).decode().lower()}"


def name_of(delegation: Delegation, public_id: str) -> str:
    """As pages show it, in every language: the provider, and eight symbols by which people tell analysts apart."""
    symbols = public_id.rpartition("_")[2].upper()
    return f"{delegation.provider.name[:100]} · {symbols[:4]}-{symbols[4:8]}"


def behind(delegation: Delegation, analyst: Person) -> Person | None:
    """Whoever it is, by trying everybody who is or was known here; None for somebody of whom nothing is left."""
    key, people = _key(delegation), Person.objects.get_queryset().filter(is_service=False).order_by("pk")
    return next((one for one in people.iterator() if _derived(key, one.public_id) == analyst.public_id), None)
