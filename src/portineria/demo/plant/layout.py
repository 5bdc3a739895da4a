# SPDX-License-Identifier: Apache-2.0
"""Where the devices of a plant live: five consecutive addresses, each with the standard port of its protocol."""

from dataclasses import dataclass
from ipaddress import IPv4Address


@dataclass(frozen=True, slots=True)
class Place:
    """One service of one device."""

    device: str
    protocol: str
    address: str
    port: int


_SERVICES = (  # device, protocol, standard port, port where ports below 1024 are forbidden
    ("controller", "modbus", 502, 1502),
    ("drives", "s7", 102, 1102),
    ("press", "opcua", 4840, 14840),
    ("maintenance-pc", "ssh", 22, 2222),
    ("panel", "http", 80, 8081),
)
DEVICES = tuple(device for device, *_ in _SERVICES)


def places(base: str, *, high_ports: bool = False) -> tuple[Place, ...]:
    """The services of a plant whose devices follow ``base``: 192.168.10.10 puts the controller at 192.168.10.11."""
    return tuple(
        Place(device, protocol, str(IPv4Address(base) + offset), high if high_ports else standard)
        for offset, (device, protocol, standard, high) in enumerate(_SERVICES, start=1)
    )
