# SPDX-License-Identifier: Apache-2.0
"""So many requests a minute of one account. Each web process counts for itself, in memory that does not grow."""

import threading
import time
from collections import OrderedDict

from portineria.control.settings.start import current
from portineria.core.errors import Unavailable

_ACCOUNTS = 10_000  # about 2 MB; beyond, who was quiet longest is forgotten, which only gives them a full measure again
_AT_ONCE = 0.2  # of a minute's measure: what may come in one burst


class TooMany(Unavailable):
    code = "api.too-many"

    def __init__(self, seconds: int) -> None:
        super().__init__(f"more requests than this account may send; again in {seconds} s")
        self.values = {"seconds": seconds}


class Buckets:
    """A token bucket for each account, filled at ``per_minute``."""

    def __init__(self, per_minute: int) -> None:
        self._rate = per_minute / 60
        self._most = max(1.0, per_minute * _AT_ONCE)
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._left)

    def take(self, account: str, now: float) -> float:
        """Take one; return how many seconds are missing until there is one, 0 when there was. ``now``: seconds."""
        with self._lock:
            left, then = self._left.pop(account, (self._most, now))
            left = min(self._most, left + (now - then) * self._rate)
            missing = 0.0 if left >= 1 else (1 - left) / self._rate
            self._left[account] = (left if missing else left - 1, now)
            if len(self._left) > _ACCOUNTS:
                self._left.popitem(last=False)
            return missing


_buckets = Buckets(current().api_per_minute)


def take(account: str) -> None:
    """Raise TooMany."""
    if missing := _buckets.take(account, time.monotonic()):
        raise TooMany(int(missing) + 1)
