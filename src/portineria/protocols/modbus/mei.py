# SPDX-License-Identifier: Apache-2.0
"""Encapsulated interface transport: AP 6.19, 6.20 (CANopen), 6.21 (device identification)."""

from portineria.protocols.modbus.data_access import Route, Values
from portineria.protocols.modbus.frame import BadModbus
from portineria.protocols.operation import MAX_TEXT, Kind, Operation, Target, Value

CANOPEN, DEVICE_IDENTIFICATION = 0x0D, 0x0E
READS = {1: "basic", 2: "regular", 3: "extended", 4: "one"}  # AP 6.21: read device id code
CONFORMITY = {1, 2, 3, 0x81, 0x82, 0x83}
HEADER = 7  # function, MEI, read code, conformity, more follows, next object, number of objects


def ask(pdu: bytes, route: Route) -> tuple[Operation, ...]:
    if len(pdu) < 2:
        raise BadModbus("no MEI type (AP 6.19)")
    if pdu[1] == DEVICE_IDENTIFICATION:
        return _identify(pdu, route)
    # CANopen reads or writes any object of any CANopen device behind this one, and says which in a form of CiA's:
    # not decoded, and therefore never harmless.
    function = "canopen-general-reference" if pdu[1] == CANOPEN else "unknown"
    return (Operation("modbus", function, f"43/{pdu[1]}", Kind.UNKNOWN, (), (), route),)


def _identify(pdu: bytes, route: Route) -> tuple[Operation, ...]:
    if len(pdu) != 4 or pdu[2] not in READS:
        raise BadModbus(f"device identification in {len(pdu)} bytes, or of no known extent (AP 6.21)")
    target = Target("object", pdu[3], name=READS[pdu[2]])
    return (Operation("modbus", "read-device-identification", "43/14", Kind.IDENTIFY, (target,), (), route),)


def told(_operations: tuple[Operation, ...], asked: bytes, pdu: bytes) -> Values:
    """Of device identification: one text for each object, with its number before it ("1 Press control")."""
    if pdu[1:2] != asked[1:2]:
        raise BadModbus("another MEI type than was asked (AP 6.19)")
    if pdu[1] != DEVICE_IDENTIFICATION:
        return ()
    if len(pdu) < HEADER or pdu[2] != asked[2] or pdu[3] not in CONFORMITY or pdu[4] not in (0, 0xFF):
        raise BadModbus("a device identification that is none, or not the one asked for (AP 6.21)")
    return (_objects(pdu),)


def _objects(pdu: bytes) -> tuple[Value, ...]:
    objects, at = list[Value](), HEADER
    for _ in range(pdu[6]):
        if at + 2 > len(pdu) or at + 2 + pdu[at + 1] > len(pdu):
            raise BadModbus("an object reaches beyond its message (AP 6.21)")
        number, size = pdu[at], pdu[at + 1]
        text = pdu[at + 2 : at + 2 + size].decode("latin-1")
        objects.append(f"{number} {text}"[:MAX_TEXT])
        at += 2 + size
    if at != len(pdu):
        raise BadModbus("bytes after the last object (AP 6.21)")
    return tuple(objects)
