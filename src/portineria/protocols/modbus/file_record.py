# SPDX-License-Identifier: Apache-2.0
"""Records of files, in groups: AP 6.14 and 6.15. A file is extended memory of the process, not a document."""

from collections.abc import Iterator
from struct import unpack_from

from portineria.protocols.modbus.data_access import Route, Values, registers
from portineria.protocols.modbus.frame import BadModbus
from portineria.protocols.operation import Kind, Operation, Target, Value

GROUP = 7  # reference type, file 2, record 2, length 2
REFERENCE_TYPE = 6
FEWEST_READ, MOST_READ = 0x07, 0xF5  # bytes of a request: AP 6.14
FEWEST_WRITTEN, MOST_WRITTEN = 0x09, 0xFB  # AP 6.15
LAST_RECORD = 0x270F


def read_records(pdu: bytes, route: Route) -> tuple[Operation, ...]:
    size = _size(pdu, FEWEST_READ, MOST_READ)
    if size % GROUP:
        raise BadModbus(f"{size} bytes are no whole groups (AP 6.14)")
    targets = tuple(_group(pdu, at) for at in range(2, len(pdu), GROUP))
    if sum(2 + 2 * target.count for target in targets) > MOST_READ:
        raise BadModbus("more records than one answer holds (AP 6.14)")
    return (Operation("modbus", "read-file-record", "20", Kind.READ, targets, (), route),)


def write_records(pdu: bytes, route: Route) -> tuple[Operation, ...]:
    _size(pdu, FEWEST_WRITTEN, MOST_WRITTEN)
    targets, values, at = list[Target](), list[Value](), 2
    while at < len(pdu):
        target = _group(pdu, at)
        after = at + GROUP + 2 * target.count
        if after > len(pdu):
            raise BadModbus(f"a record of {target.count} reaches beyond its message (AP 6.15)")
        targets.append(target)
        values += registers(pdu[at + GROUP : after])
        at = after
    return (Operation("modbus", "write-file-record", "21", Kind.WRITE, tuple(targets), tuple(values), route),)


def records_read(operations: tuple[Operation, ...], _asked: bytes, pdu: bytes) -> Values:
    values = list[Value]()
    targets = iter(operations[0].targets)
    for record in _records(pdu):
        target = next(targets, None)
        if target is None or len(record) != 2 * target.count:
            raise BadModbus("other records than were asked for (AP 6.14)")
        values += registers(record)
    if next(targets, None) is not None:
        raise BadModbus("fewer records than were asked for (AP 6.14)")
    return (tuple(values),)


def _records(pdu: bytes) -> Iterator[bytes]:
    _size(pdu, FEWEST_READ, MOST_READ)
    at = 2
    while at + 2 <= len(pdu):
        size, kind = pdu[at], pdu[at + 1]
        if kind != REFERENCE_TYPE or at + 1 + size > len(pdu) or size < 1:
            raise BadModbus(f"a record of {size} bytes and type {kind} (AP 6.14)")
        yield pdu[at + 2 : at + 1 + size]
        at += 1 + size
    if at != len(pdu):
        raise BadModbus("a byte after the last record (AP 6.14)")


def _size(pdu: bytes, fewest: int, most: int) -> int:
    size = len(pdu) - 2
    if not fewest <= size <= most or pdu[1] != size:
        raise BadModbus(f"function {pdu[0]} with {size} bytes of records, not {fewest} to {most} and counted so")
    return size


def _group(pdu: bytes, at: int) -> Target:
    if at + GROUP > len(pdu):
        raise BadModbus("an incomplete group (AP 6.14)")
    kind, file, record, count = unpack_from(">BHHH", pdu, at)
    if kind != REFERENCE_TYPE or not file or record + count > LAST_RECORD + 1 or not count:
        raise BadModbus(f"type {kind}, file {file}, {count} from record {record} (AP 6.14)")
    return Target(f"file {file}", record, count)
