# SPDX-License-Identifier: Apache-2.0
"""Where the technician's tool connects to: loopback addresses, with the service's own port where possible."""

import hashlib
import socket
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from portineria.core.errors import Invalid, Unavailable

_TRIES = 8  # other addresses, when somebody (most likely another session of ours) holds the first
_OTHER_PORTS = (10_000, 20_000, 30_000)
_BACKLOG = 1024


_LAST_PORT = 65535


class NoPort(Unavailable):
    code = "local.port"


class BadOffset(Invalid):
    code = "local.offset"


@dataclass(frozen=True, slots=True)
class Service:
    """One service of a machine, as the control plane names it; ``port`` is the device's."""

    service: str
    name: str
    protocol: str
    port: int
    device: str


@dataclass(frozen=True, slots=True)
class Door:
    """A listener for one service."""

    service: Service
    listener: socket.socket

    @property
    def address(self) -> str:
        return str(self.listener.getsockname()[0])

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])


def open_doors(machine: str, services: Iterable[Service], *, offset: int = 0) -> list[Door]:
    """Listen for each service; raise NoPort, BadOffset.

    A device keeps its address from session to session, so that the tool's project file stays right; devices have
    different ones, so that all of them can have their own port. ``offset`` is added to every port.
    """
    doors: list[Door] = []
    try:
        devices: dict[str, list[Service]] = {}
        for service in services:
            if not 0 < service.port + offset <= _LAST_PORT:
                raise BadOffset(f"{service.name} would be at port {service.port + offset}")
            devices.setdefault(service.device, []).append(service)
        for number, group in enumerate(devices.values()):
            doors += _open_device(machine, number, group, offset)
    except BaseException:
        for door in doors:
            door.listener.close()
        raise
    return doors


def loopback_addresses(machine: str, device: int, *, platform: str = sys.platform) -> Iterator[str]:
    """Candidates for one device. Only Linux and Windows answer to the whole of 127.0.0.0/8 by themselves."""
    if platform not in ("linux", "win32"):
        yield "127.0.0.1"
        return
    for attempt in range(_TRIES):
        digest = hashlib.sha256(f"{machine} {attempt}".encode()).digest()
        # 127.64-127.x.y: away from 127.0.0.1 and from the 127.0.x.y that distributions use for themselves.
        yield f"127.{64 + digest[0] % 64}.{digest[1]}.{1 + (digest[2] + device) % 254}"


def _open_device(machine: str, number: int, services: list[Service], offset: int) -> list[Door]:
    """All services of a device at one address. Its own ports at any candidate come before other ports at the first."""
    candidates = list(loopback_addresses(machine, number))
    for shift in (0, *_OTHER_PORTS):
        for address in candidates:
            if doors := _try(address, services, offset + shift, own=shift == 0):
                return doors
    raise NoPort(f"{', '.join(str(service.port + offset) for service in services)} at {candidates[0]}")


def _try(address: str, services: list[Service], offset: int, *, own: bool) -> list[Door] | None:
    """Every service at ``address``; None when a port is taken. A port we may not open moves up by itself."""
    doors: list[Door] = []
    for service in services:
        listener = _listen(address, service.port + offset)
        if listener is None and own and _forbidden(address, service.port + offset):
            listener = next(
                (found for up in _OTHER_PORTS if (found := _listen(address, service.port + offset + up))), None
            )
        if listener is None:
            for door in doors:
                door.listener.close()
            return None
        doors.append(Door(service, listener))
    return doors


def _listen(address: str, port: int) -> socket.socket | None:
    if not 0 < port < 65536:
        return None
    listener = _bound(address, port)
    return listener if isinstance(listener, socket.socket) else None


def _forbidden(address: str, port: int) -> bool:
    """Ports below 1024 need a privilege on most Unix systems."""
    found = _bound(address, port) if 0 < port < 65536 else None
    if isinstance(found, socket.socket):
        found.close()
    return isinstance(found, PermissionError)


def _bound(address: str, port: int) -> socket.socket | OSError:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":  # there SO_REUSEADDR would let another program take the port over
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        return error
    listener.setblocking(False)
    return listener
