# SPDX-License-Identifier: Apache-2.0
"""Objects (annex A): how many octets each variation has, and the value that it holds."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from struct import Struct
from typing import Any, NamedTuple

from portineria.protocols.operation import Value

CONTROL_BLOCK, PATTERN_BLOCK, PATTERN_MASK = (12, 1), (12, 2), (12, 3)
ATTRIBUTE, CLASS, FILE, INDICATION, TERMINAL, AUTHENTICATION = 0, 60, 70, 80, 112, 120
TIME_GROUP, DEADBAND, SETPOINT = 50, 34, 41
OPERATIONS = ("nul", "pulse-on", "pulse-off", "latch-on", "latch-off")  # A.8.1: what a control does
TRIPS = ("", "close", "trip", "trip-close")
STATUSES = {  # A.8.1: of an echoed control
    1: "timeout",
    2: "no select",
    3: "format error",
    4: "not supported",
    5: "already active",
    6: "hardware error",
    7: "local",
    8: "too many objects",
    9: "not authorized",
    10: "automation inhibit",
    11: "processing limited",
    12: "out of range",
    13: "downstream local",
    14: "already complete",
    15: "blocked",
    16: "cancelled",
    17: "blocked, other master",
    18: "downstream failure",
    126: "non-participating",
}
NOT_AUTHORIZED = 9
AREAS = {
    0: "attribute",
    1: "binary-input",
    2: "binary-input",
    3: "double-bit-input",
    4: "double-bit-input",
    10: "binary-output",
    11: "binary-output",
    12: "binary-output",
    13: "binary-output",
    20: "counter",
    21: "frozen-counter",
    22: "counter",
    23: "frozen-counter",
    30: "analog-input",
    31: "frozen-analog-input",
    32: "analog-input",
    33: "frozen-analog-input",
    34: "deadband",
    40: "analog-output",
    41: "analog-output",
    42: "analog-output",
    43: "analog-output",
    50: "time",
    51: "time",
    52: "delay",
    60: "class",
    70: "file",
    80: "indication",
    81: "device-storage",
    82: "device-profile",
    83: "private",
    85: "data-set-prototype",
    86: "data-set",
    87: "data-set",
    88: "data-set",
    90: "application",
    91: "configuration",
    101: "bcd",
    102: "octet",
    110: "string",
    111: "string",
    112: "terminal",
    113: "terminal",
    120: "authentication",
    121: "security-statistic",
    122: "security-statistic",
}
EVENTS = frozenset({2, 4, 11, 13, 22, 23, 32, 33, 42, 43, 88, 111, 113, 122})
STRINGS = frozenset({110, 111, 112, 113})  # the variation is the number of octets: A.41 to A.44
TERMINALS = frozenset({112, 113})  # A.43 and A.44: what a virtual terminal is told, and tells


class Form(NamedTuple):
    """``bits``: of a packed object, then nothing else counts; 0: whole octets, read by ``layout``."""

    bits: int
    layout: Struct
    read: Callable[[Any], Value]


def _plain(number: Value) -> Value:
    return number


def _state(flags: int) -> bool:
    return bool(flags & 0x80)


def _double(flags: int) -> int:
    return flags >> 6


def clock(octets: bytes) -> Value:
    """Milliseconds since 1970 (11.3.5) as ISO 8601; later than a calendar goes, as they are."""
    milliseconds = int.from_bytes(octets, "little")
    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return milliseconds
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + f".{milliseconds % 1000:03}"


def _control(octets: bytes) -> str:
    """ "close pulse-on, 1 x 100/200 ms": how often, how long on and how long off."""
    code, count = octets[0], octets[1]
    what = OPERATIONS[code & 15] if code & 15 < len(OPERATIONS) else f"code-{code & 15}"
    words = [TRIPS[code >> 6], what, "queued" if code & 0x10 else "", "clear" if code & 0x20 else ""]
    said = " ".join(word for word in words if word)
    on, off = int.from_bytes(octets[2:6], "little"), int.from_bytes(octets[6:10], "little")
    return said if count == 1 and code & 15 in (3, 4) else f"{said}, {count} x {on}/{off} ms"


def _form(layout: str, read: Callable[[Any], Value] = _plain) -> Form:
    return Form(0, Struct("<" + layout), read)


def _packed(bits: int) -> Form:
    return Form(bits, Struct(""), bool if bits == 1 else _plain)


def _group(group: int, layouts: str, read: Callable[[Any], Value] = _plain) -> dict[tuple[int, int], Form]:
    """Variations from 1 on. In a layout ``x`` is what is no value: flags before it, status or time after it."""
    return {(group, place): _form(each, read) for place, each in enumerate(layouts.split(), 1)}


_EVENTS = "xi xh xi6x xh6x xf xd xf6x xd6x"
FORMS: dict[tuple[int, int], Form] = {
    (1, 1): _packed(1),
    (1, 2): _form("B", _state),
    **_group(2, "B B6x B2x", _state),
    (3, 1): _packed(2),
    (3, 2): _form("B", _double),
    **_group(4, "B B6x B2x", _double),
    (10, 1): _packed(1),
    (10, 2): _form("B", _state),
    **_group(11, "B B6x", _state),
    **_group(12, "11s 11s", _control),
    PATTERN_MASK: _packed(1),
    **_group(13, "B B6x", _state),
    **_group(20, "xI xH xI xH I H I H"),
    **_group(21, "xI xH xI xH xI6x xH6x xI6x xH6x I H I H"),
    **_group(22, "xI xH xI xH xI6x xH6x xI6x xH6x"),
    **_group(23, "xI xH xI xH xI6x xH6x xI6x xH6x"),
    **_group(30, "xi xh i h xf xd"),
    **_group(31, "xi xh xi6x xh6x i h xf xd"),
    **_group(32, _EVENTS),
    **_group(33, _EVENTS),
    **_group(34, "H I f"),
    **_group(40, "xi xh xf xd"),
    **_group(41, "ix hx fx dx"),
    **_group(42, _EVENTS),
    **_group(43, _EVENTS),
    **_group(50, "6s 6s4x 6s 6s5x", clock),
    **_group(51, "6s 6s", clock),
    **_group(52, "H H"),
    (80, 1): _packed(1),
    (81, 1): _form("B2x"),
    **_group(101, "2s 4s 8s"),
    (102, 1): _form("B"),
    (120, 3): _form("I2x"),
    (120, 4): _form("H"),
    (121, 1): _form("3xI"),
    **_group(122, "3xI 3xI6x"),
}


def form(group: int, variation: int) -> Form | None:
    if group in STRINGS and variation:
        return _form(f"{variation}s", len if group in TERMINALS else _plain)  # what is typed may be a password
    return FORMS.get((group, variation))
