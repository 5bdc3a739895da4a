# SPDX-License-Identifier: Apache-2.0
"""The head of a request is read strictly: two servers in a row must not see two different requests."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portineria.witness.door import Head, Refused, read_head


def head(*lines: str) -> bytes:
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def test_an_ordinary_request_is_read() -> None:
    data = head("POST /add-checkpoint HTTP/1.1", "Host: x", "Content-Length: 12", "accept: */*")
    assert read_head(data) == Head("POST", "/add-checkpoint", 12, keep=True)
    assert not read_head(head("GET / HTTP/1.0")).keep
    assert not read_head(head("GET / HTTP/1.1", "Connection: close")).keep


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (head("POST /add-checkpoint"), 400),
        (head("POST /a b HTTP/1.1"), 400),
        (head("POST / HTTP/2.0"), 400),
        (head("POST / HTTP/1.1", "no colon"), 400),
        (head("POST / HTTP/1.1", "Content-Length : 1"), 400),
        (head("POST / HTTP/1.1", "X: a", " folded"), 400),
        (head("POST / HTTP/1.1", "X: a\nContent-Length: 3"), 400),
        (head("POST / HTTP/1.1", "Content-Length: 1", "content-length: 2"), 400),
        (head("POST / HTTP/1.1", "Content-Length: +1"), 400),
        (head("POST / HTTP/1.1", "Content-Length: 1, 1"), 400),
        (head("POST / HTTP/1.1", "Transfer-Encoding: chunked"), 411),
        (head("POST / HTTP/1.1", "Content-Length: 999999"), 413),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(data: bytes, status: int) -> None:
    with pytest.raises(Refused) as refused:
        read_head(data)
    assert refused.value.status == status


@given(st.binary(max_size=200))
def test_nothing_but_a_refusal_comes_out(data: bytes) -> None:
    with suppress(Refused):
        read_head(b"POST / HTTP/1.1\r\n" + data + b"\r\n\r\n")
