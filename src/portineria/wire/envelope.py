# SPDX-License-Identifier: Apache-2.0
"""Signed statements and sealed letters.

A signature covers ``type ‖ version ‖ exact bytes`` and is verified before the bytes are decoded; nothing is ever
re-encoded to be verified (WIRE 2). A sealed letter is HPKE (RFC 9180), so that the relay that carries it sees its
size and addressee only (WIRE 7, 18).
"""

from typing import Annotated

import msgspec
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from portineria.core.errors import ProtocolError
from portineria.wire.frame import Codec

_SUITES = {1: Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)}  # a byte names the suite, so that others may follow
_SUITE = 1


class BadSignature(ProtocolError):
    code = "wire.signature"


class BadSeal(ProtocolError):
    code = "wire.seal"


class Signed(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A statement, who is said to have signed it, and the signature. Unverified until ``verify`` returned its bytes."""

    type: Annotated[str, msgspec.Meta(max_length=64)]
    version: int
    signer: Annotated[str, msgspec.Meta(max_length=128)]
    statement: bytes
    signature: Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]


_SIGNED: Codec[Signed] = Codec(Signed)


def _covered(kind: str, version: int, signer: str, statement: bytes) -> bytes:
    # Lengths go in front so that no two different statements share the same covered bytes.
    head = b"".join(len(part).to_bytes(2, "big") + part for part in (kind.encode(), signer.encode()))
    return b"portineria-signed" + version.to_bytes(2, "big") + head + statement


def sign(key: Ed25519PrivateKey, *, kind: str, version: int, signer: str, statement: bytes) -> bytes:
    signature = key.sign(_covered(kind, version, signer, statement))
    return _SIGNED.encode(Signed(kind, version, signer, statement, signature))


def read_signed(data: bytes) -> Signed:
    """Only the wrapping is read: ``signer`` says which key to look up, nothing is believed yet."""
    return _SIGNED.decode(data)


def verify(signed: Signed, key: Ed25519PublicKey, *, kind: str, version: int) -> bytes:
    """Return the exact signed bytes; raise BadSignature for another kind, version or key."""
    if signed.type != kind or signed.version != version:
        raise BadSignature(f"expected {kind}/{version}, got {signed.type[:40]!r}/{signed.version}")
    try:
        key.verify(signed.signature, _covered(signed.type, signed.version, signed.signer, signed.statement))
    except InvalidSignature as error:
        raise BadSignature(f"{kind} is not signed by the expected key") from error
    return signed.statement


def seal(data: bytes, recipient: X25519PublicKey, *, info: bytes) -> bytes:
    """Raise BadSeal for a key that nothing can be sealed to."""
    try:
        return bytes([_SUITE]) + _SUITES[_SUITE].encrypt(data, recipient, info=info)
    except ValueError as error:  # a point of small order: the shared secret would be known to everybody
        raise BadSeal("nothing can be sealed to this key") from error


def unseal(sealed: bytes, key: X25519PrivateKey, *, info: bytes) -> bytes:
    suite = _SUITES.get(sealed[0]) if sealed else None
    if suite is None:
        raise BadSeal("unknown sealing suite")
    try:
        return suite.decrypt(sealed[1:], key, info=info)
    except (InvalidTag, ValueError) as error:
        raise BadSeal("not sealed to this key, or altered") from error
