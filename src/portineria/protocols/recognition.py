# SPDX-License-Identifier: Apache-2.0
"""What a connection carries, by the first bytes of both directions and never by its port: a name, nothing is decoded.

For what passes unread, so that whoever reads the report of a session sees whether the service was what it is called.
Each rule asks for more than one byte that others might send; what none is sure of stays unknown.
"""

import re
from collections.abc import Callable

from portineria.protocols.catalogue import ALL

BEGINNING = 256  # bytes of each direction that are looked at
UNKNOWN = "unknown"
Rule = Callable[[bytes, bytes], bool]  # what the client began with, what the device did

# Names of families that are not decoded, as people know them; of those that are, ``ProtocolInfo.title``.
TITLES = {
    "ssh": "SSH",  # RFC 4253, 4.2
    "tls": "TLS",  # RFC 8446, 5.1 and 4.1.2: a ClientHello
    "rdp": "RDP",  # MS-RDPBCGR, 2.2.1.1
    "vnc": "VNC",  # RFC 6143, 7.1.1
    "http": "HTTP",  # RFC 9112, 3 and 4
    "ftp": "FTP",  # RFC 959, 5.4
    "telnet": "Telnet",  # RFC 854 and 855: an option is negotiated
    "smb": "SMB",  # MS-SMB2, 2.1 and 2.2.1; RFC 1002, 4.3
    "mqtt": "MQTT",  # MQTT 5.0, 3.1: a CONNECT
    "s7comm-plus": "S7comm-plus",  # unpublished: protocol id 0x72
    "mms": "MMS (IEC 61850)",  # ISO 8327-1, 8.2; ISO 9506-2, 7: CONNECT, or initiate
    "opcua-secured": "OPC UA, secured",  # Part 6 6.7.2.3: a policy that is not None
    "beckhoff-ads": "Beckhoff ADS",  # AMS/TCP header, 32 bytes of AMS header
    "omron-fins": "Omron FINS",  # W421, 7-4: FINS/TCP header
    "melsec": "MELSEC",  # SLMP SH-080931, 3E and 4E frames; MELSOFT is unpublished
    "hart-ip": "HART-IP",  # HCF_SPEC-85, session initiate
    "c37-118": "IEEE C37.118",  # C37.118.2, 6.2: SYNC and FRAMESIZE
    "dlms": "DLMS/COSEM",  # IEC 62056-47: the wrapper; an AARQ within
    "c12-22": "ANSI C12.22",  # C12.22, 5.3: its object identifier
    "knx-ip": "KNXnet/IP",  # ISO 22510: header of version 1.0
    "niagara-fox": "Niagara Fox",  # unpublished
    "trdp": "TRDP",  # IEC 61375-2-3, A.6: message data
    "dce-rpc": "DCE/RPC",  # C706, 12.6.4.3: a bind
    "citrix-ica": "Citrix ICA",  # unpublished
    "openvpn": "OpenVPN",  # its protocol over TCP: a hard reset of each side
    "radmin": "Radmin",  # unpublished
    "teamviewer": "TeamViewer",  # unpublished
    UNKNOWN: "unknown",
}
_HTTP = re.compile(rb"(GET|HEAD|POST|PUT|DELETE|CONNECT|OPTIONS|TRACE|PATCH|PRI) [!-~]+ HTTP/\d")
_HTTP_LONG = re.compile(rb"(GET|HEAD|POST|PUT|DELETE|PATCH) /[!-~]{200}")  # the target is longer than what is kept
_FTP_ASKS = re.compile(rb"(USER|AUTH|FEAT|OPTS|SYST|PASS|QUIT|HOST) ?", re.IGNORECASE)
_RFB = re.compile(rb"RFB \d{3}\.\d{3}")
_FOX = re.compile(rb"fox a \d ")
_TELNET = re.compile(rb"\xff[\xfb-\xfe][\x00-\x31]")


def recognise(from_client: bytes, from_device: bytes) -> str:
    """A name of TITLES, or of the catalogue. More than BEGINNING bytes of either are not looked at."""
    asks, tells = from_client[:BEGINNING], from_device[:BEGINNING]
    for name, rule in _RULES:
        if rule(asks, tells):
            return name
    return next((info.name for info in ALL if info.name not in _OWN_RULES and info.recognise(asks)), UNKNOWN)


def title(name: str) -> str:
    return TITLES.get(name) or next((info.title for info in ALL if info.name == name), name)


# What the protocol of a service may be called and still be what was seen.
_SAME = {
    "tls": {"https", "ssl", "ftps", "mqtts", "opcua-https", "wss"},
    "ssh": {"sftp", "scp"},
    "rdp": {"ms-rdp", "mstsc"},
    "vnc": {"rfb"},
    "smb": {"cifs"},
    "http": {"web", "ws"},
    "opcua-secured": {"opcua", "opc ua", "opc-ua"},
    "mms": {"iec61850", "iec 61850", "61850"},
    "s7comm": {"s7"},
    "s7comm-plus": {"s7", "s7comm", "s7plus", "s7+"},
}


def agrees(declared: str, seen: str) -> bool | None:
    """Whether a service that is called ``declared`` may show ``seen``; None where nobody can say.

    ``declared``: as ``ProofLevel`` understands it, a name of ours where we have one.
    """
    word, names = declared.strip().casefold(), {*TITLES, *(info.name for info in ALL)} - {UNKNOWN}
    if not word or seen not in names:
        return None
    if word in (seen, title(seen).casefold()) or word in _SAME.get(seen, ()):
        return True
    known = names.union(*_SAME.values(), (title(each).casefold() for each in names))
    return False if word in known else None


def _ssh(asks: bytes, tells: bytes) -> bool:
    return asks.startswith(b"SSH-") or tells.startswith(b"SSH-")


def _tls(asks: bytes, tells: bytes) -> bool:
    return len(asks) > 5 and asks[:2] == b"\x16\x03" and asks[2] <= 4 and asks[5] == 1


def _vnc(asks: bytes, tells: bytes) -> bool:
    return bool(_RFB.match(asks) or _RFB.match(tells))


def _http(asks: bytes, tells: bytes) -> bool:
    return bool(_HTTP.match(asks) or _HTTP_LONG.match(asks))


def _ftp(asks: bytes, tells: bytes) -> bool:
    """Its greeting is that of SMTP, too: the client says which."""
    return tells[:4] in (b"220 ", b"220-") and bool(_FTP_ASKS.match(asks) or (not asks and b"FTP" in tells))


def _telnet(asks: bytes, tells: bytes) -> bool:
    return bool(_TELNET.match(asks) or _TELNET.match(tells))


def _smb(asks: bytes, tells: bytes) -> bool:
    """Over NetBIOS a session is requested first."""
    magic = asks[:1] == b"\0" and asks[5:8] == b"SMB" and asks[4:5] in (b"\xff", b"\xfe", b"\xfd", b"\xfc")
    return magic or (asks.startswith(b"\x81\0\0\x44\x20") and tells[:1] in (b"", b"\x82", b"\x83"))


def _mqtt(asks: bytes, tells: bytes) -> bool:
    at = next((place for place in range(1, min(5, len(asks))) if asks[place] < 0x80), 0)
    return asks[:1] == b"\x10" and at > 0 and asks[at + 1 :].startswith((b"\0\4MQTT", b"\0\6MQIsdp"))


def _data_units(beginning: bytes) -> list[bytes]:
    """What stands in each packet of RFC 1006, from its X.224 type on, as far as it came."""
    found, at = [], 0
    while beginning[at : at + 2] == b"\3\0" and len(beginning) > at + 5:
        size = int.from_bytes(beginning[at + 2 : at + 4], "big")
        if size < 7:
            break
        found.append(beginning[at + 5 : at + size])
        at += size
    return found


def _rdp(asks: bytes, tells: bytes) -> bool:
    """X.224 CONNECT with a cookie, a token, or the request of a protocol."""
    first = (_data_units(asks) or [b""])[0]
    return first[:1] == b"\xe0" and (b"Cookie: " in first or (first[6:7] == b"\1" and first[8:10] == b"\x08\0"))


def _carried(asks: bytes) -> bytes:
    """The first two bytes of what X.224 carries first: DT, 0xf0, with its end of a unit."""
    return next((each[2:4] for each in _data_units(asks) if each[:1] == b"\xf0"), b"")


def _s7comm(asks: bytes, tells: bytes) -> bool:
    return _carried(asks)[:1] == b"\x32"


def _s7comm_plus(asks: bytes, tells: bytes) -> bool:
    return _carried(asks)[:1] == b"\x72"


def _mms(asks: bytes, tells: bytes) -> bool:
    """CONNECT of the session layer, or MMS without one: initiate."""
    return _carried(asks)[:1] in (b"\x0d", b"\xa8")


def _opcua_secured(asks: bytes, tells: bytes) -> bool:
    """The policy of the first OPN, after HEL."""
    if asks[:4] != b"HELF":
        return False
    opened = asks[int.from_bytes(asks[4:8], "little") :]
    size = int.from_bytes(opened[12:16], "little")
    uri = opened[16 : 16 + size]
    return opened[:3] == b"OPN" and size == len(uri) and b"SecurityPolicy#" in uri and not uri.endswith(b"#None")


def _ads(asks: bytes, tells: bytes) -> bool:
    size, data = int.from_bytes(asks[2:6], "little"), int.from_bytes(asks[26:30], "little")
    return len(asks) >= 38 and asks[:2] == b"\0\0" and size == 32 + data and asks[24:26] == b"\4\0"


def _fins(asks: bytes, tells: bytes) -> bool:
    return len(asks) >= 12 and asks[:4] == b"FINS" and asks[8:11] == b"\0\0\0"


def _melsec(asks: bytes, tells: bytes) -> bool:
    framed = asks[:2] in (b"\x50\0", b"\x54\0") and asks[2 if asks[0] == 0x50 else 6 :][1:4] == b"\xff\xff\x03"
    melsoft = {each[5:7] for each in (asks, tells) if each[:1] in (b"\x57", b"\xd7")} == {b"\x11\x11"}
    return framed or melsoft


def _hart_ip(asks: bytes, tells: bytes) -> bool:
    return asks[:4] == b"\1\0\0\0" and asks[6:9] == b"\0\x0d\1"


def _c37_118(asks: bytes, tells: bytes) -> bool:
    """A command; its size is that of the fixed part where it has no other."""
    return len(asks) >= 4 and asks[0] == 0xAA and asks[1] in (0x41, 0x42) and int.from_bytes(asks[2:4], "big") >= 18


def _dlms(asks: bytes, tells: bytes) -> bool:
    return asks[:2] == b"\0\1" and asks[8:9] == b"\x60" and int.from_bytes(asks[6:8], "big") == 2 + asks[9]


def _c12_22(asks: bytes, tells: bytes) -> bool:
    return asks[:1] == b"\x60" and b"\x2b\x06\x01\x04\x01\x82\x85\x63" in asks[:48]


def _knx(asks: bytes, tells: bytes) -> bool:
    return any(
        each[:2] == b"\6\x10" and each[2:3] in (b"\2", b"\3", b"\4", b"\x09") and each[4:5] == b"\0"
        for each in (asks, tells)
    )


def _fox(asks: bytes, tells: bytes) -> bool:
    return bool(_FOX.match(asks) or _FOX.match(tells))


def _trdp(asks: bytes, tells: bytes) -> bool:
    return asks[4:6] == b"\1\0" and asks[6:8] in (b"Mn", b"Mr", b"Mp", b"Mq", b"Mc", b"Me")


def _dce_rpc(asks: bytes, tells: bytes) -> bool:
    return asks[:2] == b"\5\0" and asks[2:3] == b"\x0b" and asks[4:8] in (b"\x10\0\0\0", b"\0\0\0\0")


def _ica(asks: bytes, tells: bytes) -> bool:
    return b"\x7f\x7fICA\0" in (asks[:6], tells[:6])


def _openvpn(asks: bytes, tells: bytes) -> bool:
    """P_CONTROL_HARD_RESET_CLIENT_V2, answered by _SERVER_V2; their length is not that of much else."""
    sized = 14 <= int.from_bytes(asks[:2], "big") <= 120
    return sized and asks[2:3] in (b"\x38", b"\x50") and tells[2:3] in (b"\x40", b"")


def _radmin(asks: bytes, tells: bytes) -> bool:
    return asks[:10] == b"\1\0\0\0\1\0\0\0\x08\x08"


def _teamviewer(asks: bytes, tells: bytes) -> bool:
    return asks[:2] in (b"\x17\x24", b"\x11\x30") and tells[:2] in (b"\x17\x24", b"\x11\x30", b"")


_RULES: tuple[tuple[str, Rule], ...] = (
    ("ssh", _ssh),
    ("tls", _tls),
    ("rdp", _rdp),
    ("s7comm", _s7comm),
    ("s7comm-plus", _s7comm_plus),
    ("mms", _mms),
    ("vnc", _vnc),
    ("http", _http),
    ("ftp", _ftp),
    ("smb", _smb),
    ("mqtt", _mqtt),
    ("opcua-secured", _opcua_secured),
    ("beckhoff-ads", _ads),
    ("omron-fins", _fins),
    ("melsec", _melsec),
    ("hart-ip", _hart_ip),
    ("c37-118", _c37_118),
    ("dlms", _dlms),
    ("c12-22", _c12_22),
    ("niagara-fox", _fox),
    ("trdp", _trdp),
    ("dce-rpc", _dce_rpc),
    ("citrix-ica", _ica),
    ("openvpn", _openvpn),
    ("radmin", _radmin),
    ("teamviewer", _teamviewer),
    ("knx-ip", _knx),
    ("telnet", _telnet),
)
_OWN_RULES = {"s7comm"}  # its connection begins as that of others: only what is carried says which
