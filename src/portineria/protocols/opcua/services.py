# SPDX-License-Identifier: Apache-2.0
"""Services by the node id of their binary encoding (Part 6 annex A; the answer is three higher), and what they ask."""

from collections.abc import Callable
from dataclasses import dataclass

from portineria.protocols.inspection import FunctionInfo
from portineria.protocols.opcua.binary import BadOpcUa, Reader
from portineria.protocols.opcua.file_methods import FILE_METHODS
from portineria.protocols.operation import Kind, Operation, Target, Value

NAME = "opcua"
READ, WRITE, CALL, CREATE_ITEMS, PUBLISH, SERVICE_FAULT = 631, 673, 712, 751, 826, 397
VALUE = 13  # attribute: Part 6 annex A.1
# A server's registration and another session's subscriptions change hands: neither is housekeeping of one's own.
SERVICES = {
    422: ("find-servers", Kind.IDENTIFY, "Part 4 5.4.2"), 428: ("get-endpoints", Kind.IDENTIFY, "Part 4 5.4.4"),
    437: ("register-server", Kind.CONTROL, "Part 4 5.4.5"),
    461: ("create-session", Kind.SESSION, "Part 4 5.6.2"), 467: ("activate-session", Kind.SESSION, "Part 4 5.6.3"),
    473: ("close-session", Kind.SESSION, "Part 4 5.6.4"), 479: ("cancel", Kind.SESSION, "Part 4 5.6.5"),
    488: ("add-nodes", Kind.PROGRAM_WRITE, "Part 4 5.7.2"), 494: ("add-references", Kind.PROGRAM_WRITE, "Part 4 5.7.3"),
    500: ("delete-nodes", Kind.PROGRAM_WRITE, "Part 4 5.7.4"),
    506: ("delete-references", Kind.PROGRAM_WRITE, "Part 4 5.7.5"),
    527: ("browse", Kind.READ, "Part 4 5.8.2"), 533: ("browse-next", Kind.READ, "Part 4 5.8.3"),
    554: ("translate-browse-paths", Kind.READ, "Part 4 5.8.4"), 560: ("register-nodes", Kind.SESSION, "Part 4 5.8.5"),
    566: ("unregister-nodes", Kind.SESSION, "Part 4 5.8.6"),
    615: ("query-first", Kind.READ, "Part 4 5.9.3"), 621: ("query-next", Kind.READ, "Part 4 5.9.4"),
    READ: ("read", Kind.READ, "Part 4 5.10.2"), 664: ("history-read", Kind.READ, "Part 4 5.10.3"),
    WRITE: ("write", Kind.WRITE, "Part 4 5.10.4"), 700: ("history-update", Kind.WRITE, "Part 4 5.10.5"),
    CALL: ("call", Kind.CONTROL, "Part 4 5.11.2"),
    CREATE_ITEMS: ("create-monitored-items", Kind.READ, "Part 4 5.12.2"),
    763: ("modify-monitored-items", Kind.SESSION, "Part 4 5.12.3"),
    769: ("set-monitoring-mode", Kind.SESSION, "Part 4 5.12.4"), 775: ("set-triggering", Kind.SESSION, "Part 4 5.12.5"),
    781: ("delete-monitored-items", Kind.SESSION, "Part 4 5.12.6"),
    787: ("create-subscription", Kind.SESSION, "Part 4 5.13.2"),
    793: ("modify-subscription", Kind.SESSION, "Part 4 5.13.3"),
    799: ("set-publishing-mode", Kind.SESSION, "Part 4 5.13.4"), PUBLISH: ("publish", Kind.SESSION, "Part 4 5.13.5"),
    832: ("republish", Kind.SESSION, "Part 4 5.13.6"),
    841: ("transfer-subscriptions", Kind.DIAGNOSTIC, "Part 4 5.13.7"),
    847: ("delete-subscriptions", Kind.SESSION, "Part 4 5.13.8"),
}  # fmt: skip
METHODS = {  # well known ones, of the types and of the server itself
    "i=11492": ("get-monitored-items", Kind.READ, "Part 5 9.1"),
    **FILE_METHODS,
    **dict.fromkeys(("i=24269", "i=24304"), ("add-user", Kind.MODE, "Part 18 5.2.5")),
    **dict.fromkeys(("i=24271", "i=24306"), ("modify-user", Kind.MODE, "Part 18 5.2.6")),
    **dict.fromkeys(("i=24273", "i=24308"), ("remove-user", Kind.MODE, "Part 18 5.2.7")),
    **dict.fromkeys(("i=24275", "i=24310"), ("change-password", Kind.MODE, "Part 18 5.2.8")),
}
# From which argument on texts are passwords: behind the user's name, where there is one.
PASSWORDS = {"i=24269": 1, "i=24304": 1, "i=24271": 1, "i=24306": 1, "i=24275": 0, "i=24310": 0}
CHUNKS = (  # what is told by the type of the chunk alone
    ("hello", "HELF", Kind.SESSION, "Part 6 7.1.2.3"),
    ("open-channel", "OPNF", Kind.SESSION, "Part 4 5.5.2"),
    ("close-channel", "CLOF", Kind.SESSION, "Part 4 5.5.3"),
    ("abort", "MSGA", Kind.SESSION, "Part 6 6.7.3"),
    ("encrypted", "OPNF", Kind.UNKNOWN, "Part 6 6.7.2.3"),
)


@dataclass(frozen=True, slots=True)
class Header:
    """Of a request: Part 4 7.28."""

    service: int
    stamp: int
    handle: int


def read_request(body: bytes) -> tuple[Header, tuple[Operation, ...]]:
    """Raise BadOpcUa."""
    reader = Reader(body)
    service = service_of(reader)
    reader.node()
    header = Header(service, reader.number("Q"), reader.number("I"))
    _rest_of_header(reader)
    return header, operations(service, reader)


def _rest_of_header(reader: Reader) -> None:
    reader.number("I")
    reader.text()
    reader.number("I")
    reader.extension()


def undated(body: bytes) -> bytes:
    """What a request asks, without its header and without the time stamps of values: clients make those anew."""
    reader = Reader(body)
    service = service_of(reader)
    reader.node()
    reader.take(12)
    _rest_of_header(reader)
    begins = reader.at
    operations(service, reader)
    asked = bytearray(body)
    for first, last in reader.stamps:
        asked[first:last] = bytes(last - first)
    return bytes(asked[begins:])


def service_of(reader: Reader) -> int:
    node = reader.node()
    return int(node[2:]) if node.startswith("i=") else 0


def operations(service: int, reader: Reader) -> tuple[Operation, ...]:
    if read := _BODIES.get(service):
        found = read(reader)
        if reader.at != len(reader.data):
            raise BadOpcUa(f"{len(reader.data) - reader.at} bytes after the last element of service {service}")
        if found:
            return found
    name, kind, _ = SERVICES.get(service, ("unknown", Kind.UNKNOWN, ""))
    return (Operation(NAME, name, str(service), kind),)


def _place(reader: Reader) -> tuple[Target, int]:
    node, attribute, indexes = reader.node(), reader.number("I"), reader.text()
    name = node if attribute == VALUE else f"{node} attribute {attribute}"
    if len(name) + len(indexes) > 250:
        raise BadOpcUa(f"a node with an index range of {len(indexes)} characters")
    return Target("node", name=f"{name} [{indexes}]" if indexes else name), attribute


def _read(reader: Reader) -> tuple[Operation, ...]:
    reader.take(12)  # max age, timestamps
    targets = list[Target]()
    for _ in range(reader.few()):
        targets.append(_place(reader)[0])
        reader.qualified()
    return (Operation(NAME, "read", str(READ), Kind.READ, tuple(targets)),)


def _write(reader: Reader) -> tuple[Operation, ...]:
    """Other attributes than the value are what the node is: its access level, its type."""
    found = list[Operation]()
    for _ in range(reader.few()):
        target, attribute = _place(reader)
        values = reader.data_value()
        name, kind = ("write", Kind.WRITE) if attribute == VALUE else ("write-attribute", Kind.PROGRAM_WRITE)
        found.append(Operation(NAME, name, str(WRITE), kind, (target,), values))
    return tuple(found)


def _call(reader: Reader) -> tuple[Operation, ...]:
    found = list[Operation]()
    for _ in range(reader.few()):
        targets = Target("node", name=reader.node()), Target("method", name=reader.node())
        values = list[Value]()
        secret = PASSWORDS.get(targets[1].name)
        for number in range(reader.few()):
            given = reader.variant()
            hidden = secret is not None and number >= secret
            values += [None if hidden and isinstance(each, str) else each for each in given]
        name, kind, _ = METHODS.get(targets[1].name, ("call", Kind.CONTROL, ""))
        found.append(Operation(NAME, name, str(CALL), kind, targets, tuple(values)))
    return tuple(found)


def _create_items(reader: Reader) -> tuple[Operation, ...]:
    reader.take(8)  # subscription, timestamps
    targets = list[Target]()
    for _ in range(reader.few()):
        targets.append(_place(reader)[0])
        reader.qualified()
        reader.take(4 + 4 + 8)  # mode, client handle, sampling interval
        reader.extension()
        reader.take(4 + 1)  # queue size, discard oldest
    return (Operation(NAME, "create-monitored-items", str(CREATE_ITEMS), Kind.READ, tuple(targets)),)


_BODIES: dict[int, Callable[[Reader], tuple[Operation, ...]]] = {
    READ: _read, WRITE: _write, CALL: _call, CREATE_ITEMS: _create_items,
}  # fmt: skip


def listed() -> tuple[FunctionInfo, ...]:
    found = [FunctionInfo(name, code, kind, clause) for name, code, kind, clause in CHUNKS]
    found += [FunctionInfo(name, str(code), kind, clause) for code, (name, kind, clause) in SERVICES.items()]
    found.append(FunctionInfo("write-attribute", str(WRITE), Kind.PROGRAM_WRITE, "Part 4 5.10.4"))
    for node, (name, kind, clause) in METHODS.items():
        if node not in FILE_METHODS:
            found.append(FunctionInfo(name, f"{CALL} {node}", kind, clause))
        elif all(each.name != name for each in found):
            found.append(FunctionInfo(name, f"{CALL} {node} …", kind, clause))  # and those of the standard's own files
    found.append(FunctionInfo("unknown", "any other", Kind.UNKNOWN, "Part 6 annex A"))
    return tuple(found)
