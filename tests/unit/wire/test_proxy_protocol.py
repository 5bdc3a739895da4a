# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portineria.core.errors import ProtocolError
from portineria.wire.proxy_protocol import HEAD_BYTES, BadProxyHeader, address_of, rest_bytes, write_header

# HAProxy 2.6, `send-proxy-v2`, from 192.0.2.7:40000 to 198.51.100.1:443, and its own health check.
FROM_HAPROXY = bytes.fromhex("0d0a0d0a000d0a515549540a 21 11 000c c0000207 c6336401 9c40 01bb")
HEALTH_CHECK = bytes.fromhex("0d0a0d0a000d0a515549540a 20 00 0000")


def read(header: bytes) -> str | None:
    head, rest = header[:HEAD_BYTES], header[HEAD_BYTES:]
    assert rest_bytes(head) == len(rest)
    return address_of(head, rest)


def test_the_address_behind_a_load_balancer_is_read() -> None:
    assert read(FROM_HAPROXY) == "192.0.2.7"
    assert write_header("192.0.2.7", "198.51.100.1", 40000, 443) == FROM_HAPROXY
    assert read(write_header("2001:db8::7", "2001:db8::1", 40000, 443)) == "2001:db8::7"


def test_a_health_check_has_nobody_behind_it() -> None:
    assert read(HEALTH_CHECK) is None


def test_more_fields_behind_the_addresses_are_passed_over() -> None:
    header = FROM_HAPROXY[:14] + (12 + 7).to_bytes(2, "big") + FROM_HAPROXY[16:] + bytes.fromhex("03000412345678")
    assert read(header) == "192.0.2.7"


@pytest.mark.parametrize(
    "header",
    [
        b"GET / HTTP/1.1\r\n",
        b"PROXY TCP4 192.0",
        b"\x16\x03\x01" + bytes(13),
        FROM_HAPROXY[:12] + b"\x31" + FROM_HAPROXY[13:],
        FROM_HAPROXY[:12] + b"\x22" + FROM_HAPROXY[13:],
        FROM_HAPROXY[:14] + b"\xff\xff" + FROM_HAPROXY[16:],
        FROM_HAPROXY[:14] + b"\x00\x04" + FROM_HAPROXY[16:20],
        FROM_HAPROXY[:13] + b"\x12" + FROM_HAPROXY[14:],
        FROM_HAPROXY[:13] + b"\x31" + FROM_HAPROXY[14:],
        FROM_HAPROXY[:-1],
    ],
)
def test_what_no_load_balancer_sends_is_refused(header: bytes) -> None:
    with pytest.raises(BadProxyHeader):
        checked(header)


def checked(header: bytes) -> str | None:
    rest_bytes(header[:HEAD_BYTES])
    return address_of(header[:HEAD_BYTES], header[HEAD_BYTES:])


@given(st.binary(min_size=HEAD_BYTES, max_size=HEAD_BYTES + 600), st.booleans())
def test_nothing_but_a_protocol_error_comes_out(data: bytes, signed: bool) -> None:
    data = FROM_HAPROXY[:12] + data[12:] if signed else data
    with contextlib.suppress(ProtocolError):
        checked(data)
