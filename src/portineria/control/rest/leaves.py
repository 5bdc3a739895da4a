# SPDX-License-Identifier: Apache-2.0
"""Long lists in parts. Where the next part begins is said in a text that only this installation can read or write."""

import secrets
from collections.abc import Callable
from typing import Annotated, Any, Generic, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db.models import QuerySet
from django.utils.crypto import salted_hmac
from ninja import Query, Schema
from pydantic import Field

from portineria.control.identity.connector import base64url, unbase64
from portineria.control.identity.models import Person
from portineria.control.identity.services import BadField

T = TypeVar("T")
_NONCE = 12


class Leaf(Schema, Generic[T]):
    """``next``: the cursor of the following part; null where this is the last."""

    items: list[T]
    next: str | None


class Place(Schema):
    limit: int = Field(default=50, ge=1, le=200, description="How many at most.")
    cursor: str = Field(default="", max_length=100, description="As `next` of the part before said.")


Where = Annotated[Place, Query()]


def _cipher() -> AESGCM:
    return AESGCM(salted_hmac("portineria.rest.cursor", "", algorithm="sha256").digest())


def _sealed(key: int, bound: bytes) -> str:
    """Encrypted: the numbers of rows would tell how much others do here."""
    nonce = secrets.token_bytes(_NONCE)
    return base64url(nonce + _cipher().encrypt(nonce, key.to_bytes(8, "big"), bound))


def _opened(cursor: str, bound: bytes) -> int:
    data = unbase64(cursor, "cursor", size=_NONCE + 8 + 16)
    try:
        return int.from_bytes(_cipher().decrypt(data[:_NONCE], data[_NONCE:], bound), "big")
    except InvalidTag as error:
        raise BadField("cursor", "of another list, another person or another installation") from error


def leaf(
    actor: Person, name: str, rows: "QuerySet[Any]", place: Place, shown: Callable[[list[Any]], list[T]],
    *, newest_first: bool = False,
) -> Leaf[T]:  # fmt: skip
    """In the order in which they were made. A row that is added or goes away between two parts moves none of the
    others. ``name``: of the list; its cursors fit no other. Raise BadField.
    """
    bound = f"{name} {actor.public_id}".encode()
    if place.cursor:
        key = _opened(place.cursor, bound)
        rows = rows.filter(pk__lt=key) if newest_first else rows.filter(pk__gt=key)
    found = list(rows.order_by("-pk" if newest_first else "pk")[: place.limit + 1])
    kept = found[: place.limit]
    return Leaf(items=shown(kept), next=_sealed(kept[-1].pk, bound) if len(found) > len(kept) else None)
