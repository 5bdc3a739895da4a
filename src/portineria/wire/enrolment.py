# SPDX-License-Identifier: Apache-2.0
"""Enrolment: a code that is never sent authenticates both sides, so that even the first use is safe (WIRE 5).

The code is ``LOOKUP-SECRET``: 30 bits find the row, 100 bits are the secret. Base32 without look-alikes, in groups of
five, read over the telephone if need be.
"""

import hashlib
import hmac
import secrets
from typing import Annotated

import msgspec
from msgspec import Meta

from portineria.core.errors import Invalid
from portineria.wire.envelope import BadSignature
from portineria.wire.frame import Codec
from portineria.wire.statement import PRINTABLE, Id, OpeningKey, RelayAddress, Sha256

_ALPHABET = "ABCDEFGHJKMNPQRSTVWXYZ0123456789"  # Crockford's 32 symbols: no I, L, O, U
_LOOKUP, _SECRET = 6, 20  # symbols of 5 bits: 30 and 100 bits
_READ_AS = str.maketrans({"I": "1", "L": "1", "O": "0"})


class BadCode(Invalid):
    code = "enrolment.code"


def new_code() -> str:
    symbols = "".join(secrets.choice(_ALPHABET) for _ in range(_LOOKUP + _SECRET))
    return "-".join((symbols[:6], symbols[6:11], symbols[11:16], symbols[16:21], symbols[21:]))


def split_code(code: str) -> tuple[str, bytes]:
    """Return (lookup id, secret); raise BadCode. Case, spaces and hyphens do not matter."""
    symbols = code.upper().translate(_READ_AS).replace("-", "").replace(" ", "")
    if len(symbols) != _LOOKUP + _SECRET or not set(symbols) <= set(_ALPHABET):
        raise BadCode("an enrolment code has 26 letters and digits")
    return symbols[:_LOOKUP], symbols[_LOOKUP:].encode()


class EnrolmentRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a gateway asks with: its three public keys, made on the device. ``name`` is a proposal, shown as text."""

    tls_key: Annotated[bytes, Meta(max_length=128)]  # P-256, DER SubjectPublicKeyInfo
    event_key: Sha256  # Ed25519, raw
    sealing_key: Sha256  # X25519, raw
    name: Annotated[str, Meta(max_length=64)]
    version: Annotated[str, Meta(max_length=32, pattern=PRINTABLE)]


class Trust(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the gateway pins and starts from. ``issuers`` and ``root`` are DER certificates."""

    organisation: Id
    gateway: Id
    root: bytes
    issuers: dict[str, bytes]
    signers: dict[str, bytes]  # signer id → certificate
    relays: list[RelayAddress]
    opening_keys: list[OpeningKey]
    renew_url: Annotated[str, Meta(max_length=512)]


REQUEST: Codec[EnrolmentRequest] = Codec(EnrolmentRequest)
TRUST: Codec[Trust] = Codec(Trust)


def gateway_proof(secret: bytes, request: bytes) -> bytes:
    return hmac.digest(secret, b"enrol-gw" + hashlib.sha256(request).digest(), "sha256")


def server_proof(secret: bytes, request: bytes, trust: bytes, root_spki_sha256: bytes) -> bytes:
    """Covers the root, the gateway's own keys and everything else the gateway is about to pin."""
    parts = root_spki_sha256 + hashlib.sha256(request).digest() + hashlib.sha256(trust).digest()
    return hmac.digest(secret, b"enrol-srv" + parts, "sha256")


def introduction_covered(request: bytes, plant: str, root_spki_sha256: bytes) -> bytes:
    """What a gateway without a code signs with its TLS key: it has it, and means this server and this plant."""
    return b"portineria-introduction" + root_spki_sha256 + hashlib.sha256(request).digest() + plant.encode()


def check(expected: bytes, given: bytes, whose: str) -> None:
    if not hmac.compare_digest(expected, given):
        raise BadSignature(f"the {whose} does not know the secret of this code")
