# SPDX-License-Identifier: Apache-2.0
"""What the function profiles of one session admit, over all its connections, and how refusals enter the register."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from portineria.dataplane.gateway.clock import boot_s
from portineria.dataplane.gateway.rate import PerMinute
from portineria.dataplane.gateway.spool import Spool
from portineria.policy.function_profile import Denial, Meter, Profile, Route, decode_profile, judge
from portineria.protocols.operation import Operation

MERGE_S = 5.0  # alike refusals within it are told together
# Of one session. A client that tries every address must not fill the register: what is beyond is told as one number.
FIRSTS_PER_MINUTE = 30
KINDS_AT_ONCE = 16
TEXT_CHARACTERS = 120  # of a list of targets or a route; the names in it are the client's words
MOST_TARGETS = 8
REFUSED, WOULD_REFUSE = "operation.refused", "operation.would-refuse"


@dataclass(frozen=True, slots=True)
class Verdict:
    """``refused``: what keeps the request from passing. ``noted``: what a profile on trial would have refused or held.
    ``held``: what somebody has to say yes to before it passes.
    """

    refused: tuple[tuple[str, Denial], ...]
    noted: tuple[tuple[str, Denial], ...]
    held: tuple[tuple[str, Denial], ...] = ()
    by: tuple[Meter, ...] = ()  # of the profiles that judged


class Functions:
    """The profiles of the newest order. Decides for whichever connection asks."""

    def __init__(self) -> None:
        self._profiles: dict[bytes, tuple[Profile, Meter]] = {}
        self._held: list[tuple[Profile, Meter]] = []

    def take(self, profiles: Sequence[bytes]) -> None:
        """Hold these from now on. What was counted of a profile that stays is kept."""
        kept, self._profiles = self._profiles, {}
        for encoded in profiles:
            profile = decode_profile(encoded)
            self._profiles[encoded] = kept.get(encoded) or (profile, Meter(profile))
        self._held = list(self._profiles.values())

    def decide(
        self, operations: Sequence[Operation], own: Collection[Route] = (), *, allowed: bool = False,
        earlier: Verdict | None = None,
    ) -> Verdict:  # fmt: skip
        """``own``: routes that mean the device itself. ``allowed``: somebody said yes to what is held.

        ``earlier``: the verdict by which it passed already, if it could not go then. Profiles that judged it stand by
        that, so that no rate is counted twice; those that came since are asked.

        What passes is counted; what is held is counted when it passes.
        """
        refused: list[tuple[str, Denial]] = []
        noted: list[tuple[str, Denial]] = []
        held: list[tuple[str, Denial]] = []
        now = boot_s()
        asked = [one for one in self._held if earlier is None or one[1] not in earlier.by]
        judged = [(profile, meter, judge(profile, operations, meter, now, own)) for profile, meter in asked]
        for profile, _, judgement in judged:
            told = noted if profile.notes_only else refused
            told += [(profile.name, denial) for denial in judgement.denials]
            told = noted if profile.notes_only else held
            told += [(profile.name, denial) for denial in judgement.held]
        if not refused and (allowed or not held):
            for _, meter, judgement in judged:
                meter.count(judgement, now)
        return Verdict(tuple(refused), tuple(noted), tuple(held), tuple(meter for _, meter in self._held))


Fields = dict[str, Any]  # of an event
Key = tuple[str, tuple[tuple[str, Any], ...]]


class Refusals:
    """Told at once the first time; then merged, with their number."""

    def __init__(self, session: str, spool: Spool) -> None:
        self._session, self._spool = session, spool
        self._firsts = PerMinute(FIRSTS_PER_MINUTE)
        self._merged: dict[Key, int] = {}
        self._beyond: dict[str, int] = {}
        self._timer: asyncio.TimerHandle | None = None

    def tell(self, code: str, stream: str, service: str, denials: Sequence[tuple[str, Denial]]) -> None:
        for profile, denial in denials:
            self.note(code, {"stream": stream, "service": service, "profile": profile, **fields_of(denial)})

    def note(self, code: str, fields: Fields) -> None:
        key = (code, tuple(fields.items()))
        if key in self._merged:
            self._merged[key] += 1
        elif len(self._merged) < KINDS_AT_ONCE and self._firsts.take():
            self._merged[key] = 0
            self._spool.record(code, self._session, count=1, **fields)
        else:
            self._beyond[code] = self._beyond.get(code, 0) + 1
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(MERGE_S, self.flush)

    def flush(self) -> None:
        """What was merged so far; call it before whatever has to stand behind it in the register."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        merged, self._merged = self._merged, {}
        for (code, fields), count in merged.items():
            if count:
                self._spool.record(code, self._session, count=count, **Fields(fields))
        beyond, self._beyond = self._beyond, {}
        for code, count in beyond.items():
            self._spool.record(code, self._session, count=count, reason="many")


def fields_of(denial: Denial) -> Fields:
    """As an event says it. Names of targets and routes are whatever the client sent."""
    operation = denial.operation
    more = len(operation.targets) - MOST_TARGETS
    targets = ", ".join(str(target) for target in operation.targets[:MOST_TARGETS])
    return {
        "protocol": operation.protocol,
        "function": printable(operation.function),
        "code": printable(operation.code),
        "operation": operation.kind.value,
        "targets": printable(targets) + (f" +{more}" if more > 0 else ""),
        "route": printable(" > ".join(operation.route)),
        "reason": " ".join(reason.value for reason in denial.reasons),
    }


def printable(text: str) -> str:
    """One line; what no font shows is written as its number, so that it can neither hide nor turn the line around."""
    shown = text[: TEXT_CHARACTERS + 1]
    shown = "".join(symbol if symbol.isprintable() else f"\\u{ord(symbol):04x}" for symbol in shown)
    return shown if len(shown) <= TEXT_CHARACTERS else shown[: TEXT_CHARACTERS - 1] + "…"
