# SPDX-License-Identifier: Apache-2.0
from portineria.dataplane.gateway.clock import boot_s


class PerMinute:
    """At most so many; ``take`` says whether one more is allowed and counts it."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken: list[float] = []

    def take(self) -> bool:
        now = boot_s()
        self._taken = [at for at in self._taken if at > now - 60]
        if len(self._taken) >= self._limit:
            return False
        self._taken.append(now)
        return True
