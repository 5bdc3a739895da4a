# SPDX-License-Identifier: Apache-2.0
import pytest

from portineria.wire.http_connect import ANSWER_BYTES, BadProxyAnswer, Proxy, ProxyRefused, answered, request

PROXY = Proxy("proxy.plant", 3128)


def test_the_way_is_asked_for_as_rfc_9110_says() -> None:
    assert request("relay.example", 443, PROXY) == (
        b"CONNECT relay.example:443 HTTP/1.1\r\nHost: relay.example:443\r\n\r\n"
    )


def test_an_ipv6_address_stands_in_brackets() -> None:
    assert request("2001:db8::1", 443, PROXY).startswith(b"CONNECT [2001:db8::1]:443 HTTP/1.1\r\n")


def test_credentials_are_those_of_rfc_7617() -> None:
    """Its example: Aladdin, open sesame."""
    asked = request("r", 443, Proxy("p", 1, "Aladdin", "open sesame"))
    assert b"\r\nProxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n" in asked


@pytest.mark.parametrize("host", ["relay\r\nX: y", "relay\n", "re\0lay"])
def test_an_address_cannot_smuggle_a_line(host: str) -> None:
    with pytest.raises(BadProxyAnswer):
        request(host, 443, PROXY)


def test_the_password_does_not_reach_a_log_line() -> None:
    assert "open sesame" not in repr(Proxy("p", 1, "Aladdin", "open sesame"))


def test_an_answer_in_pieces_opens_the_way_at_its_last_byte() -> None:
    whole = b"HTTP/1.1 200 Connection established\r\nVia: squid\r\n\r\n"
    assert [answered(whole[:count]) for count in range(len(whole) + 1)] == [False] * len(whole) + [True]


@pytest.mark.parametrize("status", [407, 403, 502, 101])
def test_a_refusal_carries_the_proxys_own_status(status: int) -> None:
    with pytest.raises(ProxyRefused, match=str(status)):
        answered(f"HTTP/1.1 {status} No\r\nContent-Length: 3\r\n\r\nbad".encode())


@pytest.mark.parametrize(
    "received",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nbytes of somebody",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * ANSWER_BYTES,
    ],
    ids=["another protocol", "another version", "bytes before we spoke", "endless"],
)
def test_what_is_no_answer_is_refused(received: bytes) -> None:
    with pytest.raises(BadProxyAnswer):
        answered(received)
