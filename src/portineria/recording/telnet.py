# SPDX-License-Identifier: Apache-2.0
"""Telnet's commands between its words (RFC 854, RFC 855), in one direction of a connection."""

from enum import Enum

_IAC, _SE, _SB, _WILL, _DONT = 0xFF, 0xF0, 0xFA, 0xFB, 0xFE


class _In(Enum):
    WORDS = "words"
    COMMAND = "behind IAC"
    OPTION = "before the option that it is about"
    BETWEEN = "in a subnegotiation"
    ENDING = "behind IAC in a subnegotiation"


class Commands:
    """Remembers a command that did not end yet."""

    def __init__(self) -> None:
        self._state = _In.WORDS

    def words(self, data: bytes) -> list[tuple[int, int]]:
        """Where what is no command begins and ends, in order."""
        if self._state is _In.WORDS and _IAC not in data:
            return [(0, len(data))] if data else []
        found, at = list[tuple[int, int]](), 0
        while at < len(data):
            if self._state is _In.WORDS:
                end = _next_command(data, at)
                found += [(at, end)] if end > at else []
                at = end + 1
                self._state = _In.COMMAND if end < len(data) else _In.WORDS
            elif self._state is _In.BETWEEN:
                end = _next_command(data, at)
                at = end + 1
                self._state = _In.ENDING if end < len(data) else _In.BETWEEN
            else:
                self._state = _behind(self._state, data[at])
                at += 1
        return found


def _next_command(data: bytes, at: int) -> int:
    found = data.find(_IAC, at)
    return found if found >= 0 else len(data)


def _behind(state: _In, symbol: int) -> _In:
    if state is _In.ENDING:
        return _In.WORDS if symbol == _SE else _In.BETWEEN
    if state is _In.COMMAND and symbol == _SB:
        return _In.BETWEEN
    return _In.OPTION if state is _In.COMMAND and _WILL <= symbol <= _DONT else _In.WORDS
