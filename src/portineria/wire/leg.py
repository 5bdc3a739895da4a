# SPDX-License-Identifier: Apache-2.0
"""What is said in the outer TLS layer of links and legs, before and beside the end-to-end session (WIRE 0, 11, 12).

The relay speaks first: its nonce makes every proof fresh. Each side sends at most one first frame of 2 KiB.
"""

from collections.abc import Callable
from typing import Annotated, Literal

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Meta

from portineria.wire.envelope import BadSignature
from portineria.wire.frame import FIRST_FRAME_BYTES, Codec
from portineria.wire.statement import Id, Nonce

LINK_ALPN = "portineria-link/1"
LEG_ALPN = "portineria-leg/1"
END_TO_END_ALPN = "portineria-e2e/1"
Purpose = Literal["link", "leg", "spare"]


class _Message(msgspec.Struct, frozen=True, tag_field="is", forbid_unknown_fields=True):
    pass


class Challenge(_Message, frozen=True, tag="challenge"):
    """relay → any: who I am, and the nonce to sign."""

    nonce: Nonce
    relay: Id


class GatewayProof(_Message, frozen=True, tag="gateway"):
    """gateway → relay, first frame of a link."""

    certificate: Annotated[bytes, Meta(max_length=1024)]
    signature: Annotated[bytes, Meta(max_length=128)]


class GatewayLeg(_Message, frozen=True, tag="gateway-leg"):
    """gateway → relay, first frame of a leg: the nonce of the dial request that it answers."""

    dial: Nonce
    nested: bool


class SpareLeg(_Message, frozen=True, tag="spare-leg"):
    """gateway → relay, first frame of a leg that nobody asked for yet. It waits for a connector, and stays nested."""

    certificate: Annotated[bytes, Meta(max_length=1024)]
    signature: Annotated[bytes, Meta(max_length=128)]


class ConnectorLeg(_Message, frozen=True, tag="connector-leg"):
    """connector → relay, first frame of a leg. ``key`` is the session's public key (DER SubjectPublicKeyInfo)."""

    ticket: Annotated[bytes, Meta(max_length=1024)]
    key: Annotated[bytes, Meta(max_length=128)]
    signature: Annotated[bytes, Meta(max_length=128)]
    nested: bool


class Go(_Message, frozen=True, tag="go"):
    """relay → both ends: the other one is here. Its last record before close_notify when not ``nested``."""

    nested: bool


class Refused(_Message, frozen=True, tag="refused"):
    """relay → any: why it hangs up. ``code`` is one of ours; it says nothing about what exists."""

    code: Annotated[str, Meta(max_length=64)]


class Welcome(_Message, frozen=True, tag="welcome"):
    """relay → gateway: the link is up. Ping at least so often, while no session lives on it and while one does."""

    idle_heartbeat_s: Annotated[float, Meta(gt=0, le=3600)]
    busy_heartbeat_s: Annotated[float, Meta(gt=0, le=3600)]


class Dial(_Message, frozen=True, tag="dial"):
    """relay → gateway: come for a leg. Carries no address and no session: the gateway learns those end to end."""

    nonce: Nonce


class DialFailed(_Message, frozen=True, tag="dial-failed"):
    nonce: Nonce
    code: Annotated[str, Meta(max_length=64)]


class Letters(_Message, frozen=True, tag="letters"):
    """relay → gateway: sealed statements. gateway → relay: sealed reports."""

    sealed: Annotated[list[bytes], Meta(max_length=64)]


class Ping(_Message, frozen=True, tag="ping"):
    pass


class Pong(_Message, frozen=True, tag="pong"):
    pass


FromRelay = Challenge | Go | Refused | Welcome | Dial | Letters | Ping | Pong
ToRelay = GatewayProof | GatewayLeg | SpareLeg | ConnectorLeg | DialFailed | Letters | Ping | Pong
FROM_RELAY: Codec[FromRelay] = Codec(FromRelay)
TO_RELAY: Codec[ToRelay] = Codec(ToRelay)


def covered(nonce: bytes, relay: str, purpose: Purpose) -> bytes:
    return b"portineria-auth" + nonce + relay.encode() + b" " + purpose.encode()


def prove(key: ec.EllipticCurvePrivateKey, challenge: Challenge, purpose: Purpose) -> bytes:
    return key.sign(covered(challenge.nonce, challenge.relay, purpose), ec.ECDSA(hashes.SHA256()))


# A gateway's certificate and its signature over the challenge.
Prove = Callable[[Challenge, Purpose], tuple[bytes, bytes]]


def check_proof(
    key: ec.EllipticCurvePublicKey, signature: bytes, *, nonce: bytes, relay: str, purpose: Purpose
) -> None:
    try:
        key.verify(signature, covered(nonce, relay, purpose), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise BadSignature(f"the {purpose} proof does not fit the key") from error


def first_frame(message: ToRelay) -> bytes:
    return TO_RELAY.frame(message, limit=FIRST_FRAME_BYTES)
