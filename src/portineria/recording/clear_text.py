# SPDX-License-Identifier: Apache-2.0
"""Passwords in protocols of lines: FTP, POP3, HTTP, Telnet and consoles behind serial ports. Nothing is held back.

FTP: RFC 959, 5.3.1 (PASS); POP3: RFC 1939, 7; HTTP: RFC 9110, 11.6.2 and 11.7.2, RFC 7617, RFC 6750, RFC 6265, forms as
browsers write them. Telnet has no word for it: what follows a prompt is meant (RFC 854 knows only lines).
"""

import re
from dataclasses import dataclass

from portineria.recording.kept import Cut, Kept, filled

_TYPED = 256
_TAIL = 96  # bytes of the running line that are looked at again: longer than the longest beginning below
_LINE_ENDS = re.compile(rb"[\r\n\0]")
_ASKS = (  # what stands before a secret, and where the secret ends
    (re.compile(rb"[\r\n]PASS ", re.IGNORECASE), "ftp.password", _LINE_ENDS),
    (
        re.compile(rb"[\r\n](?:Proxy-)?Authorization:[ \t]*(?:Basic|Bearer)[ \t]+", re.IGNORECASE),
        "http.authorization",
        _LINE_ENDS,
    ),
    (re.compile(rb"[\r\n]Cookie:[ \t]*", re.IGNORECASE), "http.cookie", _LINE_ENDS),
    (
        re.compile(rb"[?&\r\n][\w.%-]{0,32}(?:passw(?:or)?d|pwd|passwort)[\w.%-]{0,16}=", re.IGNORECASE),
        "http.form",
        re.compile(rb"[&\s]"),
    ),
    (
        re.compile(rb'"[\w.-]{0,32}(?:passw(?:or)?d|pwd|passwort)[\w.-]{0,16}"[ \t]{0,8}:[ \t]{0,8}"', re.IGNORECASE),
        "http.json",
        re.compile(rb'["\r\n]'),
    ),
)
_TELLS = ((re.compile(rb"[\r\n]Set-Cookie:[ \t]*", re.IGNORECASE), "http.cookie", _LINE_ENDS),)
_PROMPT = re.compile(
    r"(?:pass(?:word|wort|code|phrase)|kennwort|mot de passe|contraseña|パスワード)[^\r\n]{0,32}[:>：?] {0,2}\Z",
    re.IGNORECASE,
)
_TELNET = re.compile(rb"\xff[\xfb-\xfe].", re.DOTALL)  # RFC 854: options, which stand between words
_HTTP = re.compile(rb"[A-Z]{3,10} [!-~]{1,2048}")
_ENCRYPTED = re.compile(rb"SSH-|\x16\x03|RFB ")


@dataclass(slots=True)
class _Side:
    rules: tuple[tuple[re.Pattern[bytes], str, re.Pattern[bytes]], ...]
    tail: bytes = b"\n"  # a connection begins with a line
    within: tuple[str, re.Pattern[bytes]] | None = None  # a secret that did not end yet


class ClearText:
    """One connection. ``greeted``: the device spoke first, as FTP and Telnet servers do."""

    def __init__(self, *, greeted: bool = False) -> None:
        self._sides = _Side(_ASKS), _Side(_TELLS)
        self._begun = [False, False]
        self._silent = False  # encrypted: nothing is looked for
        self._prompts = self._prompted = False
        self._greeted = greeted
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
        if not self._prompted:
            return _found(self._sides[0], data)
        ends = _LINE_ENDS.search(data)
        size = ends.start() if ends else len(data)
        self._typed = (self._typed + data[:size])[:_TYPED]
        cuts = [Cut(0, size, "telnet.password")] if size else []
        if ends:
            self._prompted = False
            rest = _found(self._sides[0], data[size:])
            cuts += [Cut(size + cut.at, cut.size, cut.rule) for cut in rest]
        return cuts

    def _told(self, data: bytes) -> list[Cut]:
        cuts = _found(self._sides[1], data)
        if self._typed:
            ends = _LINE_ENDS.search(data)
            echo = data[: ends.start()] if ends else data
            if echo and echo in self._typed:
                cuts = [Cut(0, len(echo), "telnet.echo")]
            if ends:
                self._typed = b""
        if self._prompts and not self._prompted:
            said = _TELNET.sub(b"", self._sides[1].tail).decode("utf-8", "replace")
            self._prompted = _PROMPT.search(said) is not None
        return cuts


def _found(side: _Side, data: bytes) -> list[Cut]:
    """Secrets in ``data``, of which one may have begun before, as may what announces it."""
    cuts, at = list[Cut](), 0
    if side.within is not None:
        rule, ends_with = side.within
        at = _end(data, 0, ends_with)
        cuts += [Cut(0, at, rule)] if at else []
        if at == len(data):
            return cuts
        side.within = None
    known, before = side.tail + data[at:], at - len(side.tail)
    while matches := [(found, rule, ends) for begins, rule, ends in side.rules if (found := begins.search(known))]:
        found, rule, ends_with = min(matches, key=lambda each: each[0].end())
        first = before + found.end()
        end = _end(data, first, ends_with)
        cuts += [Cut(first, end - first, rule)] if end > first else []
        known, before = data[end:], end
        if end == len(data):
            side.within = rule, ends_with
            break
    side.tail = known[-_TAIL:]
    return cuts


def _end(data: bytes, first: int, ends_with: re.Pattern[bytes]) -> int:
    """Where a secret that goes on at ``first`` ends, as far as it is here."""
    found = ends_with.search(data, first)
    return found.start() if found else len(data)
