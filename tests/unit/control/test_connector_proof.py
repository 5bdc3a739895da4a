# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from portineria.control.identity.connector import BadToken, base64url, check_redirect, read_proof, unbase64
from portineria.control.identity.services import BadField


@pytest.mark.parametrize("redirect", ["http://127.0.0.1:50123/", "http://[::1]:50123/done"])
def test_a_code_may_go_to_a_port_of_the_same_computer(redirect: str) -> None:
    assert check_redirect(redirect) == redirect


@pytest.mark.parametrize(
    "redirect",
    [
        "https://127.0.0.1:50123/",
        "http://127.0.0.1/",
        "http://127.0.0.1:0/",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1.evil.example:50123/",
        "http://127.0.0.1:50123@evil.example/",
        "http://evil.example:80/",
        "http://localhost:50123/",
        "http://127.0.0.1:50123/?x=1",
        "http://127.0.0.1:50123/#x",
        "//127.0.0.1:50123/",
        "javascript:alert(1)",
        "http://[",
        "",
    ],
)
def test_a_code_goes_nowhere_else(redirect: str) -> None:
    with pytest.raises(BadField):
        check_redirect(redirect)


NONCE, SIGNATURE = base64url(bytes(16)), base64url(bytes(64))


def test_the_headers_are_read() -> None:
    proof = read_proof("Portineria abc", f"v1.1700000000000.{NONCE}.{SIGNATURE}")
    assert (proof.token, proof.at_ms, proof.nonce) == ("abc", 1_700_000_000_000, bytes(16))
    assert proof.signature == bytes(64)


@pytest.mark.parametrize(
    ("authorisation", "proof"),
    [
        ("", ""),
        ("Bearer abc", f"v1.1.{NONCE}.{SIGNATURE}"),
        ("Portineria ", f"v1.1.{NONCE}.{SIGNATURE}"),
        ("Portineria abc", f"v2.1.{NONCE}.{SIGNATURE}"),
        ("Portineria abc", f"v1.-1.{NONCE}.{SIGNATURE}"),
        ("Portineria abc", f"v1.١.{NONCE}.{SIGNATURE}"),
        ("Portineria abc", f"v1.{'9' * 16}.{NONCE}.{SIGNATURE}"),
        ("Portineria abc", f"v1.1.{SIGNATURE}"),
        ("Portineria abc", f"v1.1.AAAA.{SIGNATURE}"),
        ("Portineria abc", f"v1.1.{NONCE}.AAAA"),
        ("Portineria abc", f"v1.1.{NONCE}.!!!!"),
    ],
)
def test_other_headers_are_no_proof(authorisation: str, proof: str) -> None:
    with pytest.raises(BadToken):
        read_proof(authorisation, proof)


def test_base64url_is_read_without_padding_and_nothing_else() -> None:
    assert unbase64(base64url(b"\xff\xfe"), "x") == b"\xff\xfe"
    for text in ("A", "é", "A B"):
        with pytest.raises(BadField):
            unbase64(text, "x")
