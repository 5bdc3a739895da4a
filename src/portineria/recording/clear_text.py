# SPDX-License-Identifier: Apache-2.0
"""Passwords in protocols of lines: FTP, POP3, HTTP, Telnet and consoles behind serial ports. Nothing is held back.

FTP: RFC 959, 5.3.1 (PASS); POP3: RFC 1939, 7; HTTP: RFC 9110, 11.6.2 and 11.7.2, RFC 7617, RFC 6750, RFC 6265, forms as
browsers write them. Telnet has no word for it: what follows a prompt is meant (RFC 854 knows only lines).
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

from portineria.recording.kept import Cut, Kept, filled
from portineria.recording.telnet import Commands

MOST_CUTS = 256  # of one piece of traffic: whoever sends more secrets than that has the rest of it cut out as one
_TYPED = 256
_TAIL = 96  # bytes of the running line that are looked at again: longer than the longest beginning below


class _Rule(NamedTuple):
    begins: re.Pattern[bytes]  # what stands before a secret
    name: str
    body: re.Pattern[bytes]  # what a secret consists of
    escapes: bool = False  # a backslash takes the next byte into it


_LINE = re.compile(rb"[^\r\n]*")
_ASKS = (
    _Rule(re.compile(rb"[\r\n]PASS ", re.IGNORECASE), "ftp.password", _LINE),
    _Rule(
        re.compile(rb"[\r\n](?:Proxy-)?Authorization:[ \t]*(?:Basic|Bearer)[ \t]+", re.IGNORECASE),
        "http.authorization", _LINE,
    ),
    _Rule(re.compile(rb"[\r\n]Cookie:[ \t]*", re.IGNORECASE), "http.cookie", _LINE),
    _Rule(
        re.compile(rb"[?&\r\n][\w.%-]{0,32}(?:passw(?:or)?d|pwd|passwort)[\w.%-]{0,16}=", re.IGNORECASE),
        "http.form", re.compile(rb"[^&\s]*"),
    ),
    _Rule(
        re.compile(rb'"[\w.-]{0,32}(?:passw(?:or)?d|pwd|passwort)[\w.-]{0,16}"[ \t]{0,8}:[ \t]{0,8}"', re.IGNORECASE),
        "http.json", re.compile(rb'(?:[^"\\\r\n]|\\[^\r\n])*\\?'), escapes=True,
    ),
)  # fmt: skip
_TELLS = (_Rule(re.compile(rb"[\r\n]Set-Cookie:[ \t]*", re.IGNORECASE), "http.cookie", _LINE),)
_PROMPT = re.compile(
    r"(?:pass(?:word|wort|code|phrase)|kennwort|mot de passe|contraseña|パスワード)[^\r\n]{0,32}[:>：?] {0,2}\Z",
    re.IGNORECASE,
)
_HTTP = re.compile(rb"[A-Z]{3,10} [!-~]{1,2048}")
_ENCRYPTED = re.compile(rb"SSH-|\x16\x03|RFB ")


@dataclass(slots=True)
class _Side:
    rules: tuple[_Rule, ...]
    commands: Commands
    tail: bytes = b"\n"  # a connection begins with a line
    within: _Rule | None = None  # a secret that did not end yet
    escaped: bool = False  # and whose last byte takes the next one into it


class ClearText:
    """One connection. ``greeted``: the device spoke first, as FTP and Telnet servers do."""

    def __init__(self, *, greeted: bool = False) -> None:
        self._sides = _Side(_ASKS, Commands()), _Side(_TELLS, Commands())
        self._begun = [False, False]
        self._silent = False  # encrypted: nothing is looked for
        self._prompts = self._prompted = False
        self._greeted = greeted
        self._said = b""  # the end of the device's words
        self._typed = b""  # behind a prompt: a device that echoes it says it too

    def take(self, direction: int, data: bytes) -> Kept:
        if not self._begun[direction]:
            self._begun[direction] = True
            self._silent |= _ENCRYPTED.match(data) is not None
            if direction == 0:
                self._prompts = _HTTP.match(data) is None
            else:
                self._prompts |= self._greeted
        if self._silent:
            return Kept(data)
        return filled(data, tuple(self._told(data) if direction else self._asked(data)))

    def rest(self, direction: int) -> Kept:
        return Kept(b"")

    def _asked(self, data: bytes) -> list[Cut]:
        words = self._sides[0].commands.words(data)
        if not self._prompted:
            return _found(self._sides[0], data)
        cuts = list[Cut]()
        for start, end in words:
            typed = _end(_LINE, data, start, end)
            self._typed = (self._typed + data[start:typed])[:_TYPED]
            cuts += [Cut(start, typed - start, "telnet.password")] if typed > start else []
            if typed < end:  # the line ended
                self._prompted = False
                rest = _found(self._sides[0], data[typed:])
                return _few(cuts + [Cut(typed + cut.at, cut.size, cut.rule) for cut in rest], len(data))
        return _few(cuts, len(data))

    def _told(self, data: bytes) -> list[Cut]:
        cuts = _found(self._sides[1], data)
        if self._typed:
            echo = data[: _end(_LINE, data, 0, len(data))]
            if echo and echo in self._typed:
                cuts = [Cut(0, len(echo), "telnet.echo")]
            if len(echo) < len(data):
                self._typed = b""
        words = b"".join(data[start:end] for start, end in self._sides[1].commands.words(data)[-_TAIL:])
        self._said = (self._said + words)[-_TAIL:]
        if self._prompts and not self._prompted:
            self._prompted = _PROMPT.search(self._said.decode("utf-8", "replace")) is not None
        return cuts


def _found(side: _Side, data: bytes) -> list[Cut]:
    """Secrets in ``data``, of which one may have begun before, as may what announces it. Each rule looks at each byte
    once, however many secrets there are: the gateway waits for it.
    """
    cuts, at = list[Cut](), 0
    if side.within is not None:
        at = _secret(side, side.within, data, 0, cuts)
        if at == len(data):
            return cuts
    known, before = side.tail + data[at:], at - len(side.tail)
    place, nexts = 0, [rule.begins.search(known) for rule in side.rules]
    while True:
        for number, one in enumerate(nexts):
            if one is not None and one.start() < place:
                nexts[number] = side.rules[number].begins.search(known, place)
        matches = [(one.end(), number) for number, one in enumerate(nexts) if one is not None]
        if not matches:
            break
        ends, number = min(matches)
        place = _secret(side, side.rules[number], data, before + ends, cuts) - before
        if place == len(known):
            break
    side.tail = known[place:][-_TAIL:]
    return cuts


def _secret(side: _Side, rule: _Rule, data: bytes, first: int, cuts: list[Cut]) -> int:
    """Cut out what goes on at ``first``, as far as it is here; return where it ends."""
    begun = min(len(data), first + side.escaped)
    end = _end(rule.body, data, begun, len(data))
    if len(cuts) == MOST_CUTS:
        cuts[-1], end = Cut(cuts[-1].at, len(data) - cuts[-1].at, rule.name), len(data)
    elif end > first:
        cuts.append(Cut(first, end - first, rule.name))
    backslashes = end - begun - len(data[begun:end].rstrip(b"\\"))
    side.within = rule if end == len(data) else None
    side.escaped = rule.escapes and end == len(data) and backslashes % 2 == 1
    return end


def _few(cuts: list[Cut], size: int) -> list[Cut]:
    if len(cuts) <= MOST_CUTS:
        return cuts
    last = cuts[MOST_CUTS - 1]
    return [*cuts[: MOST_CUTS - 1], Cut(last.at, size - last.at, last.rule)]


def _end(body: re.Pattern[bytes], data: bytes, first: int, last: int) -> int:
    found = body.match(data, first, last)
    return found.end() if found else first
