# SPDX-License-Identifier: Apache-2.0
"""Connections of CIP: how they are opened, and whom their identifiers lead to. CIP Volume 1, 3-5.4 and 3-5.5."""

import struct
from dataclasses import dataclass

from portineria.protocols.cip.path import MESSAGE_ROUTER, Path, parse
from portineria.protocols.operation import Kind

MAX_CONNECTIONS = 256  # on one TCP connection; clients open one or two
# Tick, time-out, two ids, serial, vendor, originator serial, multiplier, reserved, RPI and parameters of both ways,
# transport, words of path: table 3-5.16; Large Forward Open has parameters of 32 bits: table 3-5.19.
_OPEN, _LARGE = struct.Struct("<BBIIHHIB3xIHIHBB"), struct.Struct("<BBIIHHIB3xIIIIBB")
_CLOSE = struct.Struct("<BBHHIBx")  # table 3-5.22
_OPENED = struct.Struct("<IIHHI")  # table 3-5.17
_CLASS = 0x0F  # of the transport byte: 3-4.4.3
_TYPE_BITS = {False: 13, True: 29}  # where the connection type begins in the parameters: 3-5.5.1.1

Serial = tuple[int, int, int]  # connection, vendor, originator: together unique, 3-5.5.1.4


@dataclass(frozen=True, slots=True)
class Opening:
    """A Forward Open. ``explicit``: it carries requests for the message router, so we can read what travels on it."""

    function: str
    kind: Kind
    serial: Serial
    to_client: int
    path: Path
    explicit: bool
    transport: int


@dataclass(frozen=True, slots=True)
class Connection:
    """``to_device``, ``to_client``: the identifiers O->T and T->O."""

    to_device: int
    to_client: int
    serial: Serial
    route: tuple[str, ...]
    explicit: bool


def opening(data: bytes, *, large: bool) -> Opening | None:
    """The Forward Open in the data of its request, or None where it is not one. Raise Impossible."""
    form = _LARGE if large else _OPEN
    if len(data) < form.size:
        return None
    _, _, _, to_client, serial, vendor, origin, _, _, out, _, back, transport, words = form.unpack_from(data)
    if len(data) != form.size + 2 * words:
        return None
    path = parse(data[form.size :])
    function, kind = _meaning(
        path, transport & _CLASS, bool(out >> _TYPE_BITS[large] & 3 or back >> _TYPE_BITS[large] & 3)
    )
    explicit = kind is Kind.SESSION
    return Opening(function, kind, (serial, vendor, origin), to_client, path, explicit, transport & _CLASS)


def _meaning(path: Path, transport: int, connects: bool) -> tuple[str, Kind]:
    """Classes 0 and 1 carry inputs and outputs, 2 and 3 requests with their answers: 3-4.4.3."""
    if not path.known or transport > 3:
        return "forward-open-other", Kind.UNKNOWN
    if not connects:
        return "forward-open-null", Kind.CONTROL  # nothing is opened: it hands configuration to a module, 3-5.5.1.1
    if transport < 2 or path.configures or path.points:
        return "forward-open-io", Kind.CONTROL
    if path.classes == [MESSAGE_ROUTER] and path.instances == [1] and not path.names and path.attribute is None:
        return "forward-open", Kind.SESSION
    return "forward-open-other", Kind.UNKNOWN  # requests in a form of that object's own


def closing(data: bytes) -> tuple[Serial, Path] | None:
    """Whom a Forward Close ends, and where; or None where it is not one. Raise Impossible."""
    if len(data) < _CLOSE.size:
        return None
    _, _, serial, vendor, origin, words = _CLOSE.unpack_from(data)
    if len(data) != _CLOSE.size + 2 * words:
        return None
    return (serial, vendor, origin), parse(data[_CLOSE.size :])


class Connections:
    """Those of one TCP connection, by either identifier; beyond ``MAX_CONNECTIONS`` the oldest is forgotten."""

    def __init__(self) -> None:
        self._by_device: dict[int, Connection] = {}
        self._by_client: dict[int, Connection] = {}

    def opened(self, asked: Opening, answer: bytes) -> None:
        """Table 3-5.17: the answer begins with both identifiers, then says whose connection it is."""
        if len(answer) < _OPENED.size:
            return
        to_device, to_client, *serial = _OPENED.unpack_from(answer)
        if tuple(serial) != asked.serial:
            return  # of another Forward Open: nobody may use it under the route of this one
        self._forget(self._by_device.get(to_device))
        self._forget(self._by_client.get(to_client))
        if len(self._by_device) >= MAX_CONNECTIONS:
            self._forget(next(iter(self._by_device.values())))
        new = Connection(to_device, to_client, asked.serial, tuple(asked.path.hops), asked.explicit)
        self._by_device[to_device] = self._by_client[to_client] = new

    def closed(self, serial: Serial) -> None:
        for each in [each for each in self._by_device.values() if each.serial == serial]:
            self._forget(each)

    def towards_device(self, identifier: int) -> Connection | None:
        return self._by_device.get(identifier)

    def towards_client(self, identifier: int) -> Connection | None:
        return self._by_client.get(identifier)

    def _forget(self, each: Connection | None) -> None:
        if each:
            self._by_device.pop(each.to_device, None)
            self._by_client.pop(each.to_client, None)
