# SPDX-License-Identifier: Apache-2.0
"""The PROXY protocol, version 2: a load balancer's word on who is behind a TCP connection it passes on.

Source: https://www.haproxy.org/download/2.6/doc/proxy-protocol.txt, section 2.2. Only the binary form is read: it has
a length, so that not one byte of what follows is taken. Believed only from addresses that the settings name.
"""

import ipaddress
import struct

from portineria.core.errors import ProtocolError

_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
_HEAD = struct.Struct(">12sBBH")
HEAD_BYTES = _HEAD.size
REST_BYTES = 536 - HEAD_BYTES  # what fits one segment of the smallest MTU, as the specification promises to senders
_LOCAL, _PROXY = 0x20, 0x21
_ADDRESS_BYTES = {0x11: 4, 0x21: 16}  # TCP over IPv4, TCP over IPv6


class BadProxyHeader(ProtocolError):
    code = "wire.proxy-header"


def rest_bytes(head: bytes) -> int:
    """How many bytes follow the first 16; raise BadProxyHeader."""
    signature, command, _, length = _HEAD.unpack(head)
    if signature != _SIGNATURE or command not in (_LOCAL, _PROXY):
        raise BadProxyHeader("a load balancer is expected to begin with a PROXY header of version 2")
    if length > REST_BYTES:
        raise BadProxyHeader(f"a PROXY header of {HEAD_BYTES + length} bytes, allowed {HEAD_BYTES + REST_BYTES}")
    return int(length)


def address_of(head: bytes, rest: bytes) -> str | None:
    """Who is behind the connection; None for one that the load balancer made itself (a health check)."""
    _, command, family, length = _HEAD.unpack(head)
    if command == _LOCAL:
        return None
    size = _ADDRESS_BYTES.get(family)
    if size is None or len(rest) != length or length < 2 * size + 4:
        raise BadProxyHeader("a PROXY header without the addresses of a TCP connection")
    return str(ipaddress.ip_address(rest[:size]))


def write_header(source: str, target: str, source_port: int, target_port: int) -> bytes:
    """As a load balancer begins a connection from ``source`` to ``target``, two addresses of one family."""
    ends = [ipaddress.ip_address(source).packed, ipaddress.ip_address(target).packed]
    family = 0x11 if len(ends[0]) == 4 else 0x21
    body = b"".join(ends) + struct.pack(">HH", source_port, target_port)
    return _HEAD.pack(_SIGNATURE, _PROXY, family, len(body)) + body
