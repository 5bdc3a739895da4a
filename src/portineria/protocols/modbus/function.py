# SPDX-License-Identifier: Apache-2.0
"""Every function code that is known: how its requests and answers are read. ``listed`` says the clauses."""

from dataclasses import dataclass

from portineria.protocols.inspection import FunctionInfo
from portineria.protocols.modbus import data_access as data
from portineria.protocols.modbus import file_record, mei, serial_line, umas
from portineria.protocols.modbus.frame import LONGEST, LONGEST_UMAS
from portineria.protocols.operation import Kind, Operation

LAST_FUNCTION = 127  # AP 4.1: 128 to 255 are for exceptions


@dataclass(frozen=True, slots=True)
class Function:
    """``sizes``: of a request's PDU, shortest and longest."""

    request: data.RequestReader
    answer: data.AnswerReader
    sizes: tuple[int, int] = (1, LONGEST - 1)


def _reads(name: str, code: int, area: str, most: int, answer: data.AnswerReader) -> Function:
    return Function(data.reads(name, str(code), area, most), answer, (5, 5))


def _bare(name: str, code: int, kind: Kind, answer: data.AnswerReader) -> Function:
    return Function(serial_line.bare(name, str(code), kind), answer, (1, 1))


FUNCTIONS = {
    1: _reads("read-coils", 1, "coil", data.MOST_BITS_READ, data.bits_read),
    2: _reads("read-discrete-inputs", 2, "discrete", data.MOST_BITS_READ, data.bits_read),
    3: _reads("read-holding-registers", 3, "holding", data.MOST_REGISTERS_READ, data.registers_read),
    4: _reads("read-input-registers", 4, "input", data.MOST_REGISTERS_READ, data.registers_read),
    5: Function(data.write_coil, data.echoed, (5, 5)),
    6: Function(data.write_register, data.echoed, (5, 5)),
    7: _bare("read-exception-status", 7, Kind.READ, serial_line.exception_status),
    8: Function(serial_line.diagnose, serial_line.diagnosed, (3, LONGEST - 1)),
    11: _bare("read-event-counter", 11, Kind.DIAGNOSTIC, serial_line.event_counter),
    12: _bare("read-event-log", 12, Kind.DIAGNOSTIC, serial_line.event_log),
    15: Function(data.write_coils, data.range_echoed, (7, 6 + data.MOST_BITS_WRITTEN // 8)),
    16: Function(data.write_registers, data.range_echoed, (8, 6 + data.MOST_REGISTERS_WRITTEN * 2)),
    17: _bare("report-server-id", 17, Kind.IDENTIFY, serial_line.server_id),
    20: Function(file_record.read_records, file_record.records_read, (9, 2 + file_record.MOST_READ)),
    21: Function(file_record.write_records, data.echoed, (11, 2 + file_record.MOST_WRITTEN)),
    22: Function(data.mask_register, data.echoed, (7, 7)),
    23: Function(data.write_and_read, data.registers_read_after_write, (12, 10 + data.MOST_WRITTEN_WHEN_READING * 2)),
    24: Function(data.read_queue, data.queue_read, (3, 3)),
    43: Function(mei.ask, mei.told, (2, LONGEST - 1)),
    90: Function(umas.ask, umas.told, (3, LONGEST_UMAS - 1)),
}


def unknown(pdu: bytes, route: data.Route) -> tuple[Operation, ...]:
    """A function of a vendor's (AP 5: 65 to 72, 100 to 110), reserved, or of another time: of any length."""
    return (Operation("modbus", "unknown", str(pdu[0]), Kind.UNKNOWN, (), (), route),)


def anything(_operations: tuple[Operation, ...], _asked: bytes, _pdu: bytes) -> data.Values:
    return ()


UNKNOWN = Function(unknown, anything)

_SINGLE = (
    ("read-coils", "1", Kind.READ, "AP 6.1"),
    ("read-discrete-inputs", "2", Kind.READ, "AP 6.2"),
    ("read-holding-registers", "3", Kind.READ, "AP 6.3"),
    ("read-input-registers", "4", Kind.READ, "AP 6.4"),
    ("write-single-coil", "5", Kind.WRITE, "AP 6.5"),
    ("write-single-register", "6", Kind.WRITE, "AP 6.6"),
    ("read-exception-status", "7", Kind.READ, "AP 6.7"),
    ("read-event-counter", "11", Kind.DIAGNOSTIC, "AP 6.9"),
    ("read-event-log", "12", Kind.DIAGNOSTIC, "AP 6.10"),
    ("write-multiple-coils", "15", Kind.WRITE, "AP 6.11"),
    ("write-multiple-registers", "16", Kind.WRITE, "AP 6.12"),
    ("report-server-id", "17", Kind.IDENTIFY, "AP 6.13"),
    ("read-file-record", "20", Kind.READ, "AP 6.14"),
    ("write-file-record", "21", Kind.WRITE, "AP 6.15"),
    ("mask-write-register", "22", Kind.WRITE, "AP 6.16"),
    ("read-write-registers", "23", Kind.WRITE, "AP 6.17"),
    ("read-after-write", "23", Kind.READ, "AP 6.17"),
    ("read-fifo-queue", "24", Kind.READ, "AP 6.18"),
    ("canopen-general-reference", "43/13", Kind.UNKNOWN, "AP 6.20"),
    ("read-device-identification", "43/14", Kind.IDENTIFY, "AP 6.21"),
)


def listed() -> tuple[FunctionInfo, ...]:
    """All that have a name, in the order of their codes."""
    single = [FunctionInfo(*row) for row in _SINGLE]
    diagnostics = [
        FunctionInfo(name, f"8/{sub}", kind, "AP 6.8.1") for sub, (name, kind) in serial_line.DIAGNOSTICS.items()
    ]
    programming = [
        FunctionInfo(name, f"90/{sub:#04x}", kind, "public write-ups") for sub, (name, kind) in umas.FUNCTIONS.items()
    ]
    return (*single[:7], *diagnostics, *single[7:], *programming)
