# SPDX-License-Identifier: Apache-2.0
"""What a gateway signs for each chunk of a recording: where it stands, what it counts, the hash of what is encrypted.

An entry is readable without any key of a recipient: ids, counts and times, no address and not a byte of what was said.
The SHA-256 of a signed entry is named by the next one; that of the last is the recording's *head*, which the gateway
reports in a signed event.
"""

import hashlib
from typing import Annotated

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec import Meta

from portineria.core.errors import ProtocolError
from portineria.wire.envelope import read_signed, sign, verify
from portineria.wire.frame import Codec
from portineria.wire.statement import Nonce, PlainId, Sha256

KIND, VERSION = "portineria.recording", 1
PLAIN_BYTES = 8 << 20  # of one chunk before it is packed; the recorder seals at a quarter of that
CIPHER_BYTES = PLAIN_BYTES + (64 << 10)  # what cannot be packed grows by the heads of zlib and age
STREAMS = 2048  # that changed within one chunk; a recorder seals when there are half as many
ENTRY_BYTES = 256 << 10  # 2,048 counts of 100 bytes, and the rest
RECIPIENTS = 16
_COUNT = Annotated[int, Meta(ge=0, lt=1 << 62)]
# An age recipient of X25519 is 62 characters of bech32; with post-quantum keys they are longer.
Recipient = Annotated[str, Meta(max_length=4096, pattern=r"\Aage1[0-9a-z]+\Z")]
NOTHING_BEFORE = bytes(32)


class BadRecording(ProtocolError):
    code = "recording.format"


class StreamCount(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Bytes of one stream since it was opened; ``lost`` of them passed and were not recorded.

    ``over``: how it ended, in the words of `stream.closed`; empty while it runs.
    """

    stream: PlainId
    to_device: _COUNT
    from_device: _COUNT
    to_lost: _COUNT
    from_lost: _COUNT
    over: Annotated[str, Meta(max_length=32)]


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """``streams``: of those that changed since the entry before. ``totals``: (to the device, from it, lost), of all
    streams so far. ``end``: empty but in the last entry, where it says why the recording ends. ``cuts``: how often
    something was cut out of this chunk, and how many bytes; left out where nothing was, so that whoever knows no cuts
    still reads what has none.
    """

    recording: PlainId
    session: PlainId
    organisation: PlainId
    gateway: PlainId
    key: Sha256  # Ed25519, that signs this
    number: Annotated[int, Meta(ge=1, lt=1 << 31)]
    previous: Sha256
    boot: Nonce
    began_ms: _COUNT  # trusted time; 0 while there is none
    sealed_ms: _COUNT
    began_boot_ms: _COUNT
    sealed_boot_ms: _COUNT
    packets: _COUNT
    operations: _COUNT
    plain_bytes: Annotated[int, Meta(ge=0, le=PLAIN_BYTES)]
    cipher_bytes: Annotated[int, Meta(ge=0, le=CIPHER_BYTES)]
    cipher_sha256: Sha256
    streams: Annotated[list[StreamCount], Meta(max_length=STREAMS)]
    totals: tuple[_COUNT, _COUNT, _COUNT]
    recipients: Annotated[list[Recipient], Meta(max_length=RECIPIENTS)]
    end: Annotated[str, Meta(max_length=32)] = ""
    cuts: _COUNT = 0
    cut_bytes: _COUNT = 0


_ENTRY: Codec[Entry] = Codec(Entry)


def sign_entry(entry: Entry, key: Ed25519PrivateKey) -> bytes:
    return sign(key, kind=KIND, version=VERSION, signer=entry.gateway, statement=_ENTRY.encode(entry))


def open_entry(signed: bytes) -> Entry:
    """Raise ProtocolError unless the key that it names itself signed it. Whose key that is somebody else knows."""
    if len(signed) > ENTRY_BYTES:
        raise BadRecording(f"an entry of {len(signed)} bytes, allowed {ENTRY_BYTES}")
    outer = read_signed(signed)
    entry = _ENTRY.decode(outer.statement)
    try:
        key = Ed25519PublicKey.from_public_bytes(entry.key)
    except ValueError as error:
        raise BadRecording("an entry that names no key") from error
    verify(outer, key, kind=KIND, version=VERSION)
    if outer.signer != entry.gateway:
        raise BadRecording("an entry signed in another's name")
    return entry


def key_of(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def head_of(signed: bytes) -> bytes:
    return hashlib.sha256(signed).digest()
