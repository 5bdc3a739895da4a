# SPDX-License-Identifier: Apache-2.0
"""What a gateway says before it sends a chunk, so that nobody else's bytes are taken in: signed with its event key."""

from typing import Annotated

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Meta

from portineria.recording.chunk import CHUNK_BYTES
from portineria.wire.envelope import read_signed, sign, verify
from portineria.wire.frame import Codec
from portineria.wire.statement import PlainId, Sha256

KIND, VERSION = "portineria.upload", 1
HEADER = "Portineria-Upload"
HEADER_CHARACTERS = 1024  # base64url of 300 bytes


class Upload(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Exactly these bytes follow."""

    gateway: PlainId
    recording: PlainId
    number: Annotated[int, Meta(ge=1, lt=1 << 31)]
    size: Annotated[int, Meta(ge=1, le=CHUNK_BYTES)]
    sha256: Sha256


_UPLOAD: Codec[Upload] = Codec(Upload)


def sign_upload(upload: Upload, key: Ed25519PrivateKey) -> bytes:
    return sign(key, kind=KIND, version=VERSION, signer=upload.gateway, statement=_UPLOAD.encode(upload))


def claimed_gateway(data: bytes) -> str:
    """Whose key is to be tried. Nothing is believed yet."""
    return read_signed(data).signer


def open_upload(data: bytes, key: Ed25519PublicKey) -> Upload:
    """Raise ProtocolError."""
    return _UPLOAD.decode(verify(read_signed(data), key, kind=KIND, version=VERSION))
