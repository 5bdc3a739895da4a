# SPDX-License-Identifier: Apache-2.0
"""Coils, discrete inputs and registers: AP 6.1 to 6.6, 6.11, 6.12, 6.16, 6.17, 6.18.

A reader of requests gets the PDU and the route; a reader of answers gets the operations and PDU of the request, and
the answer's PDU. Both raise BadModbus for what the clause does not allow.
"""

from collections.abc import Callable
from struct import unpack, unpack_from

from portineria.protocols.modbus.frame import BadModbus
from portineria.protocols.operation import Kind, Operation, Target, Value

Route = tuple[str, ...]
Values = tuple[tuple[Value, ...], ...]
RequestReader = Callable[[bytes, Route], tuple[Operation, ...]]
AnswerReader = Callable[[tuple[Operation, ...], bytes, bytes], Values]

MOST_BITS_READ, MOST_REGISTERS_READ = 2000, 125  # AP 6.1, 6.3
MOST_BITS_WRITTEN, MOST_REGISTERS_WRITTEN = 1968, 123  # AP 6.11, 6.12
MOST_READ_WHEN_WRITING, MOST_WRITTEN_WHEN_READING = 125, 121  # AP 6.17
LONGEST_QUEUE = 31  # AP 6.18
ADDRESSES = 65536  # AP 4.3: two bytes
COIL_ON, COIL_OFF = 0xFF00, 0x0000  # AP 6.5

# The eight bits of each byte, lowest first (AP 6.1): a table, since up to 2000 of them come at once.
BITS = tuple(tuple(bool(byte >> bit & 1) for bit in range(8)) for byte in range(256))


def reads(function: str, code: str, area: str, most: int) -> RequestReader:
    def read(pdu: bytes, route: Route) -> tuple[Operation, ...]:
        sized(pdu, 5)
        first, count = unpack_from(">HH", pdu, 1)
        target = span(area, first, count, most)
        return (Operation("modbus", function, code, Kind.READ, (target,), (), route),)

    return read


def span(area: str, first: int, count: int, most: int) -> Target:
    if not 1 <= count <= most:
        raise BadModbus(f"quantity {count} of {area}, not 1 to {most}")
    if first + count > ADDRESSES:
        raise BadModbus(f"{count} of {area} from {first}: beyond the last address")
    return Target(area, first, count)


def sized(pdu: bytes, wanted: int) -> None:
    if len(pdu) != wanted:
        raise BadModbus(f"function {pdu[0] & 0x7F} in {len(pdu)} bytes, not {wanted}")


def write_coil(pdu: bytes, route: Route) -> tuple[Operation, ...]:
    sized(pdu, 5)
    address, value = unpack_from(">HH", pdu, 1)
    if value not in (COIL_ON, COIL_OFF):
        raise BadModbus(f"coil value {value:#06x}, neither on nor off (AP 6.5)")
    target = Target("coil", address)
    return (Operation("modbus", "write-single-coil", "5", Kind.WRITE, (target,), (value == COIL_ON,), route),)


def write_register(pdu: bytes, route: Route) -> tuple[Operation, ...]:
    sized(pdu, 5)
    address, value = unpack_from(">HH", pdu, 1)
    target = Target("holding", address)
    return (Operation("modbus", "write-single-register", "6", Kind.WRITE, (target,), (value,), route),)


def write_coils(pdu: bytes, route: Route) -> tuple[Operation, ...]:
    target, values = _given(pdu, 1, "coil", MOST_BITS_WRITTEN)
    return (
        Operation("modbus", "write-multiple-coils", "15", Kind.WRITE, (target,), bits(values, target.count), route),
    )


def write_registers(pdu: bytes, route: Route) -> tuple[Operation, ...]:
    target, values = _given(pdu, 1, "holding", MOST_REGISTERS_WRITTEN)
    return (Operation("modbus", "write-multiple-registers", "16", Kind.WRITE, (target,), registers(values), route),)


def mask_register(pdu: bytes, route: Route) -> tuple[Operation, ...]:
    """What it becomes depends on what it holds: the value is said in words, which no limit of values lets pass."""
    sized(pdu, 7)
    address, both, either = unpack_from(">HHH", pdu, 1)
    value = f"and {both:#06x} or {either:#06x}"
    return (
        Operation("modbus", "mask-write-register", "22", Kind.WRITE, (Target("holding", address),), (value,), route),
    )


def write_and_read(pdu: bytes, route: Route) -> tuple[Operation, ...]:
    """Two operations, in the order in which the device performs them: AP 6.17."""
    if len(pdu) < 10:
        raise BadModbus(f"function 23 in {len(pdu)} bytes")
    first, count = unpack_from(">HH", pdu, 1)
    asked = span("holding", first, count, MOST_READ_WHEN_WRITING)
    target, values = _given(pdu, 5, "holding", MOST_WRITTEN_WHEN_READING)
    write = Operation("modbus", "read-write-registers", "23", Kind.WRITE, (target,), registers(values), route)
    return write, Operation("modbus", "read-after-write", "23", Kind.READ, (asked,), (), route)


def read_queue(pdu: bytes, route: Route) -> tuple[Operation, ...]:
    """The queue is not emptied by reading it: AP 6.18."""
    sized(pdu, 3)
    target = Target("fifo", int.from_bytes(pdu[1:3], "big"))
    return (Operation("modbus", "read-fifo-queue", "24", Kind.READ, (target,), (), route),)


def _given(pdu: bytes, at: int, area: str, most: int) -> tuple[Target, bytes]:
    """First, quantity, byte count and the values themselves, which end the PDU."""
    if len(pdu) < at + 5:
        raise BadModbus(f"function {pdu[0]} in {len(pdu)} bytes")
    first, quantity, count = unpack_from(">HHB", pdu, at)
    target = span(area, first, quantity, most)
    size = (quantity + 7) // 8 if area == "coil" else quantity * 2
    if count != size or len(pdu) != at + 5 + size:
        raise BadModbus(f"{len(pdu) - at - 5} bytes, counted as {count}, for {quantity} of {area}")
    return target, pdu[at + 5 :]


def bits(data: bytes, count: int) -> tuple[bool, ...]:
    found = list[bool]()
    for byte in data:
        found += BITS[byte]  # eight at once: three times as fast as itertools.chain
    return tuple(found[:count])


def registers(data: bytes) -> tuple[int, ...]:
    return unpack(f">{len(data) // 2}H", data)


def bits_read(operations: tuple[Operation, ...], _asked: bytes, pdu: bytes) -> Values:
    quantity = operations[0].targets[0].count
    return (bits(counted(pdu, (quantity + 7) // 8), quantity),)


def registers_read(operations: tuple[Operation, ...], _asked: bytes, pdu: bytes) -> Values:
    return (registers(counted(pdu, operations[0].targets[0].count * 2)),)


def registers_read_after_write(operations: tuple[Operation, ...], _asked: bytes, pdu: bytes) -> Values:
    return (), registers(counted(pdu, operations[1].targets[0].count * 2))


def counted(pdu: bytes, wanted: int) -> bytes:
    if len(pdu) != 2 + wanted or pdu[1] != wanted:
        raise BadModbus(f"function {pdu[0]} answered with {len(pdu) - 2} bytes where {wanted} were asked for")
    return pdu[2:]


def echoed(_operations: tuple[Operation, ...], asked: bytes, pdu: bytes) -> Values:
    """The whole request: AP 6.5, 6.6, 6.10, 6.16."""
    if pdu != asked:
        raise BadModbus(f"function {pdu[0]} answered with something else than its request")
    return ()


def range_echoed(_operations: tuple[Operation, ...], asked: bytes, pdu: bytes) -> Values:
    """Address and quantity: AP 6.11, 6.12."""
    if pdu != asked[:5]:
        raise BadModbus(f"function {pdu[0]} answered for another range than its request's")
    return ()


def queue_read(_operations: tuple[Operation, ...], _asked: bytes, pdu: bytes) -> Values:
    if len(pdu) < 5:
        raise BadModbus(f"a queue in {len(pdu)} bytes (AP 6.18)")
    size, count = unpack_from(">HH", pdu, 1)
    if count > LONGEST_QUEUE or size != 2 + 2 * count or len(pdu) != 3 + size:
        raise BadModbus(f"a queue of {count} in {len(pdu)} bytes, counted as {size} (AP 6.18)")
    return (registers(pdu[5:]),)
