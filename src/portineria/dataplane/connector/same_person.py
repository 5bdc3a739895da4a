# SPDX-License-Identifier: Apache-2.0
"""Whose program is at the other end of a local connection (WIRE 21).

Linux answers by socket diagnostics (sock_diag(7), a question about one connection) or, where that is forbidden, by
/proc/net/tcp. Other systems do not tell an unprivileged process; there the loopback address is the only bound.
"""

import contextlib
import os
import socket
import struct
import sys
from pathlib import Path

# linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h
_NETLINK_SOCK_DIAG, _BY_FAMILY, _REQUEST, _ERROR = 4, 20, 1, 2
_HEADER = struct.Struct("=IHHII")
_QUESTION = struct.Struct("=BBBBI")  # family, protocol, extensions, padding, states
_ENDS = struct.Struct("!HH16s16s")
_REST = struct.Struct("=III")  # interface, cookie: any
_UID_AT = _HEADER.size + 4 + 48 + 12  # behind state, ends and expires, rqueue, wqueue
_ANY = 0xFFFFFFFF
_ANSWER_BYTES = 8192

Address = tuple[str, int]


def same_person(accepted: socket.socket) -> bool:
    """Whether the other end of a just accepted IPv4 connection belongs to this process's own user."""
    try:
        return same_person_at(accepted.getpeername(), accepted.getsockname())
    except OSError:
        return False  # gone already


def same_person_at(peer: Address, own: Address) -> bool:
    """The same, for a connection known by its two ends."""
    return sys.platform != "linux" or owner(peer, own) == os.getuid()


def owner(local: Address, remote: Address) -> int | None:
    """The user id of the socket that has these two ends, None when nobody holds it (any more)."""
    try:
        return _asked(local, remote)
    except OSError:
        return _listed(local, remote, Path("/proc/net/tcp").read_text())


def _asked(local: Address, remote: Address) -> int | None:
    ends = _ENDS.pack(local[1], remote[1], socket.inet_aton(local[0]), socket.inet_aton(remote[0]))
    body = _QUESTION.pack(socket.AF_INET, socket.IPPROTO_TCP, 0, 0, _ANY) + ends + _REST.pack(0, _ANY, _ANY)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _NETLINK_SOCK_DIAG) as asking:
        asking.settimeout(1)
        asking.send(_HEADER.pack(_HEADER.size + len(body), _BY_FAMILY, _REQUEST, 1, 0) + body)
        answer = asking.recv(_ANSWER_BYTES)
    _, kind, *_ = _HEADER.unpack_from(answer)
    if kind == _ERROR:
        (number,) = struct.unpack_from("=i", answer, _HEADER.size)
        if -number == 2:  # ENOENT: no such connection
            return None
        raise OSError(-number, os.strerror(-number))
    uid, inode = struct.unpack_from("=II", answer, _UID_AT)
    return uid if inode else None  # a socket that its program closed belongs to "0", which is not root


def _listed(local: Address, remote: Address, table: str) -> int | None:
    wanted = [_as_listed(local), _as_listed(remote)]
    for line in table.splitlines()[1:]:
        fields = line.split()
        with contextlib.suppress(IndexError, ValueError):
            if fields[1:3] == wanted and fields[9] != "0":
                return int(fields[7])
    return None


def _as_listed(address: Address) -> str:
    (number,) = struct.unpack("=I", socket.inet_aton(address[0]))
    return f"{number:08X}:{address[1]:04X}"
