# SPDX-License-Identifier: Apache-2.0
"""Events before they have a number: checked against the catalogue, their personal fields already replaced by hashes."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from portineria.core.event import DataClass, Value, classify
from portineria.ledger import leaf as leaves

_SALT_BYTES = 16  # 128 bits: a pruned leaf cannot be searched for with a dictionary


@dataclass(frozen=True, slots=True)
class Kept:
    """One personal or secret field; ``value`` is None for a secret, of which only the hash is kept."""

    field: str
    salt: bytes
    value: str | None


@dataclass(frozen=True, slots=True)
class Draft:
    code: str
    organisation: str
    actor: str
    about: str
    public: Mapping[str, Value]
    hashed: Mapping[str, bytes]
    kept: tuple[Kept, ...]

    def leaf(self, seq: int, at: datetime, prev: bytes) -> leaves.Leaf:
        return leaves.Leaf(self.organisation, seq, at, self.code, self.actor, prev, self.public, self.hashed)

    def id_of(self, name: str) -> str:
        """Empty when the event has no such field."""
        return str(self.public.get(name, ""))

    @property
    def personal(self) -> list[str]:
        return [kept.value for kept in self.kept if kept.value is not None]


def draft(code: str, /, *, organisation: str, actor: str, about: str = "", **fields: Value) -> Draft:
    """``about`` is whose personal fields these are: the actor's own unless said.

    Raise UnknownEvent for a code or a field that the catalogue does not have.
    """
    given = {name: leaves.shortened(value) for name, value in fields.items() if value != ""}
    classes = classify(code, given)
    public = {name: value for name, value in given.items() if classes[name] is DataClass.PUBLIC}
    kept, hashed = [], {}
    for name in given.keys() - public.keys():
        salt, value = secrets.token_bytes(_SALT_BYTES), str(given[name])
        hashed[name] = leaves.personal_hash(salt, value)
        kept.append(Kept(name, salt, value if classes[name] is DataClass.PERSONAL else None))
    kept.sort(key=lambda one: list(given).index(one.field))
    return Draft(code, organisation, actor, about or str(given.get("person") or actor), public, hashed, tuple(kept))
