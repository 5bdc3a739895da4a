# SPDX-License-Identifier: Apache-2.0
"""What answers a request: read from the device, or made by us where the device is not to hear of it."""

from typing import Final

from portineria.protocols.cip import pccc, services
from portineria.protocols.cip.frames import Impossible, Item, items
from portineria.protocols.cip.message import Call, spans_of
from portineria.protocols.cip.values import typed
from portineria.protocols.operation import Value

# CIP Volume 1, appendix B-1.
STATUS: Final = {
    0x00: "success",
    0x01: "connection failure",
    0x02: "resource unavailable",
    0x03: "invalid parameter value",
    0x04: "path segment error",
    0x05: "path destination unknown",
    0x06: "partial transfer",
    0x07: "connection lost",
    0x08: "service not supported",
    0x09: "invalid attribute value",
    0x0A: "attribute list error",
    0x0B: "already in requested mode or state",
    0x0C: "object state conflict",
    0x0D: "object already exists",
    0x0E: "attribute not settable",
    0x0F: "privilege violation",
    0x10: "device state conflict",
    0x11: "reply data too large",
    0x12: "fragmentation of a primitive value",
    0x13: "not enough data",
    0x14: "attribute not supported",
    0x15: "too much data",
    0x16: "object does not exist",
    0x17: "service fragmentation sequence not in progress",
    0x18: "no stored attribute data",
    0x19: "store operation failure",
    0x1A: "routing failure, request packet too large",
    0x1B: "routing failure, response packet too large",
    0x1C: "missing attribute list entry data",
    0x1D: "invalid attribute value list",
    0x1E: "embedded service error",
    0x1F: "vendor specific error",
    0x20: "invalid parameter",
    0x21: "write-once value or medium already written",
    0x22: "invalid reply received",
    0x25: "key failure in path",
    0x26: "path size invalid",
    0x27: "unexpected attribute in list",
    0x28: "invalid member id",
    0x29: "member not settable",
    0x2A: "group 2 only server general failure",
    0xFF: "general error",
}
ENCAPSULATION: Final = {  # Volume 2, table 2-3.3
    0x0001: "invalid or unsupported command",
    0x0002: "insufficient memory",
    0x0003: "poorly formed or incorrect data",
    0x0064: "invalid session handle",
    0x0065: "invalid length",
    0x0069: "unsupported protocol revision",
}
SUCCESS, CONNECTION_FAILURE, PARTIAL, PRIVILEGE_VIOLATION, EMBEDDED_ERROR = 0x00, 0x01, 0x06, 0x0F, 0x1E
# Extended status of a connection that is not made, V1 table 3-5.29: class not supported, and no more connections.
NO_SUCH_TRANSPORT, OUT_OF_CONNECTIONS = 0x0103, 0x0113
REPLY = 0x80
MAX_PARTS_SAID = 8  # errors of a bundle that are put into words

Values = tuple[tuple[Value, ...], ...]


def refusal(call: Call) -> bytes:
    """The answer that says no to all of ``call``: privilege violation, "a permission/privilege check failed"."""
    head = bytes((call.service | REPLY, 0))
    if call.calls:
        parts = [refusal(each) for each in call.calls]
        at, offsets = 2 + 2 * len(parts), []
        for part in parts:
            offsets.append(at)
            at += len(part)
        numbers = b"".join(min(offset, 0xFFFF).to_bytes(2, "little") for offset in (len(parts), *offsets))
        return head + bytes((EMBEDDED_ERROR, 0)) + numbers + b"".join(parts)
    if call.serial and call.service != services.FORWARD_CLOSE:
        serial, vendor, origin = call.serial
        io = call.operation is not None and call.operation.function == "forward-open-io"
        extended = (NO_SUCH_TRANSPORT if io else OUT_OF_CONNECTIONS).to_bytes(2, "little")
        whose = serial.to_bytes(2, "little") + vendor.to_bytes(2, "little") + origin.to_bytes(4, "little")
        return head + bytes((CONNECTION_FAILURE, 1)) + extended + whose + b"\0\0"  # table 3-5.18
    return head + bytes((PRIVILEGE_VIOLATION, 0))


def split(message: bytes) -> tuple[int, int, bytes, bytes]:
    """Service, general status, additional status, data of an answer: V1, 2-4.2. Raise Impossible."""
    if len(message) < 4 or not message[0] & REPLY:
        raise Impossible(f"no answer of CIP in {len(message)} bytes")
    end = 4 + 2 * message[3]
    if end > len(message):
        raise Impossible("an answer ends within its status")
    return message[0] & 0x7F, message[2], message[4:end], message[end:]


def answers(call: Call, service: int) -> bool:
    """An Unconnected Send is answered by whom it was for, or under its own number by a router: V1, 3-5.5.4."""
    return service == call.service or (call.sent_on and service == services.UNCONNECTED_SEND)


def understood(call: Call, message: bytes) -> tuple[str, Values]:
    """The device's no in words, or empty; and what was read. Raise Impossible."""
    service, status, additional, data = split(message)
    if call.calls and service == services.BUNDLE and status in (SUCCESS, EMBEDDED_ERROR) and data:
        return _bundle(call, data)
    if status not in (SUCCESS, PARTIAL):
        return words(status, additional), ()
    if call.calls or not call.operation:
        return "", ()
    values = _read(call.operation.function, data)
    error = pccc.error(data) if call.operation.function.startswith("pccc-") else ""
    return error, (values,) if values else ()


def _bundle(call: Call, data: bytes) -> tuple[str, Values]:
    parts = spans_of(data)
    if len(parts) != len(call.calls):
        return f"{len(parts)} answers to {len(call.calls)} requests", ()
    errors, values = list[str](), list[tuple[Value, ...]]()
    for number, (each, (at, end)) in enumerate(zip(call.calls, parts, strict=True), start=1):
        error, found = understood(each, data[at:end])
        if error and len(errors) < MAX_PARTS_SAID:
            errors.append(f"{number}: {error}")
        values += found or ((),) * _leaves(each)
    return "; ".join(errors), tuple(values) if any(values) else ()


def _leaves(call: Call) -> int:
    return sum(_leaves(each) for each in call.calls) if call.calls else 1


def words(status: int, additional: bytes = b"") -> str:
    text = f"general status 0x{status:02x}: {STATUS.get(status, 'reserved or of the object')}"
    return f"{text}, extended 0x{int.from_bytes(additional[:2], 'little'):04x}" if additional else text


def _read(function: str, data: bytes) -> tuple[Value, ...]:
    if function in ("read-tag", "read-tag-fragmented"):  # type, then values: 1756-PM020
        found = typed(data, 0)
        return found[2] if found else ()
    return (data,) if data and function not in ("write-tag", "forward-open") else ()


def identity(body: bytes) -> tuple[Value, ...]:
    """Vendor, device type, product code, revision, serial number, name of ListIdentity: Volume 2, table 2-4.4."""
    found = next((data for kind, data in items(body, 0) if kind == Item.LIST_IDENTITY), b"")
    if len(found) < 33 or len(found) < 33 + found[32]:
        return ()
    vendor, device, product = (int.from_bytes(found[at : at + 2], "little") for at in (18, 20, 22))
    name = found[33 : 33 + found[32]].decode("latin-1")
    return vendor, device, product, f"{found[24]}.{found[25]}", int.from_bytes(found[28:32], "little"), name
