# SPDX-License-Identifier: Apache-2.0
"""Each TCP connection of the captures whose beginning is in them: what it is, and what we take it for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from portineria.protocols.recognition import BEGINNING, UNKNOWN, recognise
from tests.corpus import tshark
from tests.corpus.tcp import Connection, connections

# What tshark finds in a connection -> the family; the first that is there.
FAMILIES = {
    "s7comm": "s7comm",
    "mms": "mms",
    "rdp": "rdp",
    "ams": "beckhoff-ads",
    "synphasor": "c37-118",
    "dnp3": "dnp3",
    "smb": "smb",
    "smb2": "smb",
    "enip": "cip",
    "hart_ip": "hart-ip",
    "iec60870_104": "iec104",
    "dcerpc": "dce-rpc",
    "mbtcp": "modbus",
    "omron": "omron-fins",
    "openvpn": "openvpn",
    "ssh": "ssh",
    "telnet": "telnet",
    "vnc": "vnc",
    "opcua": "opcua",
    "tls": "tls",
    "http": "http",
    "mqtt": "mqtt",
    "ftp": "ftp",
}
# tshark takes them for something else, or for nothing: what nDPI, Zeek or the capture's own description says.
KNOWN = {
    "other_ot/dlms.pcap": "dlms",
    "other_ot/dlms_list.pcap": "dlms",
    "other_ot/niagara_fox.pcap": "niagara-fox",
    "other_ot/trdp_rail.pcapng": "trdp",
    "remote_access_shadow/anydesk.pcapng": "tls",
    "remote_access_shadow/citrix.pcap": "citrix-ica",
    "remote_access_shadow/openvpn.pcapng": "openvpn",
    "remote_access_shadow/radmin3.pcapng": "radmin",
    "remote_access_shadow/ssh.pcapng": "ssh",
    "remote_access_shadow/teamviewer.pcap": "teamviewer",
    "s7/plc_lldp_cotp.pcap": "s7comm-plus",
    "s7/s7_1511_request_all_types.pcap": "s7comm-plus",
}
# The port of a client whose OPN names the policy Basic128Rsa15, as tshark shows.
SECURED = {("opcua/open62541_encrypted.pcapng", 61713)}
OTHER = "of no family"


def begun(path: Path) -> Iterator[tuple[Connection, str]]:
    """Connections with their beginning, and what we take each for."""
    for connection in connections(path):
        if connection.from_start and connection.pieces:
            sides = (
                b"".join(piece.data for piece in connection.pieces if piece.from_client is asks)[:BEGINNING]
                for asks in (True, False)
            )
            yield connection, recognise(*sides)


def taken_for(path: Path) -> dict[str, int]:
    counts: dict[str, int] = {}
    for _, name in begun(path):
        counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items()))


def measure(corpus: Path) -> dict[str, Any]:
    """Of each family how many connections, recognised, and taken for another one; of each capture what we say."""
    families: dict[str, dict[str, int]] = {}
    captures: dict[str, dict[str, int]] = {}
    for path in sorted((corpus / "pcaps").glob("*/*.pcap*")):
        capture = f"{path.parent.name}/{path.name}"
        if not (found := list(begun(path))):
            continue
        captures[f"pcaps/{capture}"] = taken_for(path)
        seen = _seen_by_tshark(path)
        for connection, name in found:
            ports = frozenset((connection.client[1], connection.server[1]))
            family = KNOWN.get(capture) or _family(seen.get(ports, set()))
            if (capture, connection.client[1]) in SECURED:
                family = "opcua-secured"
            counts = families.setdefault(family, {"connections": 0, "recognised": 0, "wrong": 0})
            counts["connections"] += 1
            counts["recognised"] += name == family
            counts["wrong"] += name not in (family, UNKNOWN)
    return {"families": families, "captures": captures}


def _seen_by_tshark(path: Path) -> dict[frozenset[int], set[str]]:
    found: dict[frozenset[int], set[str]] = {}
    for sources, targets, layers in tshark.rows(path, ("tcp.srcport", "tcp.dstport", "frame.protocols"), "tcp.len>0"):
        names = layers[0].partition(":tcp:")[2].split(":")
        found.setdefault(frozenset((int(sources[0]), int(targets[0]))), set()).update(names)
    return found


def _family(layers: set[str]) -> str:
    return next((family for layer, family in FAMILIES.items() if layer in layers), OTHER)
