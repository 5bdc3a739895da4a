# SPDX-License-Identifier: Apache-2.0
"""Which operations a session may do on a machine. Pure: the moment is an argument, what was done is a Meter's.

A profile is a list of clauses. An operation passes when one clause admits it in everything: function, route, targets,
values and rate. What bundles several operations passes whole or not at all. What no clause admits and one of ``hold``
would is held: somebody is asked before it may pass.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from typing import Annotated

import msgspec
from msgspec import Meta

from portineria.core.errors import Invalid
from portineria.protocols.operation import Kind, Operation, Target, Value

PROFILE_BYTES = 16384  # encoded: 64 ordinary clauses of 200 bytes
CLAUSES = 64
Word = Annotated[str, Meta(min_length=1, max_length=64)]
Address = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
Route = Annotated[tuple[Word, ...], Meta(max_length=8)]
DIRECT: Route = ()  # the device that the connection leads to, and nothing behind it
# What hands nothing over, so that limits of values have nothing to say about it.
_WITHOUT_VALUES = frozenset({Kind.IDENTIFY, Kind.READ, Kind.PROGRAM_READ, Kind.SESSION, Kind.DIAGNOSTIC})


class BadProfile(Invalid):
    code = "profile.bad"


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    pass


class Place(_Part, frozen=True):
    """Addresses of an area, both ends included; or a name, or all that begin so when it ends in ``*``; or all of it."""

    area: Word
    first: Address | None = None
    last: Address | None = None
    name: Annotated[str, Meta(max_length=256)] = ""

    def covers(self, target: Target) -> bool:
        if target.area != self.area:
            return False
        if self.first is not None and self.last is not None:
            if target.first is None or target.count < 1:
                return False
            return self.first <= target.first and target.first + target.count - 1 <= self.last
        if not self.name:
            return self.first is None and self.last is None
        if target.first is not None:
            return False
        return target.name.startswith(self.name[:-1]) if self.name.endswith("*") else target.name == self.name


class Rate(_Part, frozen=True):
    """At most so many operations in any time of this length, and as many at once."""

    times: Annotated[int, Meta(ge=1, le=1_000_000)]
    seconds: Annotated[int, Meta(ge=1, le=86400)]


class Clause(_Part, frozen=True):
    """What is left out limits nothing, with two exceptions: only the device itself unless ``routes`` names others, and
    an unknown function only where ``kinds`` names that.
    """

    kinds: Annotated[tuple[Kind, ...], Meta(max_length=16)] = ()
    functions: Annotated[tuple[Word, ...], Meta(max_length=64)] = ()
    protocol: Annotated[str, Meta(max_length=24)] = ""
    targets: Annotated[tuple[Place, ...], Meta(max_length=64)] = ()
    routes: Annotated[tuple[Route, ...], Meta(min_length=1, max_length=32)] = (DIRECT,)
    low: int | float | None = None
    high: int | float | None = None
    rate: Rate | None = None


class Profile(_Part, frozen=True):
    """``notes_only``: everything passes, and what would have been refused or held is noted.

    ``hold``: what passes only after somebody said yes to exactly it. Left out of the bytes when there is none: whoever
    is too old to hold anything cannot read a profile that does.
    """

    name: Annotated[str, Meta(min_length=1, max_length=60)]
    clauses: Annotated[tuple[Clause, ...], Meta(max_length=CLAUSES)] = ()
    notes_only: bool = False
    hold: Annotated[tuple[Clause, ...], Meta(max_length=CLAUSES)] = ()


class Why(StrEnum):
    FUNCTION = "function"
    UNKNOWN = "unknown-function"
    ROUTE = "route"
    TARGET = "target"
    VALUE = "value"
    RATE = "rate"
    HOLD = "hold"  # somebody has to say yes first


@dataclass(frozen=True, slots=True)
class Denial:
    """One operation, and every reason why the clause that came closest does not admit it."""

    operation: Operation
    reasons: tuple[Why, ...]


@dataclass(frozen=True, slots=True)
class Judgement:
    """``denials`` empty: the request passes whole, where anything is ``held`` once somebody said yes. ``using``: by
    which clause each operation passes, those that hold numbered behind the others.
    """

    denials: tuple[Denial, ...]
    using: tuple[int, ...] = ()
    held: tuple[Denial, ...] = ()


class Meter:
    """How much of each clause's rate is left: of one profile in one session, whatever connections it uses."""

    def __init__(self, profile: Profile) -> None:
        self._rates = [clause.rate for clause in (*profile.clauses, *profile.hold)]
        self._left = [inf] * len(self._rates)  # and no more than it has in all
        self._at = [0.0] * len(self._rates)

    def left(self, clause: int, at: float) -> float:
        rate = self._rates[clause]
        if rate is None:
            return inf
        grown = max(at - self._at[clause], 0.0) * rate.times / rate.seconds
        return min(self._left[clause] + grown, float(rate.times))

    def count(self, judgement: Judgement, at: float) -> None:
        """It passed."""
        for clause in judgement.using:
            self._left[clause], self._at[clause] = self.left(clause, at) - 1, max(at, self._at[clause])


def judge(
    profile: Profile, operations: Sequence[Operation], meter: Meter, at: float, own: Collection[Route] = ()
) -> Judgement:
    """Whether one request passes. ``at``: seconds, never backwards. ``own``: routes that mean the device itself.

    Nothing is counted: somebody else may say no.
    """
    denials: list[Denial] = []
    held: list[Denial] = []
    using: list[int] = []
    for operation in operations:
        closest: tuple[Why, ...] | None = None
        for number, clause in enumerate((*profile.clauses, *profile.hold)):
            spent = meter.left(number, at) < using.count(number) + 1
            reasons = _reasons(clause, operation, own, spent=spent)
            if not reasons:
                using.append(number)
                held += [Denial(operation, (Why.HOLD,))] if number >= len(profile.clauses) else []
                break
            if closest is None or _distance(reasons) < _distance(closest):
                closest = reasons
        else:
            denials.append(Denial(operation, closest or _reasons(_NOTHING, operation, own, spent=False)))
    return Judgement(tuple(denials)) if denials else Judgement((), tuple(using), tuple(held))


def _distance(reasons: tuple[Why, ...]) -> tuple[bool, int]:
    """A clause about another function is further away than one that fails in anything else."""
    return bool({Why.FUNCTION, Why.UNKNOWN}.intersection(reasons)), len(reasons)


_NOTHING = Clause(functions=("-",))


def _reasons(clause: Clause, operation: Operation, own: Collection[Route], *, spent: bool) -> tuple[Why, ...]:
    direct = operation.route in own and DIRECT in clause.routes
    reasons = [] if direct or operation.route in clause.routes else [Why.ROUTE]
    if not _names(clause, operation):  # then its limits are about something else
        return (Why.UNKNOWN if operation.kind is Kind.UNKNOWN else Why.FUNCTION, *reasons)
    if clause.targets and not _inside(clause.targets, operation.targets):
        reasons.append(Why.TARGET)
    if (clause.low is not None or clause.high is not None) and not _within(clause, operation):
        reasons.append(Why.VALUE)
    if spent:
        reasons.append(Why.RATE)
    return tuple(reasons)


def _names(clause: Clause, operation: Operation) -> bool:
    if clause.protocol and operation.protocol != clause.protocol:
        return False
    if clause.functions and operation.function not in clause.functions:
        return False
    if clause.kinds or operation.kind is Kind.UNKNOWN:
        return operation.kind in clause.kinds
    return True


def _inside(places: Sequence[Place], targets: Sequence[Target]) -> bool:
    return bool(targets) and all(any(place.covers(target) for place in places) for target in targets)


def _within(clause: Clause, operation: Operation) -> bool:
    """Every value; what is no number lies within no limits."""
    if not operation.values:
        return operation.kind in _WITHOUT_VALUES
    return all(_value_within(clause, value) for value in operation.values)


def _value_within(clause: Clause, value: Value) -> bool:
    if not isinstance(value, (int, float)) or value != value:
        return False
    # Negated, so that a limit that is no number admits nothing.
    above = clause.low is None or value >= clause.low
    return above and (clause.high is None or value <= clause.high)


# -- as it travels and is kept ----------------------------------------------------------------------------------

_DECODER = msgspec.msgpack.Decoder(Profile)


def encode_profile(profile: Profile) -> bytes:
    """The same profile always gives the same bytes. Raise BadProfile for one that is too large."""
    encoded = msgspec.msgpack.encode(profile)
    if len(encoded) > PROFILE_BYTES:
        raise BadProfile(f"profile of {len(encoded)} bytes, allowed {PROFILE_BYTES}")
    return encoded


def decode_profile(data: bytes) -> Profile:
    """Raise BadProfile: what this version does not understand it must not enforce by half."""
    try:
        if len(data) > PROFILE_BYTES:
            raise BadProfile(f"profile of {len(data)} bytes, allowed {PROFILE_BYTES}")
        return _DECODER.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadProfile(f"{type(error).__name__} in a profile of {len(data)} bytes") from error


# -- ours -------------------------------------------------------------------------------------------------------

# Diagnostics that only count or look: they change nothing and disturb nothing.
HARMLESS = {
    "modbus": (
        "read-event-counter",
        "read-event-log",
        "return-diagnostic-register",
        "return-bus-message-count",
        "return-bus-error-count",
        "return-exception-count",
        "return-server-message-count",
        "return-no-response-count",
        "return-nak-count",
        "return-busy-count",
        "return-overrun-count",
    ),
}
OBSERVING = (
    Clause(kinds=(Kind.IDENTIFY, Kind.READ, Kind.SESSION)),
    *(Clause((Kind.DIAGNOSTIC,), functions, protocol) for protocol, functions in HARMLESS.items()),
)
ENGINEERING = (
    *OBSERVING,
    Clause(kinds=(Kind.WRITE, Kind.CONTROL, Kind.PROGRAM_READ, Kind.PROGRAM_WRITE, Kind.START, Kind.STOP, Kind.MODE)),
    Clause(kinds=(Kind.TIME, Kind.FILE, Kind.DIAGNOSTIC)),
)
OBSERVE = Profile("observe", OBSERVING)
ENGINEER = Profile("engineer", ENGINEERING)
FIRMWARE = Profile("firmware", (*ENGINEERING, Clause(kinds=(Kind.FIRMWARE,))))
TRIAL = Profile("trial", OBSERVING, notes_only=True)
BUILT_IN = {profile.name: profile for profile in (OBSERVE, ENGINEER, FIRMWARE, TRIAL)}


def operate(name: str, writes: Sequence[Clause], *, notes_only: bool = False) -> Profile:
    """``observe``, and what is listed besides."""
    return Profile(name, (*OBSERVING, *writes), notes_only)
