# SPDX-License-Identifier: Apache-2.0
"""The only time a gateway believes: signed by the control plane, carried on by CLOCK_BOOTTIME (WIRE 9, 10).

CLOCK_BOOTTIME counts through suspend and cannot be set. The wall clock is never looked at: it may say 1970.
"""

import time
from collections import OrderedDict
from collections.abc import Callable

QUESTIONS_KEPT = 64  # answers to older ones are worthless: their leases are over


def boot_s() -> float:
    """Seconds on CLOCK_BOOTTIME."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def boot_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class TrustedClock:
    """``answer_s``: a signed time that took longer is not believed, as it would be early by so much.

    The time counts from when the question was *sent*: delaying the answer makes the clock fast, never slow, so an
    order can end early but not late.
    """

    def __init__(self, *, answer_s: float, now: Callable[[], float] = boot_s) -> None:
        self._now = now
        self._answer_s = answer_s
        self._sent: OrderedDict[bytes, float] = OrderedDict()
        self._unix_ms_at_boot: int | None = None
        self.heard_ms = 0  # the last signed time that was believed, as it was said; 0 before the first

    def asked(self, nonce: bytes) -> None:
        """Call right before the question with this nonce is sent."""
        self._sent[nonce] = self._now()
        while len(self._sent) > QUESTIONS_KEPT:
            self._sent.popitem(last=False)

    def sent_at(self, nonce: bytes) -> float | None:
        """When the question was sent; None for a nonce that is not ours or too old."""
        return self._sent.get(nonce)

    def set(self, nonce: bytes, unix_ms: int) -> int | None:
        """Believe the answer; return by how many milliseconds the clock stepped, None when it is not believed."""
        sent = self._sent.get(nonce)
        if sent is None or self._now() - sent > self._answer_s:
            return None
        at_boot = unix_ms - round(sent * 1000)
        step = 0 if self._unix_ms_at_boot is None else at_boot - self._unix_ms_at_boot
        self._unix_ms_at_boot, self.heard_ms = at_boot, unix_ms
        return step

    @property
    def known(self) -> bool:
        return self._unix_ms_at_boot is not None

    @property
    def known_ms(self) -> int | None:
        """Unix time; None while it is not known."""
        return self.unix_ms if self.known else None

    @property
    def unix_ms(self) -> int:
        """0 while the time is unknown."""
        return 0 if self._unix_ms_at_boot is None else self._unix_ms_at_boot + round(self._now() * 1000)

    def boot_of(self, unix_ms: int) -> float:
        """The moment on CLOCK_BOOTTIME at which it is ``unix_ms``. Only while the time is known."""
        if self._unix_ms_at_boot is None:
            raise ValueError("the time is not known yet")
        return (unix_ms - self._unix_ms_at_boot) / 1000
