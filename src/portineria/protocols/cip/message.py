# SPDX-License-Identifier: Apache-2.0
"""Requests to the message router, with everything they carry within them: CIP Volume 1, 2-4.1."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from portineria.protocols.cip import hidden, pccc, services
from portineria.protocols.cip.connection import Opening, Serial, closing, opening
from portineria.protocols.cip.frames import Impossible
from portineria.protocols.cip.path import CACHED, Path, parse
from portineria.protocols.cip.values import STRUCTURE, elements, typed
from portineria.protocols.operation import MAX_VALUES, Kind, Operation, Target, Value

PROTOCOL = "cip"
MAX_DEPTH = 4  # an Unconnected Send with a bundle is two; nobody has been seen to need more
MAX_OPERATIONS = 4096  # of one message; 65511 bytes hold about eight thousand of the shortest requests

Route = tuple[str, ...]
Meant = tuple[str, Kind, tuple[Target, ...], tuple[Value, ...]]


@dataclass(frozen=True, slots=True)
class Call:
    """One request, and what answers it. ``operation``: None for a bundle, whose ``calls`` have theirs.

    ``service``: the number whose answer comes. ``opening``, ``closing``: what the answer does to the connections that
    this TCP connection may use. ``serial``: of the connection that a Forward Open or Close names.
    """

    service: int
    operation: Operation | None
    calls: tuple["Call", ...] = ()
    opening: Opening | None = None
    closing: Serial | None = None
    serial: Serial | None = None
    sent_on: bool = False  # came within an Unconnected Send: a router on the way may say no as well
    hidden: bytes = b""  # what it carries and nobody is told, because it may be a password


def operations(call: Call) -> tuple[Operation, ...]:
    """All of them, in the order of the bytes."""
    return tuple(each.operation for each in leaves(call) if each.operation)


def leaves(call: Call) -> Iterator[Call]:
    """Those that have an operation, in the order of the bytes."""
    if call.operation:
        yield call
    for each in call.calls if not call.operation else ():
        yield from leaves(each)


def _hidden(operation: Operation) -> tuple[Operation, bytes]:
    """Of what may be a password its length is told, and nothing else."""
    if not operation.values or not hidden.rule_of(operation):
        return operation, b""
    data = operation.values[0]
    secret = data if isinstance(data, bytes) else b""
    return replace(operation, values=(len(secret),)), secret


def unknown(function: str, code: str, route: Route = ()) -> Operation:
    return Operation(PROTOCOL, function, code, Kind.UNKNOWN, route=route)


class Reader:
    """Reads one message. Its count of operations is what bounds the work."""

    def __init__(self) -> None:
        self._count = 0

    def read(self, data: bytes, route: Route, depth: int = 0, *, sent_on: bool = False) -> Call:
        """The request that fills ``data``. Raise Impossible."""
        self._count += 1
        if len(data) < 2 or data[0] & 0x80 or depth > MAX_DEPTH or self._count > MAX_OPERATIONS:
            raise Impossible(f"no request of CIP: {len(data)} bytes at depth {depth}, number {self._count}")
        service, start = data[0], 2 + 2 * data[1]
        if start > len(data):
            raise Impossible("a request ends within its path")
        path, rest = parse(data[2:start]), data[start:]
        class_ = class_of(path, service)
        if class_ == services.CONNECTION_MANAGER and service == services.UNCONNECTED_SEND:
            return self._sent_on(rest, route, depth)
        if class_ == services.MESSAGE_ROUTER and service == services.BUNDLE:
            return self._bundle(rest, route, depth, sent_on)
        if class_ == services.CONNECTION_MANAGER and (found := _connecting(service, rest, route, sent_on)):
            return found
        operation, secret = _hidden(_operation(service, class_, path, rest, route))
        return Call(service, operation, sent_on=sent_on, hidden=secret)

    def _sent_on(self, data: bytes, route: Route, depth: int) -> Call:
        """Unconnected_Send: 3-5.5.4, table 3-5.24."""
        size = int.from_bytes(data[2:4], "little")
        end = 4 + size + size % 2
        if len(data) < end + 2 or len(data) != end + 2 + 2 * data[end]:
            raise Impossible("an Unconnected Send whose lengths do not fit")
        path = parse(data[end + 2 :])
        call = self.read(data[4 : 4 + size], route + tuple(path.hops), depth + 1, sent_on=True)
        if path.route_only:
            return call
        aside = unknown("unconnected-send", "0x52/0x06", route + tuple(path.hops))
        return Call(call.service, aside, sent_on=True)

    def _bundle(self, data: bytes, route: Route, depth: int, sent_on: bool) -> Call:
        """Multiple_Service_Packet: A-4.10. The requests lie one after the other, so that no byte is read twice."""
        spans = spans_of(data)
        calls = tuple(self.read(data[at:end], route, depth + 1, sent_on=sent_on) for at, end in spans)
        return Call(services.BUNDLE, None, calls, sent_on=sent_on)


def spans_of(data: bytes) -> list[tuple[int, int]]:
    """Where each request or answer of a bundle begins and ends. Raise Impossible unless they fill ``data`` in order."""
    count = int.from_bytes(data[:2], "little")
    if not count or len(data) < 2 + 2 * count:
        raise Impossible(f"a bundle of {count} in {len(data)} bytes")
    starts = [int.from_bytes(data[at : at + 2], "little") for at in range(2, 2 + 2 * count, 2)]
    if starts[0] != 2 + 2 * count:
        raise Impossible("a bundle with something before its first part")
    found = list(zip(starts, [*starts[1:], len(data)], strict=True))
    if any(start >= end for start, end in found):
        raise Impossible("a bundle whose parts overlap or are empty")
    return found


def class_of(path: Path, service: int) -> int | None:
    """The class that decides what ``service`` means; TAG for symbols; None where that is not certain.

    The last class of a path is the object meant, those before it are where it lives (1756-PM020: symbols of a
    program). For a service of the object's own that is believed only where it is documented.
    """
    classes = path.classes
    if not path.known or path.hops or path.configures:
        return None
    if not classes:
        return services.TAG if path.names and not path.instances and path.attribute is None else None
    if len(classes) == 1 and not path.names:
        return classes[0] if len(path.instances) <= 1 else None
    if service <= services.LAST_COMMON:
        return classes[-1] if service != services.BUNDLE else None
    scoped = (len(path.names) == 1 and len(classes) == 1) or (classes[:-1] == [services.PROGRAM] and not path.names)
    return services.SYMBOL if scoped and classes[-1] == services.SYMBOL else None


def _connecting(service: int, data: bytes, route: Route, sent_on: bool) -> Call | None:
    """Forward Open, Large Forward Open, Forward Close; None for other services. What does not fit is unknown."""
    code = f"0x{service:02x}/0x06"
    if service == services.FORWARD_CLOSE:
        if found := closing(data):
            serial, path = found
            kind = Kind.SESSION if path.known else Kind.UNKNOWN
            operation = Operation(PROTOCOL, "forward-close", code, kind, route=route + tuple(path.hops))
            return Call(service, operation, closing=None if sent_on else serial, serial=serial, sent_on=sent_on)
        return Call(service, unknown("forward-close", code, route), sent_on=sent_on)
    if service not in (services.FORWARD_OPEN, services.LARGE_FORWARD_OPEN):
        return None
    asked = opening(data, large=service == services.LARGE_FORWARD_OPEN)
    if not asked:
        return Call(service, unknown("forward-open-other", code, route), sent_on=sent_on)
    target = Target("connection", name=f"class {asked.transport} to {_object(asked.path)}")
    whole = route + tuple(asked.path.hops)
    operation = Operation(PROTOCOL, asked.function, code, asked.kind, (target,), route=whole)
    usable = None if sent_on else asked
    return Call(service, operation, opening=usable, serial=asked.serial, sent_on=sent_on)


def _object(path: Path) -> str:
    text = class_text(path)
    if path.points:
        text += " points " + ", ".join(map(str, path.points))
    return text


def class_text(path: Path) -> str:
    return " ".join(services.class_name(each) for each in path.classes) or path.name or "nobody"


def _operation(service: int, class_: int | None, path: Path, data: bytes, route: Route) -> Operation:
    code = _code(service, path)
    if class_ is None:
        function = f"service-{service:02x}"
        return Operation(PROTOCOL, function, code, Kind.UNKNOWN, (_target(path),), route=route)
    if class_ == services.PCCC and service == services.EXECUTE_PCCC:
        function, code, kind, targets, values = pccc.decode(data)
        return Operation(PROTOCOL, function, code, kind, targets, values, route)
    function, kind = services.meaning(class_, service)
    if class_ in (services.TAG, services.SYMBOL) and (reader := _TAGS.get(service)):
        count, values = reader(data)
        if count is None:  # not as documented: what the device makes of it is open
            return Operation(PROTOCOL, function, code, Kind.UNKNOWN, (_target(path),), (data,), route)
        return Operation(PROTOCOL, function, code, kind, (_target(path, count),), values, route)
    if service in (0x03, 0x04):
        targets = _listed(path, service, data)
        kind = kind if targets else Kind.UNKNOWN
        return Operation(PROTOCOL, function, code, kind, targets, (data,) if service == 0x04 else (), route)
    values = (data,) if data and kind not in (Kind.READ, Kind.IDENTIFY) else ()
    return Operation(PROTOCOL, function, code, kind, (_target(path),), values, route)


@lru_cache(CACHED)
def _code(service: int, path: Path) -> str:
    return f"0x{service:02x}" + "".join(f"/0x{each:02x}" for each in path.classes)


@lru_cache(CACHED)
def _target(path: Path, count: int = 1, attribute: int | None = None) -> Target:
    if path.names and not path.classes:
        return Target("tag", name=path.name, count=count)
    attribute = path.attribute if attribute is None else attribute
    words = [path.name] if path.names else []
    if path.instances:
        words.append("instance " + " ".join(map(str, path.instances)))
    for word, values in (("point", path.points), ("member", path.members)):
        words += [f"{word} {value}" for value in values]
    if attribute is not None:
        words.append(f"attribute {attribute}")
    return Target(class_text(path), name=" ".join(words), count=count)


def _listed(path: Path, service: int, data: bytes) -> tuple[Target, ...]:
    """Get_ and Set_Attribute_List name their attributes: A-4.3, A-4.4. Of a set only the first is where we know it."""
    count = int.from_bytes(data[:2], "little")
    if service == 0x04:
        first = int.from_bytes(data[2:4], "little") if count == 1 and len(data) >= 4 else None
        return (_target(path, attribute=first),) if len(data) >= 4 else ()
    if len(data) != 2 + 2 * count or not 0 < count <= MAX_VALUES:
        return ()
    return tuple(_target(path, attribute=int.from_bytes(data[at : at + 2], "little")) for at in range(2, len(data), 2))


Read = tuple[int | None, tuple[Value, ...]]  # how many elements, None: not as documented; what is written


def _read_tag(data: bytes) -> Read:
    return (int.from_bytes(data, "little") if len(data) == 2 else None), ()


def _read_fragment(data: bytes) -> Read:
    return (int.from_bytes(data[:2], "little") if len(data) == 6 else None), ()


def _write_tag(data: bytes) -> Read:
    found = typed(data)
    return (found[0], found[2]) if found else (None, ())


def _write_fragment(data: bytes) -> Read:
    found = typed(data)
    if not found or len(found[1]) < 4:
        return None, ()
    kind = STRUCTURE if data[:2] == STRUCTURE.to_bytes(2, "little") else int.from_bytes(data[:2], "little")
    return found[0], elements(kind, found[1][4:])


def _modify_tag(data: bytes) -> Read:
    """Size of the masks, OR mask, AND mask."""
    size = int.from_bytes(data[:2], "little")
    if size not in (1, 2, 4, 8, 12) or len(data) < 2 + 2 * size:
        return None, ()
    end = 2 + 2 * size
    return 1, (int.from_bytes(data[2 : 2 + size], "little"), int.from_bytes(data[2 + size : end], "little"))


_TAGS = {0x4C: _read_tag, 0x4D: _write_tag, 0x4E: _modify_tag, 0x52: _read_fragment, 0x53: _write_fragment}
