# SPDX-License-Identifier: Apache-2.0
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from portineria.wire.envelope import BadSignature
from portineria.wire.frame import FIRST_FRAME_BYTES, BadFrame, FrameDecoder
from portineria.wire.leg import (
    FROM_RELAY,
    TO_RELAY,
    Challenge,
    ConnectorLeg,
    Dial,
    GatewayLeg,
    GatewayProof,
    Go,
    Letters,
    Purpose,
    Refused,
    SpareLeg,
    ToRelay,
    Welcome,
    check_proof,
    first_frame,
    prove,
)

NONCE = b"n" * 32
CHALLENGE = Challenge(NONCE, "rel_1")
KEY = ec.generate_private_key(ec.SECP256R1())


@pytest.mark.parametrize(
    "message", [CHALLENGE, Go(True), Refused("gateway.away"), Welcome(55, 15), Dial(NONCE), Letters([b"sealed"])]
)
def test_what_a_relay_says_is_understood(message: object) -> None:
    assert FROM_RELAY.decode(FROM_RELAY.encode(message)) == message  # type: ignore[arg-type]


def test_an_end_does_not_take_its_own_words_from_a_relay() -> None:
    with pytest.raises(BadFrame):
        FROM_RELAY.decode(TO_RELAY.encode(GatewayLeg(NONCE, False)))


def test_the_largest_proofs_fit_into_a_first_frame() -> None:
    connector = ConnectorLeg(bytes(1024), bytes(128), bytes(128), True)
    largest: list[ToRelay] = [
        GatewayProof(bytes(1024), bytes(128)), SpareLeg(bytes(1024), bytes(128)), connector,
    ]  # fmt: skip
    for message in largest:
        [payload] = FrameDecoder(limit=FIRST_FRAME_BYTES).receive(first_frame(message))
        assert TO_RELAY.decode(payload) == message


def test_a_nonce_of_another_length_is_refused() -> None:
    with pytest.raises(BadFrame):
        FROM_RELAY.decode(FROM_RELAY.encode(Challenge(b"short", "rel_1")))


def check(signature: bytes, *, nonce: bytes = NONCE, relay: str = "rel_1", purpose: Purpose = "leg") -> None:
    check_proof(KEY.public_key(), signature, nonce=nonce, relay=relay, purpose=purpose)


def test_a_proof_counts_for_its_nonce_relay_and_purpose_only() -> None:
    signature = prove(KEY, CHALLENGE, "leg")
    check(signature)
    with pytest.raises(BadSignature):
        check(signature, nonce=b"m" * 32)
    with pytest.raises(BadSignature):
        check(signature, relay="rel_2")
    with pytest.raises(BadSignature):
        check(signature, purpose="link")
    with pytest.raises(BadSignature):
        check(prove(ec.generate_private_key(ec.SECP256R1()), CHALLENGE, "leg"))
