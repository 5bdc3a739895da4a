# SPDX-License-Identifier: Apache-2.0
import pytest

from portineria.wire.client_hello import BadClientHello, alpn_names, is_tls


def extension(kind: int, content: bytes) -> bytes:
    return kind.to_bytes(2, "big") + len(content).to_bytes(2, "big") + content


def alpn(*names: bytes) -> bytes:
    listed = b"".join(bytes([len(name)]) + name for name in names)
    return extension(16, len(listed).to_bytes(2, "big") + listed)


def hello(extensions: bytes | None, *, kind: int = 1) -> bytes:
    """RFC 8446, 4.1.2, by hand."""
    body = b"\x03\x03" + bytes(32) + b"\x00" + b"\x00\x02\x13\x02" + b"\x01\x00"
    if extensions is not None:
        body += len(extensions).to_bytes(2, "big") + extensions
    message = bytes([kind]) + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + len(message).to_bytes(2, "big") + message


SERVER_NAME = extension(0, b"\x00\x0e\x00\x00\x0bexample.com")


@pytest.mark.parametrize(
    ("peeked", "names"),
    [
        (hello(SERVER_NAME + alpn(b"h2", b"http/1.1")), ("h2", "http/1.1")),
        (hello(alpn(b"portineria-leg/1")), ("portineria-leg/1",)),
        (hello(SERVER_NAME), ()),
        (hello(b""), ()),
        (hello(None), ()),
        (hello(alpn(b"\xff")), ("\ufffd",)),
    ],
    ids=["a browser", "a leg", "no ALPN", "no extensions", "none at all", "no ASCII"],
)
def test_the_offered_protocols_are_read(peeked: bytes, names: tuple[str, ...]) -> None:
    assert alpn_names(peeked) == names


def test_every_beginning_of_a_hello_asks_for_more() -> None:
    whole = hello(SERVER_NAME + alpn(b"portineria-link/1"))
    assert all(alpn_names(whole[:count]) is None for count in range(len(whole)))
    assert alpn_names(whole + b"what follows") == ("portineria-link/1",)


@pytest.mark.parametrize(
    "peeked",
    [
        b"GET / HTTP/1.1\r\n",
        b"\x17" + hello(b"")[1:],
        b"\x16\x02\x00" + hello(b"")[3:],
        b"\x16\x03\x01\x00\x04abcd",
        b"\x16\x03\x01\xff\xff",
        hello(b"", kind=2),
        hello(extension(16, b"\x00\x09\x08short")),
        hello(b"\x00\x10\x00\xff"),
        hello(b"")[:-2] + b"\x00\x09",
    ],
    ids=[
        "http",
        "no handshake",
        "SSL 2",
        "too short",
        "too long",
        "ServerHello",
        "short list",
        "long extension",
        "long block",
    ],
)
def test_what_is_no_hello_is_refused(peeked: bytes) -> None:
    with pytest.raises(BadClientHello):
        alpn_names(peeked)


def test_the_first_byte_tells_tls_from_http() -> None:
    assert is_tls(hello(b""))
    assert not is_tls(b"GET /")
    assert not is_tls(b"")
