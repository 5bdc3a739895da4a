# SPDX-License-Identifier: Apache-2.0
"""What is asked, what is told, and what is impossible."""

from __future__ import annotations

import pytest

from portineria.protocols.dnp3 import INFO
from portineria.protocols.dnp3.link import BadDnp3, check, frame
from portineria.protocols.dnp3.transport import cut
from portineria.protocols.operation import Kind
from tests.unit.protocols.dnp3.conversation import (
    ASKS,
    CROB,
    MASTER,
    OUTSTATION,
    READ,
    answer,
    ask,
    asks,
    one,
    tells,
)

TIME = "8b4d6e7c9b01"
SETPOINT = "290328 0100 0700 0000c842 00"  # 100.0, analog output 7
NAME = "1a00 0800 000000000000 ff01 00000000 00000000 {mode} 0004 0100 6c6f67732f612e62"  # logs/a.b
FILE = "46035b 01 2200 " + NAME
# Request, then of each of its operations: function, kind, targets, values.
ASKED: list[tuple[str, list[tuple[str, Kind, list[str], tuple[object, ...]]]]] = [
    ("c1 00", [("confirm", Kind.SESSION, [], ())]),
    (READ, [("read", Kind.READ, ["class 1", "class 2", "class 3", "class 0"], ())]),
    ("c0 01 1e0500 0a13", [("read", Kind.READ, ["analog-input 10-19"], ())]),
    ("c0 01 1e0001 0a00 1300", [("read", Kind.READ, ["analog-input 10-19"], ())]),
    ("c0 01 010017 03 050607", [("read", Kind.READ, ["binary-input 5-7"], ())]),
    ("c0 01 010028 0200 0500 0901", [("read", Kind.READ, ["binary-input 5", "binary-input 265"], ())]),
    ("c0 01 020006", [("read", Kind.READ, ["binary-input events"], ())]),
    ("c0 01 200207 05", [("read", Kind.READ, ["analog-input events"], ())]),
    (
        "c0 01 00fe00 0000 3c0106",
        [("read-attributes", Kind.IDENTIFY, ["attribute 254"], ()), ("read", Kind.READ, ["class 0"], ())],
    ),
    ("c0 01 46055b 01 0800 01000000 00000000", [("read-file", Kind.FILE, ["file-handle 1"], ())]),
    (f"c0 02 320107 01 {TIME}", [("set-clock", Kind.TIME, ["time"], ("2026-01-02T01:59:22.251",))]),
    ("c0 02 500100 0707 00", [("clear-restart", Kind.SESSION, ["indication 7"], (False,))]),
    ("c0 02 500100 0707 01", [("write-indication", Kind.MODE, ["indication 7"], (True,))]),
    ("c0 02 500100 0607 00", [("write-indication", Kind.MODE, ["indication 6-7"], (False, False))]),
    ("c0 02 0a0100 0003 05", [("write", Kind.WRITE, ["binary-output 0-3"], (True, False, True, False))]),
    ("c0 02 220117 01 04 1400", [("set-deadband", Kind.PROGRAM_WRITE, ["deadband 4"], (20,))]),
    ("c0 02 6e0300 0202 616263", [("write", Kind.WRITE, ["string 2"], (b"abc",))]),
    ("c0 02 700300 0202 616263", [("write-terminal", Kind.UNKNOWN, ["terminal 2"], (3,))]),
    (f"c0 03 {CROB}", [("binary-select", Kind.CONTROL, ["binary-output 3"], ("latch-on",))]),
    (f"c1 04 {CROB}", [("binary-operate", Kind.CONTROL, ["binary-output 3"], ("latch-on",))]),
    (f"c0 05 {CROB}", [("binary-direct-operate", Kind.CONTROL, ["binary-output 3"], ("latch-on",))]),
    (f"c0 06 {CROB}", [("binary-direct-operate-unanswered", Kind.CONTROL, ["binary-output 3"], ("latch-on",))]),
    (
        "c0 05 0c0117 02 00 41 02 64000000 c8000000 00 09 82 01 00000000 00000000 00",
        [
            (
                "binary-direct-operate",
                Kind.CONTROL,
                ["binary-output 0", "binary-output 9"],
                ("close pulse-on, 2 x 100/200 ms", "trip pulse-off, 1 x 0/0 ms"),
            )
        ],
    ),
    (
        "c0 05 0c0107 01 03 01 64000000 64000000 00",
        [("unknown-object", Kind.UNKNOWN, ["binary-output"], ("latch-on",))],
    ),
    (f"c0 05 {SETPOINT}", [("analog-direct-operate", Kind.WRITE, ["analog-output 7"], (100.0,))]),
    ("c0 03 290117 01 02 18fcffff 00", [("analog-select", Kind.WRITE, ["analog-output 2"], (-1000,))]),
    ("c0 04 290217 01 02 18fc 00", [("analog-operate", Kind.WRITE, ["analog-output 2"], (-1000,))]),
    (
        f"c0 05 {CROB} {SETPOINT}",
        [
            ("binary-direct-operate", Kind.CONTROL, ["binary-output 3"], ("latch-on",)),
            ("analog-direct-operate", Kind.WRITE, ["analog-output 7"], (100.0,)),
        ],
    ),
    (
        "c0 03 0c0207 01 03 01 64000000 64000000 00 0c0300 0002 05",
        [
            (
                "pattern-select",
                Kind.CONTROL,
                ["binary-output", "binary-output 0-2"],
                ("latch-on", True, False, True),
            )
        ],
    ),
    ("c0 07 140006", [("freeze", Kind.CONTROL, ["counter"], ())]),
    ("c0 0a 140000 0001", [("freeze-and-clear-unanswered", Kind.CONTROL, ["counter 0-1"], ())]),
    (
        f"c0 0b 320207 01 {TIME} 0000000a 140006",
        [("freeze-at-time", Kind.CONTROL, ["time", "counter"], ("2026-01-02T01:59:22.251",))],
    ),
    ("c0 0d", [("cold-restart", Kind.STOP, [], ())]),
    ("c0 0e", [("warm-restart", Kind.STOP, [], ())]),
    ("c0 12 5a015b 01 0300 414243", [("stop-application", Kind.STOP, ["application"], (b"ABC",))]),
    ("c0 14 3c0206 3c0306", [("enable-unsolicited", Kind.MODE, ["class 1", "class 2"], ())]),
    ("c0 15 3c0206", [("disable-unsolicited", Kind.MODE, ["class 1"], ())]),
    ("c0 16 3c0206 1e0000 0003", [("assign-class", Kind.MODE, ["class 1", "analog-input 0-3"], ())]),
    ("c0 17", [("measure-delay", Kind.SESSION, [], ())]),
    ("c0 18", [("record-current-time", Kind.TIME, [], ())]),
    ("c0 19 " + FILE.format(mode="0200"), [("open-file", Kind.FILE, ["file logs/a.b"], ("write",))]),
    ("c0 1b " + FILE.format(mode="0000"), [("delete-file", Kind.FILE, ["file logs/a.b"], ("delete",))]),
    ("c0 1d 46025b 01 0400 70617373", [("authenticate-file", Kind.FILE, ["file"], ())]),
    (
        "c0 02 46055b 01 0a00 07000000 02000080 6869",
        [("write-file", Kind.FILE, ["file-handle 7"], (2, b"hi", "last"))],
    ),
    ("c0 1f 6e085b 01 0200 6162", [("activate-configuration", Kind.PROGRAM_WRITE, ["string"], (b"ab",))]),
    ("c0 20 780407 01 0100", [("authenticate", Kind.SESSION, ["authentication"], (1,))]),
    ("c0 20 78085b 01 0200 0102", [("change-users", Kind.MODE, ["authentication"], ())]),
    ("c0 20 0c0106", [("unknown-object", Kind.UNKNOWN, ["binary-output"], ())]),
    ("c0 22 3c0206", [("unknown", Kind.UNKNOWN, [], (bytes.fromhex("3c0206"),))]),
    ("c0 01 ff0006", [("unknown-object", Kind.UNKNOWN, ["group-255"], ())]),
    ("c0 02 0a0900 0000 00", [("unknown-object", Kind.UNKNOWN, [], (bytes.fromhex("0a0900000000"),))]),
    ("c0 03 3c0206", [("unknown-object", Kind.UNKNOWN, [], (bytes.fromhex("3c0206"),))]),
    ("c0 02", [("unknown-object", Kind.UNKNOWN, [], ())]),
]
# What no master sends: the connection ends.
IMPOSSIBLE = [
    "c0",  # no function
    "80 01 3c0206",  # first, but not final
    "e0 01 3c0206",  # to be confirmed
    "d0 01 3c0206",  # unsolicited
    "c0 81 0000",  # a response
    "c0 01 3c02",  # no qualifier
    "c0 01 1e0500 13 0a",  # points 19 to 10
    "c0 01 1e0501 0a00 13",
    "c0 01 1e0517 03 0102",
    "c0 05 0c0128 0200 0300 03 01 64000000 64000000 00",  # two announced, one there
    "c0 02 500100 0010 00",
    "c0 02 46055b 01 ff00 0102",
    "c0 01 " + "3c0206" * 256,
    "c0 02 0a0101 0000 0010 " + "00" * 513,  # 4097 points
]


@pytest.mark.parametrize(("question", "expected"), ASKED)
def test_each_request_says_what_it_does(
    question: str, expected: list[tuple[str, Kind, list[str], tuple[object, ...]]]
) -> None:
    operations = ask(question)
    found = [(each.function, each.kind, [str(t) for t in each.targets], each.values) for each in operations]
    assert found == expected
    assert all(each.route == ("outstation 10",) and each.code == str(int(question[3:5], 16)) for each in operations)


def test_every_name_that_is_given_is_listed_with_its_kind() -> None:
    listed = {(each.name, each.kind) for each in INFO.functions}
    assert {(name, kind) for _, expected in ASKED for name, kind, *_ in expected} <= listed


@pytest.mark.parametrize("question", IMPOSSIBLE)
def test_what_no_master_sends_ends_the_connection(question: str) -> None:
    data = bytes.fromhex(question)
    with pytest.raises(BadDnp3):
        INFO.begin().from_client(b"".join(cut(data, ASKS, OUTSTATION, MASTER, 0)))


TOLD = [
    ("c0 81 0000 010201 0200 0300 81 01", ["binary-input 2-3"], (True, False)),
    ("c0 81 0000 030100 0002 2d", ["double-bit-input 0-2"], (1, 3, 2)),
    ("c0 81 0000 1e0500 0707 01 0000c842", ["analog-input 7"], (100.0,)),
    ("c0 81 0000 1e0100 0708 01 64000000 01 9cffffff", ["analog-input 7-8"], (100, -100)),
    ("c0 81 0000 140500 0101 0a000000", ["counter 1"], (10,)),
    ("c0 81 9000 20032801000500 01 2a000000 8b4d6e7c9b01", ["analog-input 5"], (42,)),
    ("c0 81 0000 340207 01 1027", ["delay"], (10000,)),
    ("c0 81 0000 00f200 0000 01 05 312e322e33", ["attribute 242"], (b"1.2.3",)),
    ("c0 81 0000 6f0428 0100 0500 61626364", ["string 5"], (b"abcd",)),
    ("f3 82 8000 020117 01 05 81", ["binary-input 5"], (True,)),
]


@pytest.mark.parametrize(("said", "targets", "values"), TOLD)
def test_each_answer_says_what_it_tells(said: str, targets: list[str], values: tuple[object, ...]) -> None:
    found = answer(READ, said)
    (operation,) = found.operations
    assert ([str(each) for each in operation.targets], operation.values) == (targets, values)
    assert (found.error, found.data) == ("", tells(said))
    assert (found.to is None) is (operation.function == "unsolicited-response")


def test_values_of_exactly_what_was_asked_belong_to_the_request() -> None:
    """What else was brought stands for itself; an echo says nothing new."""
    exact = answer("c0 01 1e0500 0707", "c0 81 0000 1e0500 0707 01 0000c842")
    assert (exact.values, exact.operations) == (((100.0,),), ())
    other = answer("c0 01 1e0500 0708", "c0 81 0000 1e0500 0707 01 0000c842")
    assert (other.values, [each.values for each in other.operations]) == ((), [(100.0,)])
    echo = answer(f"c0 05 {CROB}", f"c0 81 0000 {CROB}")
    assert (echo.values, echo.operations) == ((), ())


@pytest.mark.parametrize(
    ("question", "said", "error"),
    [
        ("c0 0d", "c0 81 0001", "IIN2.0: function not supported"),
        (READ, "c0 81 0002", "IIN2.1: object unknown"),
        (READ, "c0 81 0004", "IIN2.2: parameter error"),
        (f"c0 05 {CROB}", f"c0 81 0000 {CROB[:-2]}04", "status 4: not supported"),
        (f"c0 05 {SETPOINT}", f"c0 81 0000 {SETPOINT[:-2]}09", "status 9: not authorized"),
        (
            "c0 19 " + FILE.format(mode="0200"),
            "c0 81 0000 46045b 01 0d00 00000000 00000000 0004 0100 01",
            "file status 1: permission denied",
        ),
    ],
)
def test_the_own_no_of_an_outstation_is_told(question: str, said: str, error: str) -> None:
    assert answer(question, said).error == error


def test_objects_that_cannot_be_read_do_not_end_an_answer() -> None:
    found = answer(READ, "c0 81 0000 fd0100 0000 ffff")
    assert (found.error, found.operations, found.data) == ("", (), tells("c0 81 0000 fd0100 0000 ffff"))


@pytest.mark.parametrize("said", ["c0 81 00", "c0 01 3c0206", "d0 81 0000", "c0 82 0000", "c1 81 0000", "40 81 0000"])
def test_what_no_outstation_says_ends_the_connection(said: str) -> None:
    with pytest.raises(BadDnp3):
        answer(READ, said)


def test_an_outstation_is_a_route_and_all_of_them_another() -> None:
    routes = {}
    for address in (0, 10, 0xFFEF, 0xFFFC, 0xFFFD, 0xFFFE, 0xFFFF):
        request = one(INFO.begin(), asks("c0 0d", to=address))
        routes[address] = request.operations[0].route[0], request.expects_answer
    assert routes == {
        0: ("outstation 0", True),
        10: ("outstation 10", True),
        0xFFEF: ("outstation 65519", True),
        0xFFFC: ("outstation self", True),
        **dict.fromkeys((0xFFFD, 0xFFFE, 0xFFFF), ("every outstation", False)),
    }
    assert INFO.own == (("outstation self",),)
    with pytest.raises(BadDnp3):
        one(INFO.begin(), asks("c0 0d", to=0xFFF3))


def test_the_check_is_that_of_the_standard() -> None:
    """Frames of real captures."""
    for text in ("056408c40a000100fc42", "c1d000a350"):
        data = bytes.fromhex(text)
        assert check(data[:-2]) == data[-2:]


@pytest.mark.parametrize("place", range(29))
def test_an_octet_that_changed_ends_the_connection(place: int) -> None:
    data = bytearray(asks(f"c0 05 {CROB}"))
    data[place] ^= 0x10
    with pytest.raises(BadDnp3):
        INFO.begin().from_client(bytes(data) + bytes(300))


@pytest.mark.parametrize(
    "data",
    [
        frame(0x44, 10, 1, b"\xc0\xc0\x0d"),  # of an outstation
        frame(0xC4, 10, 1),  # data without any
        frame(0xC9, 10, 1, b"\xc0"),  # a service with data
        frame(0xD4, 10, 1, b"\xc0\xc0\x0d"),  # unconfirmed, and counted
        frame(0xC3, 10, 1, b"\xc0\xc0\x0d"),  # confirmed, and not counted
        frame(0xC5, 10, 1),
        frame(0x85, 10, 1),
        frame(0xC4, 10, 1, b"\x80\xc0\x0d"),  # a segment that continues nothing
        frame(0xC4, 10, 1, b"\x40\xc0\x0d") + frame(0xC4, 10, 1, b"\x82\x3c"),  # 0, then 2
        b"".join(frame(0xC4, 10, 1, bytes((place % 64 | (0x40 if not place else 0), 0xC0))) for place in range(66)),
        b"".join(frame(0xC9, address, 1) for address in range(65)),
    ],
)
def test_frames_that_mean_nothing_end_the_connection(data: bytes) -> None:
    with pytest.raises(BadDnp3):
        INFO.begin().from_client(data)
