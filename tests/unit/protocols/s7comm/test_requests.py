# SPDX-License-Identifier: Apache-2.0
"""What each request is read as."""

from __future__ import annotations

import pytest

from portineria.protocols.operation import Kind, Target, Value
from portineria.protocols.s7comm import INFO
from portineria.protocols.s7comm.errors import BadS7
from tests.unit.protocols.s7comm.conversation import ask, converse, job, opened, operation, packet, told, userdata

Read = tuple[str, Kind, tuple[Target, ...], tuple[Value, ...]]


def read(sent: bytes) -> Read:
    found = operation(sent)
    return found.function, found.kind, found.targets, found.values


@pytest.mark.parametrize(
    ("item", "target"),
    [
        ("1002 0004 0005 84 000050", Target("db 5", 10, 4)),
        ("1004 0002 0005 84 000050", Target("db 5", 10, 4)),
        ("1008 0003 0005 84 000050", Target("db 5", 10, 12)),
        ("1001 0001 0005 84 000053", Target("db 5", 10, 1, "bit 3")),
        ("1001 0009 0000 83 000056", Target("flags", 10, 2, "9 bits from bit 6")),
        ("1002 0001 0000 81 ffffF8", Target("inputs", 0x1FFFFF)),
        ("1002 0001 0009 85 000000", Target("di 9", 0)),
        ("101d 0008 0000 1d 000003", Target("timers", 3, 8)),
        ("101c 0001 0000 1c 000003", Target("counters", 3)),
        ("8241 0002 0003 12 04", Target("nck c1", 3, 4, "module 0x12 column 2")),
        ("b2ff 8a0e 0001 12345678 20000009", Target("symbol", name="db 1 12345678 2:9")),
        ("b2ff 0000 0052 12345678 20000009", Target("symbol", name="flags 12345678 2:9")),
    ],
)
def test_an_address_is_read(item: str, target: Target) -> None:
    size = len(bytes.fromhex(item))
    assert read(job(f"0401 12{size:02x} {item}")) == ("read-variable", Kind.READ, (target,), ())


def test_an_item_may_name_several_places_of_data_blocks() -> None:
    targets = (Target("db 74", 0x6C, 2), Target("db 76", 0x194, 4))
    assert read(job("0401 120c b0 02 02004a006c 04004c0194")) == ("read-variable", Kind.READ, targets, ())


@pytest.mark.parametrize(
    ("item", "route"),
    [
        ("a2 010203", ("drive 010203",)),
        ("11 010203", ()),
        ("10 02 0001 0005 99 000000", ()),
        ("10 33 0001 0005 84 000000", ()),
    ],
)
def test_what_is_not_understood_is_never_a_read(item: str, route: tuple[str, ...]) -> None:
    found = operation(job(f"0401 12{len(bytes.fromhex(item)):02x} {item}"))
    assert (found.kind, found.route) == (Kind.UNKNOWN, route)


@pytest.mark.parametrize(
    ("item", "data", "values"),
    [
        ("1001 0001 0005 84 000053", "0003 0001 01", (True,)),
        ("1002 0002 0005 84 000050", "0004 0010 00b4", (b"\x00\xb4",)),
        ("1004 0001 0005 84 000050", "0004 0010 ffff", (0xFFFF,)),
        ("1005 0002 0005 84 000050", "0005 0020 ffff0001", (-1, 1)),
        ("1006 0001 0005 84 000050", "0004 0020 ffffffff", (0xFFFFFFFF,)),
        ("1007 0001 0005 84 000050", "0005 0020 ffffffff", (-1,)),
        ("1008 0001 0005 84 000050", "0007 0004 3fc00000", (1.5,)),
        ("100f 0001 0005 84 000050", "0009 0008 2608231145120000", (bytes.fromhex("2608231145120000"),)),
        ("101c 0001 0000 1c 000003", "0009 0002 0900", (0x0900,)),
    ],
)
def test_what_is_written_is_read_as_its_type(item: str, data: str, values: tuple[Value, ...]) -> None:
    function, kind, _, found = read(job(f"0501 120a {item}", data))
    assert (function, kind, found) == ("write-variable", Kind.WRITE, values)


def test_a_write_of_several_items_is_several_operations() -> None:
    items = "120a 1002 0001 0005 84 000000  120a 1005 0001 0006 84 000010"
    request = ask(job(f"0502 {items}", "0004 0008 0700  0005 0010 0102"))  # 00: fill byte
    assert [(each.targets[0], each.values) for each in request.operations] == [
        (Target("db 5", 0), (b"\7",)),
        (Target("db 6", 2, 2), (0x0102,)),
    ]


BYTE = "120a 1002 0001 0005 84 000000"


@pytest.mark.parametrize(
    ("parameter", "data"),
    [
        ("", ""),
        ("04", ""),
        ("0400", ""),
        (f"0402 {BYTE}", ""),
        (f"0401 {BYTE} 00", ""),
        (f"0401 {BYTE}", "00"),
        ("0401 120b 1002 0001 0005 84 00000000", ""),
        ("0401 130a 1002 0001 0005 84 000000", ""),
        ("0401 120a 1002 0001 0005 84 000001", ""),  # a byte at a bit
        ("0401 120a 1002 0000 0005 84 000000", ""),
        ("0401 120a 101d 0001 0005 84 000000", ""),  # a timer in a data block
        ("0401 120a 1002 0001 0000 1d 000000", ""),  # a byte of the timers
        (f"0501 {BYTE}", ""),
        (f"0501 {BYTE}", "0004 0010 0102"),  # longer than addressed
        (f"0501 {BYTE}", "0004 0008 01 00"),  # fill byte after the last
        (f"0501 {BYTE}", "0004 0004 01"),  # half a byte
        (f"0501 {BYTE}", "0008 0001 01"),
        (f"0501 {BYTE}", "0004 0010 01"),
        ("0501 120a 1001 0002 0005 84 000000", "0003 0002 03"),
        ("f00000010001", ""),
        ("290000000000", ""),
        ("290000000000 09 505f50524f4752414d 00", ""),
        ("290000000000 09 505f50524f4752414d", "00"),
        ("1e000000000000", ""),
        ("1a00010000000000 09 5f30413030303031500d31303030303530303030303478", ""),
        ("1b00000000000000 09 5f3041303030303150 00", ""),
    ],
)
def test_a_job_must_add_up(parameter: str, data: str) -> None:
    with pytest.raises(BadS7):
        ask(job(parameter, data))


BLOCK = (Target("block", name="db 1"),)


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        ("f00000010001 00f0", ("setup-communication", Kind.SESSION, (), ())),
        (
            "1a00010000000000 09 5f3041303030303150 0d 31303030303530303030303430",
            ("request-download", Kind.PROGRAM_WRITE, BLOCK, (50, 40)),
        ),
        ("1d00000000000000 09 5f3041303030303141", ("start-upload", Kind.PROGRAM_READ, BLOCK, ())),
        ("1e00000000000007", ("upload", Kind.PROGRAM_READ, (), ())),
        ("1f00000000000007", ("end-upload", Kind.PROGRAM_READ, (), ())),
        ("290000000000 09 505f50524f4752414d", ("plc-stop", Kind.STOP, (Target("program", name="P_PROGRAM"),), ())),
        ("28000000000000fd 0000 09 505f50524f4752414d", ("plc-warm-start", Kind.START, (), ())),
        ("28000000000000fd 0002 4320 09 505f50524f4752414d", ("plc-cold-start", Kind.START, (), ())),
        ("28000000000000fd 0002 4550 05 5f4d4f4455", ("copy-ram-to-rom", Kind.PROGRAM_WRITE, (), ())),
        ("28000000000000fd 0000 05 5f47415242", ("compress-memory", Kind.PROGRAM_WRITE, (), ())),
        (
            "28000000000000fd 000a 0100 3041303030303150 05 5f494e5345",
            ("activate-block", Kind.PROGRAM_WRITE, BLOCK, ()),
        ),
        ("28000000000000fd 000a 0100 3041303030303142 05 5f44454c45", ("delete-block", Kind.PROGRAM_WRITE, BLOCK, ())),
        ("28000000000000fd 0002 4551 05 5f4d4f4455", ("pi-service", Kind.UNKNOWN, (), (b"EQ",))),
        ("28000000000000fd 0000 08 5f4e5f53454c4543", ("pi-service", Kind.UNKNOWN, (), (b"",))),
        ("28000000000000fd 0000 05 5f44454c45", ("pi-service", Kind.UNKNOWN, (), (b"",))),
        ("2800", ("pi-service", Kind.UNKNOWN, (), (b"\x28\0",))),
        ("ab", ("unknown", Kind.UNKNOWN, (), ())),
    ],
)
def test_each_job_has_its_kind(parameter: str, expected: Read) -> None:
    assert read(job(parameter)) == expected


@pytest.mark.parametrize(
    ("group", "function", "payload", "expected"),
    [
        (4, 1, "00110000", ("read-szl", Kind.IDENTIFY, (Target("szl 0x0011", 0),), ())),
        (4, 1, "01310003", ("read-szl", Kind.IDENTIFY, (Target("szl 0x0131", 3),), ())),
        (4, 1, "04240000", ("read-szl", Kind.DIAGNOSTIC, (Target("szl 0x0424", 0),), ())),
        (4, 2, "0100", ("message-service", Kind.SESSION, (), ())),
        (4, 11, "00", ("alarm-acknowledge", Kind.CONTROL, (), ())),
        (4, 5, "00", ("unknown", Kind.UNKNOWN, (), ())),  # only a station indicates alarms
        (3, 1, "", ("list-blocks", Kind.IDENTIFY, (), ())),
        (3, 2, "3041", ("list-blocks-of-type", Kind.IDENTIFY, (Target("block", name="db"),), ())),
        (3, 3, "3041303030303141", ("block-info", Kind.IDENTIFY, BLOCK, ())),
        (5, 1, "213a1b1d6e681b1d", ("plc-password", Kind.MODE, (), ())),  # the password is not told
        (5, 2, "", ("clear-password", Kind.MODE, (), ())),
        (7, 1, "", ("read-clock", Kind.READ, (), ())),
        (7, 2, "00192608231145120001", ("set-clock", Kind.TIME, (), ("2026-08-23 11:45:12",))),
        (7, 2, "0019160a082310000002", ("set-clock", Kind.TIME, (), (bytes.fromhex("0019160a082310000002"),))),
        (2, 1, "000101021201b0", ("", Kind.UNKNOWN, (), ())),
        (2, 1, "00010102120a1002000400058400000000"[:32], ("cyclic-read", Kind.READ, (Target("db 5", 0, 4),), ())),
        (2, 4, "0501", ("cyclic-end", Kind.SESSION, (), ())),
        (1, 8, "00", ("modify-variable", Kind.WRITE, (), ())),
        (1, 9, "00", ("force", Kind.CONTROL, (), ())),
        (1, 22, "00", ("flash-led", Kind.CONTROL, (), ())),
        (1, 12, "00", ("memory-reset", Kind.PROGRAM_WRITE, (), ())),
        (0x3F, 1, "00", ("nc-request-download", Kind.FILE, (), ())),
        (0x21, 9, "00", ("unknown", Kind.UNKNOWN, (), ())),
    ],
)
def test_each_function_of_userdata_has_its_kind(group: int, function: int, payload: str, expected: Read) -> None:
    if not expected[0]:
        (found,) = ask(userdata(group, function, payload)).operations
        assert found.kind == expected[1]
        return
    assert read(userdata(group, function, payload)) == expected


@pytest.mark.parametrize("kind", [0x00, 0x80])
def test_a_client_that_says_it_answers_is_not_believed(kind: int) -> None:
    """Some stations look only at the group: set the clock by an "answer"."""
    found = ask(userdata(7, 2, "00192608231145120001", kind=kind))
    assert (found.operations[0].kind, found.expects_answer) == (Kind.UNKNOWN, False)


def test_record_routing_leads_behind_the_station() -> None:
    found = operation(userdata(0x20, 1, "00"))
    assert (found.kind, found.route) == (Kind.UNKNOWN, ("field bus",))


def test_a_continued_list_is_the_list_that_was_begun() -> None:
    inspection = opened()
    more = "000112081284010300010000"  # sequence 3, more follows
    converse(inspection, userdata(4, 1, "00110000"), packet(_answer(more)))
    (request,) = inspection.from_client(packet(_asked("0001120812440103" + "00000000")))
    assert request.operations[0].targets == (Target("szl 0x0011", 0),)
    assert request.operations[0].kind == Kind.IDENTIFY
    (other,) = inspection.from_client(packet(_asked("0001120812440104" + "00000000")))
    assert other.operations[0].kind == Kind.DIAGNOSTIC


def _answer(parameter: str) -> bytes:
    return bytes.fromhex("32070000 0007 000c 0006" + parameter + "ff0900020102")


def _asked(parameter: str) -> bytes:
    return bytes.fromhex("32070000 0008 000c 0004" + parameter + "0a000000")


def test_an_upload_is_of_the_block_that_was_begun() -> None:
    inspection = opened()
    begin = job("1d00000000000000 09 5f3041303030303141")
    converse(inspection, begin, told("1d00010000000007 07 30303030323136"))
    request, answer = converse(inspection, job("1e00000000000007"), told("1e00", "0002 00fb 0102"))
    assert request.operations[0].targets == BLOCK
    assert answer.values == ((bytes.fromhex("000200fb0102"),),)


def test_s7comm_plus_is_recognised_and_unknown() -> None:
    inspection = opened()
    (request,) = inspection.from_client(packet(bytes.fromhex("72010020") + bytes(40)))
    assert (request.operations[0].function, request.operations[0].kind) == ("s7comm-plus", Kind.UNKNOWN)
    assert inspection.refuse(request).to_client == b""


@pytest.mark.parametrize(
    "wrong",
    [
        "3201000000070000000000",
        "320300000007000200000000 1b00 ab",  # a byte more than the header says
        "32040000000700000000",
        "32010001000700000000",
        "33010000000700000000",
        "320300000007000000",
        "320700000007000800000001120411440100"[:30],
        "32070000000700080004000112041344010000000000",
        "3207000000070008000400011204114401000a000001",
    ],
)
def test_a_message_must_add_up(wrong: str) -> None:
    with pytest.raises(BadS7):
        ask(packet(bytes.fromhex(wrong)))


def test_every_function_has_one_name_and_one_kind() -> None:
    assert len({each.name for each in INFO.functions}) == len(INFO.functions) > 80
