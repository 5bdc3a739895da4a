# SPDX-License-Identifier: Apache-2.0
"""What exactly to type into the tool, per protocol."""

from portineria.dataplane.connector.door import Door

_USUAL = {"modbus": 502, "s7": 102, "opcua": 4840, "ssh": 22, "http": 80, "https": 443, "vnc": 5900, "rdp": 3389}


def hint(protocol: str, address: str, port: int) -> str:
    usual = _USUAL.get(protocol) == port
    if protocol in ("http", "https"):
        return f"open {protocol}://{address}/" if usual else f"open {protocol}://{address}:{port}/"
    if protocol == "ssh":
        return f"ssh operator@{address}" if usual else f"ssh -p {port} operator@{address}"
    if protocol == "opcua":
        return f"opc.tcp://{address}:{port}"
    if protocol == "modbus":
        return f"Modbus/TCP address {address}, port {port}"
    if protocol == "s7":
        return f"S7 address {address}" + (
            " (TIA Portal, snap7: rack 0)" if usual else f", port {port} (snap7: tcp_port={port})"
        )
    return f"address {address}, port {port}"


def moved(door: Door) -> str | None:
    """Said when the tool must be told another port than it expects."""
    wanted = door.service.port
    if door.port == wanted:
        return None
    if wanted < 1024:
        return f"port {wanted} needs a privilege on this computer, so it is {door.port}"
    return f"port {wanted} is taken on this computer, so it is {door.port}"
