# SPDX-License-Identifier: Apache-2.0
"""How far something is: one line that is written over on a terminal, a line now and then elsewhere."""

import sys
import time
from types import TracebackType

_TERMINAL_S, _FILE_S = 0.2, 15.0


def mib(size: int) -> str:
    return f"{size / (1 << 20):.1f}"


class Progress:
    """Called with what, bytes so far, bytes in all (0: nobody knows)."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._every_s = _TERMINAL_S if self._terminal else _FILE_S
        self._next_s = time.monotonic() + self._every_s
        self._shown = False

    def __call__(self, what: str, done: int, every: int) -> None:
        if time.monotonic() < self._next_s:
            return
        self._next_s = time.monotonic() + self._every_s
        of = f" of {mib(every)}" if every else ""
        line = f"{what}: {mib(done)}{of} MiB" if done else what
        self._shown = True
        print(f"\r{line:<70}" if self._terminal else line, end="" if self._terminal else "\n", file=sys.stderr)
        sys.stderr.flush()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _where: TracebackType | None
    ) -> None:
        if self._terminal and self._shown:
            print(f"\r{'':<70}\r", end="", file=sys.stderr, flush=True)
