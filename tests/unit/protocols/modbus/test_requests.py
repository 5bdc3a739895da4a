# SPDX-License-Identifier: Apache-2.0
"""Each function by the examples of the specification (AP 6.1 to 6.21), and what its clause does not allow."""

from __future__ import annotations

import pytest

from portineria.protocols.inspection import Request
from portineria.protocols.modbus import INFO
from portineria.protocols.modbus.frame import BadModbus
from portineria.protocols.modbus.function import FUNCTIONS
from portineria.protocols.operation import Kind, Operation, Value
from tests.unit.protocols.modbus.conversation import ask, converse, frame

# request, answer, function, kind, targets, values written, values read: PDUs as printed in the specification.
EXAMPLES: list[tuple[str, str, str, Kind, str, tuple[Value, ...], object]] = [
    ("01 0013 0013", "01 03 CD 6B 05", "read-coils", Kind.READ, "coil 19-37", (), "1011001111010110101"),
    (
        "02 00C4 0016",
        "02 03 AC DB 35",
        "read-discrete-inputs",
        Kind.READ,
        "discrete 196-217",
        (),
        "0011010111011011101011",
    ),
    ("03 006B 0003", "03 06 022B 0000 0064", "read-holding-registers", Kind.READ, "holding 107-109", (), (555, 0, 100)),
    ("04 0008 0001", "04 02 000A", "read-input-registers", Kind.READ, "input 8", (), (10,)),
    ("05 00AC FF00", "05 00AC FF00", "write-single-coil", Kind.WRITE, "coil 172", (True,), None),
    ("06 0001 0003", "06 0001 0003", "write-single-register", Kind.WRITE, "holding 1", (3,), None),
    ("07", "07 6D", "read-exception-status", Kind.READ, "", (), "10110110"),
    ("08 0000 A537", "08 0000 A537", "return-query-data", Kind.SESSION, "", (), None),
    ("08 0004 0000", "08 0004 0000", "force-listen-only", Kind.DIAGNOSTIC, "", (), None),
    ("08 000B 0000", "08 000B 0007", "return-bus-message-count", Kind.DIAGNOSTIC, "", (), (7,)),
    ("08 0005 0000", "08 0005 0001 0002", "unknown", Kind.UNKNOWN, "", (), None),
    ("0B", "0B FFFF 0108", "read-event-counter", Kind.DIAGNOSTIC, "", (), (0xFFFF, 264)),
    ("0C", "0C 08 0000 0108 0121 2000", "read-event-log", Kind.DIAGNOSTIC, "", (), (0, 264, 289, b"\x20\x00")),
    (
        "0F 0013 000A 02 CD01",
        "0F 0013 000A",
        "write-multiple-coils",
        Kind.WRITE,
        "coil 19-28",
        (True, False, True, True, False, False, True, True, True, False),
        None,
    ),
    (
        "10 0001 0002 04 000A 0102",
        "10 0001 0002",
        "write-multiple-registers",
        Kind.WRITE,
        "holding 1-2",
        (10, 258),
        None,
    ),
    ("11", "11 04 50 72 FF 31", "report-server-id", Kind.IDENTIFY, "", (), ("Pr\xff1",)),
    (
        "14 0E 06 0004 0001 0002 06 0003 0009 0002",
        "14 0C 05 06 0DFE 0020 05 06 33CD 0040",
        "read-file-record",
        Kind.READ,
        "file 4 1-2, file 3 9-10",
        (),
        (0x0DFE, 0x20, 0x33CD, 0x40),
    ),
    (
        "15 0D 06 0004 0007 0003 06AF 04BE 100D",
        "15 0D 06 0004 0007 0003 06AF 04BE 100D",
        "write-file-record",
        Kind.WRITE,
        "file 4 7-9",
        (0x06AF, 0x04BE, 0x100D),
        None,
    ),
    (
        "16 0004 00F2 0025",
        "16 0004 00F2 0025",
        "mask-write-register",
        Kind.WRITE,
        "holding 4",
        ("and 0x00f2 or 0x0025",),
        None,
    ),
    ("18 04DE", "18 0006 0002 01B8 1284", "read-fifo-queue", Kind.READ, "fifo 1246", (), (440, 4740)),
    (
        "2B 0E 01 00",
        "2B 0E 01 01 00 00 03 00 16" + b"Company identification".hex() + "01 0F" + b"Product code XX".hex() + "02 05"
        "56322E3131",
        "read-device-identification",
        Kind.IDENTIFY,
        "object 0",
        (),
        ("0 Company identification", "1 Product code XX", "2 V2.11"),
    ),
    ("2B 0D 01", "2B 0D 07 07", "canopen-general-reference", Kind.UNKNOWN, "", (), None),
    ("2B 55", "2B 55", "unknown", Kind.UNKNOWN, "", (), None),
    ("41 0102", "41", "unknown", Kind.UNKNOWN, "", (), None),
    ("5A 00 02", "5A 00 FE 10", "umas-read-id", Kind.IDENTIFY, "", (), None),
    ("5A 01 10 0043", "5A 00 FE 01", "umas-reserve", Kind.MODE, "", (), None),
    (
        "5A 00 20 00 1300 64000000 9C00",
        "5A 00 FE 00",
        "umas-read-memory",
        Kind.PROGRAM_READ,
        "memory block 19 100-255",
        (),
        None,
    ),
    (
        "5A 0131 0001 0200 0400 01020304",
        "5A 01 FE",
        "umas-program-write",
        Kind.PROGRAM_WRITE,
        "program block 2",
        (),
        None,
    ),
    ("5A 01 34 0001 0300", "5A 01 FE", "umas-program-read", Kind.PROGRAM_READ, "program block 3", (), None),
    ("5A 01 40 FF00", "5A 01 FE", "umas-start", Kind.START, "", (), None),
    ("5A 01 41 FF00", "5A 01 FE", "umas-stop", Kind.STOP, "", (), None),
    ("5A 01 50 15", "5A 01 FE", "umas-monitor", Kind.UNKNOWN, "", (), None),
    ("5A 01 99", "5A 01 FE", "umas-unknown", Kind.UNKNOWN, "", (), None),
]


def the_one(request: Request) -> Operation:
    (operation,) = request.operations
    return operation


@pytest.mark.parametrize(("asked", "told", "function", "kind", "targets", "written", "read"), EXAMPLES)
def test_an_example_is_read_as_the_specification_means_it(asked, told, function, kind, targets, written, read) -> None:
    request, answer = converse(asked, told)
    operation = the_one(request)
    assert (operation.function, operation.kind, operation.values) == (function, kind, written)
    assert ", ".join(str(target) for target in operation.targets) == targets
    assert operation.route == ("unit 17",)
    assert (answer.to, answer.error) == (request, "")
    bits = tuple(bit == "1" for bit in read) if isinstance(read, str) else read
    assert answer.values == (() if read is None else (bits,))


def test_writing_and_reading_at_once_are_two_operations() -> None:
    """AP 6.17: the write is performed before the read."""
    request, answer = converse("17 0003 0006 000E 0003 06 00FF 00FF 00FF", "17 0C 00FE 0ACD 0001 0003 000D 00FF")
    write, read = request.operations
    assert (write.function, write.kind, str(write.targets[0]), write.values) == (
        "read-write-registers",
        Kind.WRITE,
        "holding 14-16",
        (255, 255, 255),
    )
    assert (read.function, read.kind, str(read.targets[0])) == ("read-after-write", Kind.READ, "holding 3-8")
    values: tuple[Value, ...] = (0xFE, 0xACD, 1, 3, 13, 255)
    assert answer.values == ((), values)


IMPOSSIBLE = [
    "00",
    "81 00",
    "01 0000 0000",
    "01 0000 07D1",
    "01 FFFF 0002",
    "01 0000 0001 00",
    "03 0000 007E",
    "03 0000",
    "05 0001 0001",
    "05 0001 FF",
    "06 0001 0003 00",
    "07 00",
    "08",
    "08 0000 A5",
    "08 0004 0000 0000",
    "0B 00",
    "0F 0013 000A 01 CD",
    "0F 0013 000A 02 CD",
    "0F 0013 000A 02 CD01 00",
    "0F 0000 07B1 F7" + "00" * 247,
    "0F 0000",
    "10 0001 0002 04 000A 01",
    "10 0001 0002 03 000A 01",
    "10 0001 0000 00",
    "10 FFFF 0002 04 000A 0102",
    "14 00",
    "14 07 05 0004 0001 0002",
    "14 07 06 0000 0001 0002",
    "14 07 06 0004 2710 0001",
    "14 07 06 0004 0001 007B",
    "14 08 06 0004 0001 0002 00",
    "15 0D 06 0004 0007 0004 06AF 04BE 100D",
    "15 0E 06 0004 0007 0003 06AF 04BE 100D",
    "15 0E 06 0004 0007 0003 06AF 04BE 100D 00",
    "16 0004 00F2",
    "17 0003 0006 000E 0003 06 00FF 00FF",
    "17 0003 007E 000E 0003 06 00FF 00FF 00FF",
    "17 0003",
    "18 04DE 00",
    "2B",
    "2B 0E 05 00",
    "2B 0E 01 00 00",
    "5A 00",
]


@pytest.mark.parametrize("pdu", IMPOSSIBLE)
def test_what_its_clause_does_not_allow_is_no_request(pdu: str) -> None:
    with pytest.raises(BadModbus):
        ask(pdu)


@pytest.mark.parametrize(
    "raw",
    [
        "0001 0001 0006 11 03 006B 0003",
        "0001 0000 0001 11 03",
        "0001 0000 00FF 11 03",
        "0001 0000 0801 11 5A",
    ],
)
def test_a_header_that_cannot_be_is_refused_at_once(raw: str) -> None:
    """MG 3.1.3; nothing waits for the 34,820 bytes that an attack of the captures promises."""
    with pytest.raises(BadModbus):
        INFO.begin().from_client(bytes.fromhex(raw))
    with pytest.raises(BadModbus):
        INFO.begin().from_device(bytes.fromhex(raw))


def test_umas_may_be_longer_than_modbus() -> None:
    long = "5A 0131 0001 0200 FE03" + "00" * 1022
    assert the_one(ask(long)).function == "umas-program-write"
    with pytest.raises(BadModbus):
        ask("41" + "00" * 254)


def test_every_function_is_listed_as_it_is_decoded() -> None:
    """INFO names what people choose from: a function read as another kind than shown would be a hole."""
    shown = {(function.name, function.code): function.kind for function in INFO.functions}
    examples = [ask(row[0]) for row in EXAMPLES] + [ask("17 0003 0006 000E 0003 06 00FF 00FF 00FF")]
    examples += [ask(f"08 {sub:04x} 0000") for sub in range(30)] + [ask(f"5A 01 {sub:02x}") for sub in range(256)]
    seen = {(each.function, each.code): each.kind for request in examples for each in request.operations}
    named = {key: kind for key, kind in seen.items() if "unknown" not in key[0]}
    assert named == shown
    assert {kind for key, kind in seen.items() if key not in named} == {Kind.UNKNOWN}
    assert {int(code.split("/")[0]) for _, code in shown} == set(FUNCTIONS)


def test_what_nobody_listed_is_unknown() -> None:
    for code in set(range(1, 128)) - set(FUNCTIONS):
        operation = the_one(ask(f"{code:02x} 00"))
        assert (operation.function, operation.kind, operation.code) == ("unknown", Kind.UNKNOWN, str(code))


def test_several_in_one_segment_are_all_seen() -> None:
    read, write = frame("03 006B 0003", 1), frame("06 0001 0003", 2)
    requests = INFO.begin().from_client(read + write + read)
    assert [the_one(request).kind for request in requests] == [Kind.READ, Kind.WRITE, Kind.READ]
