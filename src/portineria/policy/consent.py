# SPDX-License-Identifier: Apache-2.0
"""Could somebody set a consent signal by the very work that it consents to? Pure, and rather yes than no.

A signal says that the plant agrees. One that the technician's own tool could write says nothing: it is no consent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from portineria.policy.function_profile import OBSERVING, Clause, Profile
from portineria.protocols.catalogue import ALL
from portineria.protocols.operation import Kind

# What hands nothing to the device, or nothing that would stay there.
_HARMLESS = frozenset({Kind.IDENTIFY, Kind.READ, Kind.SESSION, Kind.PROGRAM_READ, Kind.DIAGNOSTIC})
_KINDS = {(info.name, function.name): function.kind for info in ALL for function in info.functions}


class SignalKind(StrEnum):
    """What a signal of the plant says while it is on."""

    LOCK_OUT = "lock-out"  # the lock-out is open: somebody has let the machine be worked on
    GUARD = "guard"  # guards are closed
    KEY = "key"  # a key switch stands on remote
    BUTTON = "button"  # the shift leader holds or set a button


class SetBy(StrEnum):
    """How whoever works could set a signal themselves."""

    UNINSPECTED = "uninspected"  # a service of the same device whose bytes nobody looks at
    SAME_TARGET = "same-target"  # the profile lets them write to it
    OTHER_PROTOCOL = "other-protocol"  # the profile lets them change the device by another protocol
    OTHER_PERMISSION = "other-permission"  # another permission of theirs reaches the device


@dataclass(frozen=True, slots=True)
class Reading:
    """Where a signal is read. ``protocol`` empty: a file of the gateway's own, which no session reaches."""

    protocol: str
    address: str
    area: str = ""  # coil, discrete, node
    number: int | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """A service that somebody may use. ``decoder``: what inspects it; empty: nothing can."""

    address: str
    decoder: str


def set_by(reading: Reading, opened: Sequence[Opened], profiles: Sequence[Profile]) -> SetBy | None:
    """None: not by what is opened. ``profiles``: all that have to admit an operation; one on trial refuses none."""
    enforced = [profile for profile in profiles if not profile.notes_only]
    beside = [one for one in opened if reading.protocol and one.address == reading.address]
    if beside and not enforced:
        return SetBy.UNINSPECTED
    for decoder in sorted({one.decoder for one in beside if one.decoder}):
        if all(_changes(profile, decoder, reading) for profile in enforced):
            return SetBy.SAME_TARGET if decoder == reading.protocol else SetBy.OTHER_PROTOCOL
    return None


def beyond_observing(profile: Profile | None) -> bool:
    """Whether somebody may change anything: without a profile, on trial, or by a clause that is not one of reading."""
    if profile is None or profile.notes_only:
        return True
    rest = [clause for clause in (*profile.clauses, *profile.hold) if clause not in OBSERVING]
    return any(_may_change(clause, clause.protocol) for clause in rest)


def _changes(profile: Profile, decoder: str, reading: Reading) -> bool:
    """Held counts as allowed: somebody who says yes to a write does not look at the coil's meaning."""
    clauses = [clause for clause in (*profile.clauses, *profile.hold) if clause.protocol in ("", decoder)]
    if decoder != reading.protocol:
        return any(_may_change(clause, decoder) for clause in clauses)
    return any(_reaches(clause, decoder, reading) for clause in clauses)


def _may_change(clause: Clause, protocol: str, also_harmless: frozenset[Kind] = frozenset()) -> bool:
    """By its kinds and functions alone. A function that is in no catalogue is taken for one that changes something."""
    harmless = _HARMLESS | also_harmless
    if clause.kinds and harmless.issuperset(clause.kinds):
        return False
    # So is any function of a clause that names no protocol: none is harmless in all of them.
    return not clause.functions or any(_KINDS.get((protocol, name)) not in harmless for name in clause.functions)


def _reaches(clause: Clause, decoder: str, reading: Reading) -> bool:
    """A discrete input cannot be written by Modbus itself; what changes programs or modes can set it all the same."""
    inputs = frozenset({Kind.WRITE}) if reading.area == "discrete" else frozenset[Kind]()
    if not _may_change(clause, decoder, inputs):
        return False
    return not clause.targets or any(
        place.area == reading.area and _covers(place.first, place.last, place.name, reading) for place in clause.targets
    )


def _covers(first: int | None, last: int | None, name: str, reading: Reading) -> bool:
    if first is not None and last is not None:
        return reading.number is None or first <= reading.number <= last
    if not name or ";nsu=" in name:  # a node by the address of its namespace: nobody here knows its number
        return True
    begins = name.removesuffix("*")
    if name != begins and reading.name.startswith(begins):
        return True
    return begins == reading.name or begins.startswith(f"{reading.name} ")  # a part of its value
