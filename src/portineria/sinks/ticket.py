# SPDX-License-Identifier: Apache-2.0
"""A ticket, and what it says about some work. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

_NUMBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}")


@dataclass(frozen=True, slots=True)
class Ticket:
    """``machines`` and ``suppliers``: what stands in the fields that were named in the settings, text by text; None
    where none was named.
    """

    number: str
    state: str
    machines: tuple[str, ...] | None = None
    suppliers: tuple[str, ...] | None = None


class Standing(StrEnum):
    """What a ticket says about some work."""

    HOLDS = "holds"
    MISSING = "missing"
    STATE = "state"
    MACHINE = "machine"
    SUPPLIER = "supplier"


@dataclass(frozen=True, slots=True)
class Covered:
    """The work: every name that the machine goes by, and that of the supplier; none for the plant's own people."""

    machine: tuple[str, ...]
    supplier: str = ""


def is_number(text: str) -> bool:
    """What may be a ticket's number: it stands in addresses and questions as it is."""
    return _NUMBER.fullmatch(text) is not None


def standing(ticket: Ticket | None, work: Covered, states: str) -> Standing:
    """``states``: those in which a ticket covers work, with commas between them; every one where there is none."""
    if ticket is None:
        return Standing.MISSING
    allowed = {state.casefold() for state in listed(states)}
    if allowed and ticket.state.casefold() not in allowed:
        return Standing.STATE
    if ticket.machines is not None and not any(_names(text, work.machine) for text in ticket.machines):
        return Standing.MACHINE
    if ticket.suppliers is not None and work.supplier and not _is_among(work.supplier, ticket.suppliers):
        return Standing.SUPPLIER
    return Standing.HOLDS


def listed(text: str) -> tuple[str, ...]:
    """ "Implement, In Progress" → both."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _names(text: str, names: Iterable[str]) -> bool:
    """As a word of its own: a ticket for PLC-10 is none for PLC-1."""
    return any(
        re.search(rf"(?<![\w-]){re.escape(name.casefold())}(?![\w-])", text.casefold()) is not None
        for name in names
        if name
    )


def _is_among(name: str, texts: Iterable[str]) -> bool:
    return name.casefold() in {" ".join(text.split()).casefold() for text in texts}
