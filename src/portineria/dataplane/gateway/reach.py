# SPDX-License-Identifier: Apache-2.0
"""What this gateway may ever dial, decided in the plant: ``reach.toml``. No order can widen it (WIRE 7).

Loopback, link-local, multicast and the gateway's own addresses are refused whatever the list says.
"""

import ipaddress
import socket
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from portineria.core.errors import Invalid

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_THIS_NETWORK = ipaddress.ip_network("0.0.0.0/8")  # RFC 1122 3.2.1.3; Linux takes 0.0.0.0 for itself
_LOOPBACK = ipaddress.ip_network("127.0.0.0/8")
_ENTRIES = 1024


class BadReach(Invalid):
    code = "reach.list"


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    address: str
    ports: str


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    reach: Annotated[list[_Entry], Meta(max_length=_ENTRIES)] = []


@dataclass(frozen=True, slots=True)
class Reach:
    """One line of the list: a network and the ports in it."""

    network: Network
    ports: tuple[tuple[int, int], ...]

    def covers(self, address: Address, port: int) -> bool:
        return address in self.network and any(first <= port <= last for first, last in self.ports)

    def __str__(self) -> str:
        return f"{self.network}:{self.ports_text}"

    @property
    def ports_text(self) -> str:
        return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in self.ports)


def parse_reach(network: str, ports: str) -> Reach:
    try:
        return Reach(ipaddress.ip_network(network.strip()), tuple(_range(part) for part in ports.split(",")))
    except ValueError as error:
        raise BadReach(f"{network}:{ports}: {error}") from error


def read_reach_argument(text: str) -> Reach:
    """``192.168.10.0/24:502,102,20000-20010``; IPv6 in brackets: ``[fd00::/64]:502``."""
    network, colon, ports = text.rpartition(":")
    if not colon or not ports:
        raise BadReach(f"{text}: write NETWORK:PORTS, e.g. 192.168.10.0/24:502,102,20000-20010")
    return parse_reach(network.strip("[]"), ports)


def _range(text: str) -> tuple[int, int]:
    first, _, last = text.strip().partition("-")
    low, high = int(first), int(last or first)
    if not 1 <= low <= high <= 65535:
        raise ValueError(f"{text!r} is no range of ports")
    return low, high


def read_reach(path: Path) -> tuple[Reach, ...]:
    """No file: nothing may be dialled. Raises BadReach for a file that cannot be understood."""
    try:
        found = msgspec.convert(tomllib.loads(path.read_text()), _File)
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BadReach(f"{path}: {error}") from error
    return tuple(parse_reach(entry.address, entry.ports) for entry in found.reach)


def write_reach(path: Path, entries: tuple[Reach, ...]) -> None:
    blocks = [f'[[reach]]\naddress = "{entry.network}"\nports = "{entry.ports_text}"\n' for entry in entries]
    new = path.with_suffix(".new")
    new.write_text("\n".join(blocks))
    new.replace(path)


def parse_address(text: str) -> Address | None:
    """An IP address, an IPv4-mapped one as what it means; None for anything else (there may be no DNS)."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped if mapped is not None else address


def never_dialled(address: Address, *, loopback_devices: bool = False) -> bool:
    """Addresses that are no device of a plant: the gateway itself, or a link's own machinery."""
    if loopback_devices and address in _LOOPBACK:
        return False
    odd = address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified
    return odd or (address.version == 4 and (address in _THIS_NETWORK or address.is_reserved)) or is_own(address)


def is_own(address: Address) -> bool:
    """Whether the kernel would deliver to this very machine: then it takes the address itself as source."""
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((str(address), 9))  # sends nothing: only asks the routing table
        except OSError:
            return False  # no route: connecting will say so
        return parse_address(str(probe.getsockname()[0])) == address


class ReachList:
    """The file as it is now: read again when it changed. A file that cannot be read allows nothing."""

    def __init__(self, path: Path, *, loopback_devices: bool = False) -> None:
        self._path, self._loopback_devices = path, loopback_devices
        self._stamp: tuple[int, int, int] | None = None
        self._entries: tuple[Reach, ...] = ()
        self.fault = ""
        self.refresh()

    def refresh(self) -> bool:
        """Return whether the list is another than before."""
        stamp = self._stamp_now()
        if stamp == self._stamp:
            return False
        self._stamp, before = stamp, self._entries
        try:
            self._entries, self.fault = read_reach(self._path), ""
        except BadReach as error:
            self._entries, self.fault = (), str(error)
        return self._entries != before

    def _stamp_now(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def refuses(self, text: str, port: int) -> str | None:
        """The code of why this may not be dialled; None when it may."""
        address = parse_address(text)
        if address is None or never_dialled(address, loopback_devices=self._loopback_devices):
            return "address.refused"
        if not any(entry.covers(address, port) for entry in self._entries):
            return "reach.refused"
        return None
