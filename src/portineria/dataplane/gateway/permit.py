# SPDX-License-Identifier: Apache-2.0
"""May this session open something, may it go on, when does it end? Pure: every moment is an argument.

All moments are seconds on CLOCK_BOOTTIME. A session ends for one of four reasons, each with its own last moment:
its order expires, it is withdrawn, the control plane falls silent (no lease), or this gateway cannot record any more.
The earliest last moment counts.
"""

import math
from dataclasses import dataclass
from typing import Literal

from portineria.wire.statement import OnSilence

Ending = Literal["cut", "drained", "expired", "silence", "finished"]
NEVER = math.inf


@dataclass(frozen=True, slots=True)
class Drain:
    """From ``since`` on nothing new starts; at ``until`` what still runs is cut."""

    since: float
    until: float
    ending: Ending
    reason: str
    waits: bool  # whether the session stays until the last moment even when nothing runs: the lease may come back


@dataclass(slots=True)
class Permit:
    not_before: float
    expires: float
    lease_s: float
    drain_s: float
    on_silence: OnSilence
    order_sha256: bytes
    lease_until: float = -NEVER
    leased_sha256: bytes = b""
    withdrawn: Drain | None = None
    withdrawn_seq: int = 0
    obstructed: Drain | None = None

    def lease(self, order_sha256: bytes, sent: float, lease_s: float) -> None:
        """A lease for the newest order, counted from when its question was sent."""
        if order_sha256 == self.order_sha256:
            self.leased_sha256 = order_sha256
            self.lease_until = max(self.lease_until, sent + min(lease_s, self.lease_s))

    def renew(self, order: "Permit") -> None:
        """A superseding order. What runs keeps the old lease; opening something needs one for the new order."""
        order.lease_until, order.leased_sha256 = self.lease_until, self.leased_sha256
        order.obstructed = self.obstructed

    def withdraw(self, now: float, order_seq: int, drain_s: float, reason: str, *, busy: bool) -> None:
        """Drain by order. Said twice (over two relays) it does not last longer."""
        if order_seq > self.withdrawn_seq:
            ending: Ending = "drained" if busy else "finished"
            self.withdrawn = Drain(now, now + drain_s, ending, reason, waits=False)
            self.withdrawn_seq = order_seq

    def obstruct(self, now: float, reason: str) -> None:
        """This gateway itself cannot go on (it could not record what happens); ``clear`` when it can again."""
        if self.obstructed is None:
            self.obstructed = Drain(now, now + self.drain_s, "drained", reason, waits=True)

    def clear(self) -> None:
        self.obstructed = None

    @property
    def leased(self) -> bool:
        """Whether there ever was a lease; before the first one nothing runs that silence could end."""
        return self.lease_until > -NEVER

    def _drains(self) -> list[Drain]:
        drains = [Drain(self.expires, self.expires + self.drain_s, "expired", "order.expired", waits=False)]
        drains += [drain for drain in (self.withdrawn, self.obstructed) if drain is not None]
        if self.leased and self.on_silence != "until_expiry":
            last = self.lease_until + (self.drain_s if self.on_silence == "drain" else 0)
            drains.append(Drain(self.lease_until, last, "silence", "lease.lost", waits=True))
        return drains

    @property
    def stops_at(self) -> float:
        """From this moment on not one byte more."""
        return min(drain.until for drain in self._drains())

    def draining(self, now: float) -> Drain | None:
        """The drain that ends first, of those that have begun."""
        begun = [drain for drain in self._drains() if drain.since <= now]
        return min(begun, key=lambda drain: drain.until) if begun else None

    def ended(self, now: float, *, busy: bool) -> Drain | None:
        """Why the session is over by ``now``; ``busy``: whether a stream still runs. None while it goes on."""
        over = [drain for drain in self._drains() if drain.since <= now and (drain.until <= now or not busy)]
        over = [drain for drain in over if drain.until <= now or not drain.waits]
        return min(over, key=lambda drain: drain.until) if over else None

    def refuses_new(self, now: float, *, transferring: bool = False) -> str | None:
        """The code of why nothing new may be opened; None when it may. ``transferring``: a program is being written,
        and tools go on over further connections: a drain by order lets them, until its end.
        """
        if now >= self.expires:
            return "order.expired"
        if self.withdrawn is not None and not transferring:
            return "order.draining"
        if self.obstructed is not None:
            return self.obstructed.reason
        if now < self.not_before:
            return "order.not-yet"
        if now >= self.lease_until or self.leased_sha256 != self.order_sha256:
            return "lease.missing"
        return None

    def next_moment(self, now: float) -> float:
        """When to look again: the next moment at which an answer above may change."""
        moments = [self.not_before, self.lease_until]
        for drain in self._drains():
            moments += [drain.since, drain.until]
        return min((moment for moment in moments if moment > now), default=NEVER)
