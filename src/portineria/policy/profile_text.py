# SPDX-License-Identifier: Apache-2.0
"""A clause of a function profile as a person writes it, one line each:

    write on holding 100-119, coil 5 between 0 and 500 at most 2 per 1 s through "unit 3"
    write, control on tag Press.* of cip
    function read-device-identification

First what may be done (kinds, or ``function`` and names), then in any order ``on`` targets, ``between`` limits, ``at
most`` a rate, ``through`` a route (words of one route in quotes, several hops after one another with ``>``), ``of`` a
protocol. A name with spaces stands in quotes.
"""

import re
import shlex

import msgspec

from portineria.policy.function_profile import BadProfile, Clause
from portineria.protocols.operation import Kind

LINE = 2000  # characters
_KEYWORDS = ("on", "between", "at", "through", "of")


def parse_clause(line: str) -> Clause:
    """Raise BadProfile, which names the word that was not understood."""
    parts = _parts(line)
    fields: dict[str, object] = _what(parts.pop(""))
    readers = {"on": _targets, "between": _limits, "at": _rate, "through": _routes, "of": _protocol}
    for keyword, words in parts.items():
        fields |= readers[keyword](words)
    try:
        return msgspec.convert(fields, Clause)
    except msgspec.ValidationError as error:
        raise BadProfile(f"{line[:80]}: {error}") from error


def _parts(line: str) -> dict[str, list[str]]:
    """Keyword → the words behind it; quoted words are never keywords."""
    if len(line) > LINE:
        raise BadProfile(f"a line of {len(line)} characters, allowed {LINE}")
    lexer = shlex.shlex(line)  # not as a shell reads it: quotes stay, and a backslash is one
    lexer.whitespace_split, lexer.commenters, lexer.quotes = True, "", '"'
    try:
        words = list(lexer)
    except ValueError as error:
        raise BadProfile(f"{line[:80]}: a quotation mark is missing") from error
    parts: dict[str, list[str]] = {"": []}
    current = parts[""]
    for word in words:
        if word in _KEYWORDS:
            if word in parts:
                raise BadProfile(f"{word!r} twice")
            current = parts[word] = []
        else:
            current.append(word)
    return parts


def _listed(words: list[str]) -> list[list[str]]:
    """Words apart by commas, without their quotes. Nothing in quotes is nothing, never all there is."""
    found: list[list[str]] = [[]]
    for word in words:
        ends = word.endswith(",")
        word = word.removesuffix(",")
        if word:
            found[-1].append(word[1:-1] if word[0] == word[-1] == '"' else word)
        if ends:
            found.append([])
    return _whole(found)


def _whole(found: list[list[str]]) -> list[list[str]]:
    if not all(part and all(part) for part in found):
        raise BadProfile("a comma too many, or nothing where something belongs")
    return found


def _what(words: list[str]) -> dict[str, object]:
    if words[:1] == ["function"]:
        return {"functions": tuple(" ".join(name) for name in _listed(words[1:]))}
    kinds = [" ".join(name) for name in _listed(words)]
    for kind in kinds:
        if kind not in list(Kind):
            raise BadProfile(f"{kind!r} is no kind of operation: one of {', '.join(Kind)}")
    return {"kinds": tuple(kinds)}


def _targets(words: list[str]) -> dict[str, object]:
    return {"targets": tuple(_place(part) for part in _listed(words))}


def _place(words: list[str]) -> dict[str, object]:
    area, rest = words[0], words[1:]
    if not rest:
        return {"area": area}
    if len(rest) > 1:
        raise BadProfile(f"{' '.join(words)}: a name with spaces stands in quotes")
    first, _, last = rest[0].partition("-")
    if first.isdecimal() and (last or first).isdecimal():
        low, high = _number(first), _number(last or first)
        if low > high:
            raise BadProfile(f"{rest[0]} ends before it begins")
        return {"area": area, "first": low, "last": high}
    return {"area": area, "name": rest[0]}


def _number(text: str) -> int:
    if len(text) > 20:
        raise BadProfile(f"{text[:20]}… is no address")
    return int(text)


def _limits(words: list[str]) -> dict[str, object]:
    match words:
        case [low, "and", high]:
            limits = {"low": _value(low), "high": _value(high)}
        case _:
            raise BadProfile("limits are written: between 0 and 500")
    if not limits["low"] <= limits["high"]:
        raise BadProfile(f"between {low} and {high} lies nothing")
    return dict(limits)


def _value(text: str) -> int | float:
    try:
        return int(text) if re.fullmatch(r"[+-]?[0-9]{1,15}", text) else float(text)
    except ValueError as error:
        raise BadProfile(f"{text[:40]!r} is no number") from error


def _rate(words: list[str]) -> dict[str, object]:
    match words:
        case ["most", times, "per", seconds, "s"] if times.isdecimal() and seconds.isdecimal():
            return {"rate": {"times": _number(times), "seconds": _number(seconds)}}
        case _:
            raise BadProfile("a rate is written: at most 2 per 1 s")


def _routes(words: list[str]) -> dict[str, object]:
    return {"routes": tuple(map(tuple, _whole([[hop for hop in route if hop != ">"] for route in _listed(words)])))}


def _protocol(words: list[str]) -> dict[str, object]:
    match _listed(words):
        case [[protocol]]:
            return {"protocol": protocol}
        case _:
            raise BadProfile("one protocol is written: of modbus")
