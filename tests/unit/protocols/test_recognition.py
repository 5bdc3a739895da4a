# SPDX-License-Identifier: Apache-2.0
"""What a connection is taken for, by its first bytes; what none is sure of stays unknown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portineria.protocols.catalogue import ALL
from portineria.protocols.recognition import BEGINNING, TITLES, UNKNOWN, agrees, recognise, title
from tests.corpus import corpus_file
from tests.unit.protocols.recognition_figures import taken_for

FIGURES = json.loads((Path(__file__).resolve().parents[2] / "corpus/figures/recognition.json").read_text())
HELLO = bytes.fromhex("160301 0200 01 0001fc 0303") + bytes(32)
CR, CC = "03000016 11e00000000700c1020100c2020102c0010a", "03000016 11d00000000700c1020100c2020102c0010a"
HEL = "48454c46 20000000 00000000 00000100 00000100 00000000 00000000 00000000"
# What the client begins with, what the device does, what it is: as far as the standards' own examples go.
BEGINNINGS = [
    (b"SSH-2.0-OpenSSH_9.2\r\n", b"", "ssh"),
    (b"", b"SSH-2.0-dropbear\r\n", "ssh"),
    (HELLO, b"", "tls"),
    (bytes.fromhex("0300002f 2ae00000000000") + b"Cookie: mstshash=user\r\n", b"", "rdp"),
    (bytes.fromhex("03000013 0ee00000000000 0100080003000000"), b"", "rdp"),
    (b"", b"RFB 003.008\n", "vnc"),
    (b"GET /index.html HTTP/1.1\r\nHost: a\r\n", b"", "http"),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"", "http"),
    (b"GET /" + b"a" * 300, b"", "http"),
    (b"USER anonymous\r\n", b"220 ready\r\n", "ftp"),
    (b"", b"220 ProFTPD Server\r\n", "ftp"),
    (b"EHLO mail\r\n", b"220 mail ESMTP\r\n", UNKNOWN),
    (b"", b"220 ready\r\n", UNKNOWN),
    (b"", b"\xff\xfd\x18\xff\xfd\x20", "telnet"),
    (bytes.fromhex("00000054 fe534d42 4000"), b"", "smb"),
    (bytes.fromhex("81000044 20") + b"EBENEM", b"", "smb"),
    (bytes.fromhex("100c 0004 4d515454 04 02 003c 0000"), b"", "mqtt"),
    (bytes.fromhex("10 8101 0006 4d5149736470 03"), b"", "mqtt"),
    (bytes.fromhex(CR + "03000019 02f080 32010000"), bytes.fromhex(CC), "s7comm"),
    (bytes.fromhex(CR + "03000019 02f080 72010000"), bytes.fromhex(CC), "s7comm-plus"),
    (bytes.fromhex(CR + "03000019 02f080 0db20506"), bytes.fromhex(CC), "mms"),
    (bytes.fromhex(CR), bytes.fromhex(CC), UNKNOWN),  # several begin so
    (bytes.fromhex(HEL), b"", "opcua"),
    (
        bytes.fromhex(HEL + "4f504e46 84000000 00000000 2f000000") + b"http://opcfoundation.org/UA/SecurityPolicy#None",
        b"",
        "opcua",
    ),
    (
        bytes.fromhex(HEL + "4f504e46 84000000 00000000 39000000")
        + b"http://opcfoundation.org/UA/SecurityPolicy#Basic256Sha256",
        b"",
        "opcua-secured",
    ),
    (b"\x50\x00\x00\xff\xff\x03\x00\x0c\x00\x10\x00", b"", "melsec"),
    (b"\x54\x00\x34\x12\x00\x00\x00\xff\xff\x03\x00\x0c\x00", b"", "melsec"),
    (bytes.fromhex("0610 0205 001a 0801"), b"", "knx-ip"),
    (bytes.fromhex("05000b03 10000000 4800"), b"", "dce-rpc"),
    (bytes.fromhex("0001 0000 0006 01 03 0000 000a"), b"", "modbus"),
    (bytes.fromhex("6804 07000000"), b"", "iec104"),
    (bytes.fromhex("056408c40a000100fc42"), b"", "dnp3"),
]


@pytest.mark.parametrize(("asks", "tells", "name"), BEGINNINGS)
def test_what_standards_show_is_recognised(asks: bytes, tells: bytes, name: str) -> None:
    assert recognise(asks, tells) == name


@pytest.mark.parametrize("capture", FIGURES["captures"])
def test_real_connections_are_taken_for_what_was_measured(capture: str) -> None:
    assert taken_for(corpus_file(capture)) == FIGURES["captures"][capture]


def test_no_real_connection_is_taken_for_something_else() -> None:
    """tshark, nDPI or Zeek say what it is."""
    assert len(FIGURES["families"]) > 20
    assert not any(counts["wrong"] for counts in FIGURES["families"].values())


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_any_bytes_have_a_name_with_a_title(asks: bytes, tells: bytes) -> None:
    name = recognise(asks, tells)
    assert name in TITLES or name in {info.name for info in ALL}
    assert title(name)
    assert name == recognise(asks[:BEGINNING] + b"more", tells[:BEGINNING]) or len(asks) < BEGINNING


@given(st.sampled_from(BEGINNINGS), st.integers(0, 60), st.integers(0, 60))
def test_less_of_a_beginning_is_the_same_or_unknown_or_a_part_of_it(
    beginning: tuple[bytes, bytes, str], asked: int, told: int
) -> None:
    asks, tells, name = beginning
    assert recognise(asks[:asked], tells[:told]) in (name, UNKNOWN, "opcua", "ftp")


def test_nothing_is_recognised_in_nothing() -> None:
    for nothing in (b"", b"\0", b"\0" * 64, b"\xff" * 64, b"\0\0\0\0\0\x06" * 10):
        assert recognise(nothing, nothing) == UNKNOWN


@pytest.mark.parametrize(
    ("declared", "seen", "expected"),
    [
        ("ssh", "ssh", True),
        ("SFTP", "ssh", True),
        ("https", "tls", True),
        ("opcua", "opcua-secured", True),
        ("iec104", "iec104", True),
        ("IEC 60870-5-104", "iec104", True),
        ("ssh", "rdp", False),
        ("vnc", "tls", False),
        ("modbus", "dnp3", False),
        ("https", "http", False),
        ("ssh", UNKNOWN, None),
        ("ssh", "a later family", None),
        ("", "ssh", None),
        ("winbox", "tls", None),
    ],
)
def test_whether_a_service_is_what_it_is_called(declared: str, seen: str, expected: bool | None) -> None:
    assert agrees(declared, seen) is expected
