# SPDX-License-Identifier: Apache-2.0
"""Captures written here by hand, for the reader that the corpus tests trust."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tests.corpus.tcp import Connection, connections

CLIENT, SERVER = bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2])
FIN, SYN, ACK = 1, 2, 16


def segment(sequence: int, data: bytes, *, up: bool = True, flags: int = ACK, acknowledged: int = 0) -> bytes:
    """IPv4 and TCP, port 49152 to 502."""
    source, target, ports = (CLIENT, SERVER, (49152, 502)) if up else (SERVER, CLIENT, (502, 49152))
    tcp = struct.pack(">HHIIBBHHH", *ports, sequence % 2**32, acknowledged % 2**32, 0x50, flags, 1024, 0, 0) + data
    return struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0, source, target) + tcp


def over_ethernet(packet: bytes, tags: bytes = b"") -> bytes:
    return bytes(12) + tags + b"\x08\x00" + packet


def pcap(tmp_path: Path, *packets: bytes, link: int = 101, order: str = "<") -> Path:
    file = tmp_path / "made.pcap"
    head = struct.pack(f"{order}IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link)
    file.write_bytes(head + b"".join(struct.pack(f"{order}4I", 0, 0, len(p), len(p)) + p for p in packets))
    return file


def pcapng(tmp_path: Path, *packets: bytes, order: str) -> Path:
    def block(kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        return struct.pack(f"{order}II", kind, len(body) + 12) + body + struct.pack(f"{order}I", len(body) + 12)

    section = block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1))
    interface = block(1, struct.pack(f"{order}HHI", 101, 0, 0))
    blocks = [block(6, struct.pack(f"{order}5I", 0, 0, 0, len(p), len(p)) + p) for p in packets]
    file = tmp_path / "made.pcapng"
    file.write_bytes(section + interface + b"".join(blocks))
    return file


def one(path: Path) -> Connection:
    (connection,) = connections(path)
    return connection


def told(path: Path) -> list[tuple[bool, bytes, int, int]]:
    return [(piece.from_client, piece.data, piece.frame, piece.lost) for piece in one(path).pieces]


def test_both_directions_come_in_the_order_of_the_capture(tmp_path: Path) -> None:
    path = pcap(
        tmp_path,
        segment(9, b"", flags=SYN),
        segment(99, b"", up=False, flags=SYN | ACK, acknowledged=10),
        segment(10, b"ask", acknowledged=100),
        segment(100, b"tell", up=False, acknowledged=13),
        segment(13, b"ask", acknowledged=104, flags=FIN | ACK),
    )
    found = one(path)
    assert (found.client, found.server, found.from_start) == (("192.0.2.1", 49152), ("192.0.2.2", 502), True)
    assert told(path) == [(True, b"ask", 3, 0), (False, b"tell", 4, 0), (True, b"ask", 5, 0)]


def test_what_is_sent_again_counts_once_and_what_overtakes_waits(tmp_path: Path) -> None:
    path = pcap(
        tmp_path,
        segment(2**32 - 2, b"ab"),  # the sequence number begins again at 0
        segment(2, b"ef"),
        segment(2**32 - 2, b"abcd"),
        segment(2, b"ef"),
        segment(4, b"gh"),
    )
    assert told(path) == [(True, b"ab", 1, 0), (True, b"cd", 3, 0), (True, b"ef", 2, 0), (True, b"gh", 5, 0)]


def test_a_gap_is_told_once_the_other_side_has_confirmed_it(tmp_path: Path) -> None:
    path = pcap(
        tmp_path,
        segment(10, b"ab", acknowledged=50),
        segment(15, b"fg", acknowledged=50),
        segment(50, b"yes", up=False, acknowledged=17),
        segment(60, b"late", up=False, acknowledged=17),
    )
    assert told(path) == [(True, b"ab", 1, 0), (True, b"fg", 2, 3), (False, b"yes", 3, 0), (False, b"late", 4, 7)]


def test_what_a_frame_was_cut_by_is_lost(tmp_path: Path) -> None:
    path = pcap(tmp_path, segment(10, b"abcdef")[:-4], segment(16, b"gh"))
    assert told(path) == [(True, b"ab", 1, 0), (True, b"gh", 2, 4)]


def test_a_port_used_again_is_another_connection(tmp_path: Path) -> None:
    again = segment(700, b"", flags=SYN)
    path = pcap(tmp_path, segment(9, b"", flags=SYN), segment(10, b"one"), again, again, segment(701, b"two"))
    assert [[piece.data for piece in each.pieces] for each in connections(path)] == [[b"one"], [b"two"]]


def test_without_a_syn_the_named_port_serves(tmp_path: Path) -> None:
    path = pcap(tmp_path, segment(10, b"x"))
    assert one(path).client[1] == 49152
    (named,) = connections(path, ports=[49152])
    assert (named.server[1], named.from_start) == (49152, False)


@pytest.mark.parametrize("order", ["<", ">"])
def test_either_format_and_byte_order_gives_the_same(tmp_path: Path, order: str) -> None:
    packets = segment(10, b"abc"), segment(13, b"d")
    tagged = pcap(tmp_path, *(over_ethernet(p, b"\x81\x00\x00\x05") for p in packets), link=1, order=order)
    assert told(tagged) == told(pcapng(tmp_path, *packets, order=order)) == [(True, b"abc", 1, 0), (True, b"d", 2, 0)]


def test_ipv6_with_extensions_is_read(tmp_path: Path) -> None:
    tcp = segment(10, b"abc")[20:]
    body = bytes([6, 0]) + bytes(6) + tcp
    packet = struct.pack(">IHBB16s16s", 6 << 28, len(body), 0, 64, bytes(15) + b"\1", bytes(15) + b"\2") + body
    assert told(pcap(tmp_path, packet)) == [(True, b"abc", 1, 0)]
    assert one(pcap(tmp_path, packet)).client == ("::1", 49152)


def test_what_is_no_tcp_is_left_out(tmp_path: Path) -> None:
    udp = bytearray(segment(10, b"abc"))
    udp[9] = 17
    fragment = bytearray(segment(10, b"abc"))
    fragment[7] = 1
    path = pcap(tmp_path, bytes(udp), bytes(fragment), segment(1, b"")[:30], b"")
    assert connections(path) == []
