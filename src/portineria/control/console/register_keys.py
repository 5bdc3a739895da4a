# SPDX-License-Identifier: Apache-2.0
"""What others need to check a register without this server: its name, its root and the key that signs for it."""

from dataclasses import dataclass

from portineria.control.estate.introduction import root_fingerprint
from portineria.control.identity import queries as identity
from portineria.control.identity import register
from portineria.control.identity.models import Person


@dataclass(frozen=True, slots=True)
class OwnRegister:
    organisation: str
    name: str
    origin: str
    root: str
    key: str


def own_registers(actor: Person) -> list[OwnRegister]:
    """Those that this person reads."""
    seal = register.Seal()
    return [
        OwnRegister(
            row.public_id, row.name, seal.origin(row.public_id), root_fingerprint(), str(seal.key(row.public_id))
        )
        for row in identity.organisations(actor)
        if row.public_id in actor.event_organisations
    ]
