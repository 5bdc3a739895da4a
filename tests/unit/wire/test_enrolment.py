# SPDX-License-Identifier: Apache-2.0
import pytest

from portineria.wire.enrolment import (
    REQUEST,
    BadCode,
    EnrolmentRequest,
    check,
    gateway_proof,
    introduction_covered,
    new_code,
    server_proof,
    split_code,
)
from portineria.wire.envelope import BadSignature

SECRET, REQUEST_BYTES, TRUST_BYTES, ROOT = b"secret", b"request", b"trust", b"r" * 32


def test_a_code_is_read_as_people_write_it() -> None:
    lookup, secret = split_code("ABC123-45678-9DEFG-HJKMN-PQRST")
    assert (lookup, secret) == ("ABC123", b"456789DEFGHJKMNPQRST")
    assert split_code(" abcl23 45678 9defg-hjkmn-pqrst") == (lookup, secret)
    assert split_code("ABCI23-45678-9DEFG-HJKMN-PQRST") == (lookup, secret)


def test_codes_are_unlike_one_another_and_always_readable() -> None:
    codes = {new_code() for _ in range(100)}
    assert len({split_code(code) for code in codes}) == 100
    assert not {"I", "L", "O", "U"} & set("".join(codes))


@pytest.mark.parametrize("code", ["", "ABC123", "ABC123-45678-9DEFG-HJKMN-PQRSU", "ABC123-45678-9DEFG-HJKMN-PQRST-A"])
def test_what_is_no_code_is_refused(code: str) -> None:
    with pytest.raises(BadCode):
        split_code(code)


def test_each_side_proves_something_the_other_cannot_replay() -> None:
    from_gateway = gateway_proof(SECRET, REQUEST_BYTES)
    from_server = server_proof(SECRET, REQUEST_BYTES, TRUST_BYTES, ROOT)
    assert from_gateway != from_server
    check(gateway_proof(SECRET, REQUEST_BYTES), from_gateway, "gateway")


@pytest.mark.parametrize(
    "other",
    [
        server_proof(b"another", REQUEST_BYTES, TRUST_BYTES, ROOT),
        server_proof(SECRET, b"swapped keys", TRUST_BYTES, ROOT),
        server_proof(SECRET, REQUEST_BYTES, b"other relays", ROOT),
        server_proof(SECRET, REQUEST_BYTES, TRUST_BYTES, b"s" * 32),
    ],
    ids=["secret", "request", "trust", "root"],
)
def test_somebody_between_can_swap_nothing(other: bytes) -> None:
    with pytest.raises(BadSignature):
        check(server_proof(SECRET, REQUEST_BYTES, TRUST_BYTES, ROOT), other, "server")


def test_an_introduction_counts_for_its_request_plant_and_root_only() -> None:
    meant = introduction_covered(b"request", "pla_a", b"r" * 32)
    for other in (
        introduction_covered(b"another", "pla_a", b"r" * 32),
        introduction_covered(b"request", "pla_b", b"r" * 32),
        introduction_covered(b"request", "pla_a", b"s" * 32),
    ):
        assert other != meant


def test_a_request_comes_back_as_it_was() -> None:
    request = EnrolmentRequest(b"k" * 91, b"e" * 32, b"s" * 32, "press hall", "0.1.0")
    assert REQUEST.decode(REQUEST.encode(request)) == request
