# SPDX-License-Identifier: Apache-2.0
"""One chunk as it lies on disks and travels: ``PRTREC1`` LF, 4 bytes length, the signed entry, then age ciphertext.

What is encrypted is zlib (RFC 1950) of: 4 bytes length, the index of operations (JSON lines), a whole pcapng file.
"""

import hashlib
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyrage
from pyrage.x25519 import Identity, Recipient

from portineria.core.errors import Invalid
from portineria.recording.entry import CIPHER_BYTES, ENTRY_BYTES, BadRecording, Entry, head_of, open_entry

MAGIC = b"PRTREC1\n"
_LENGTH = struct.Struct(">I")
CHUNK_BYTES = len(MAGIC) + _LENGTH.size + ENTRY_BYTES + CIPHER_BYTES
_FAST = 1  # of zlib: industrial traffic and our synthetic heads repeat themselves, more effort gains a tenth


class BadRecipient(Invalid):
    code = "recording.recipient"


class BadIdentity(Invalid):
    code = "recording.identity"


class NotForUs(Invalid):
    """None of these identities is one of the recipients."""

    code = "recording.not-for-us"


def parse_recipient(text: str) -> Recipient:
    try:
        return Recipient.from_str(text)
    except pyrage.RecipientError as error:
        raise BadRecipient(f"{text[:80]!r} is no age recipient of X25519") from error


def parse_identities(text: str) -> list[Identity]:
    """Of an age identity file: one a line, comments begin with #."""
    lines = [line.strip() for line in text.splitlines()]
    try:
        found = [Identity.from_str(line) for line in lines if line and not line.startswith("#")]
    except pyrage.IdentityError as error:
        raise BadIdentity("a line that is no age identity of X25519") from error
    if not found:
        raise BadIdentity("there is no identity in it")
    return found


def encrypt(index: bytes, capture: bytes, recipients: Sequence[str]) -> tuple[int, bytes]:
    """(bytes before packing, ciphertext). Raise BadRecipient."""
    plain = _LENGTH.pack(len(index)) + index + capture
    return len(plain), pyrage.encrypt(zlib.compress(plain, _FAST), [parse_recipient(one) for one in recipients])


def write_chunk(signed: bytes, cipher: bytes) -> bytes:
    return b"".join((MAGIC, _LENGTH.pack(len(signed)), signed, cipher))


@dataclass(frozen=True, slots=True)
class Chunk:
    """Signature and hash hold."""

    entry: Entry
    head: bytes
    cipher: bytes


def read_chunk(data: bytes) -> Chunk:
    """Raise ProtocolError for any chunk that is not, byte for byte, what the key in it signed."""
    start = len(MAGIC) + _LENGTH.size
    if data[: len(MAGIC)] != MAGIC or len(data) < start:
        raise BadRecording("no chunk of a recording")
    (length,) = _LENGTH.unpack_from(data, len(MAGIC))
    if not 0 < length <= min(ENTRY_BYTES, len(data) - start):
        raise BadRecording(f"an entry of {length} bytes in a chunk of {len(data)}")
    signed, cipher = data[start : start + length], data[start + length :]
    entry = open_entry(signed)
    if len(cipher) != entry.cipher_bytes or hashlib.sha256(cipher).digest() != entry.cipher_sha256:
        raise BadRecording(f"the content is not the signed one ({len(cipher)} of {entry.cipher_bytes} bytes)")
    return Chunk(entry, head_of(signed), cipher)


def open_chunk(chunk: Chunk, identities: Sequence[Identity]) -> tuple[bytes, bytes]:
    """(index, capture). Raise NotForUs, BadRecording."""
    return _split(chunk.entry, _decrypted(chunk.cipher, identities))


def _decrypted(cipher: bytes, identities: Sequence[Identity]) -> bytes:
    try:
        plain: bytes = pyrage.decrypt(cipher, identities)
        return plain
    except pyrage.DecryptError as error:
        raise NotForUs("none of the given identities opens this chunk") from error


def _split(entry: Entry, packed: bytes) -> tuple[bytes, bytes]:
    unpack = zlib.decompressobj()
    try:
        plain = unpack.decompress(packed, entry.plain_bytes + 1)
    except zlib.error as error:
        raise BadRecording("what is encrypted is not packed as it should be") from error
    whole = unpack.eof and not unpack.unused_data and len(plain) == entry.plain_bytes >= _LENGTH.size
    if not whole or (length := _LENGTH.unpack_from(plain)[0]) > len(plain) - _LENGTH.size:
        raise BadRecording("what is encrypted has another size than was signed")
    return plain[_LENGTH.size : _LENGTH.size + length], plain[_LENGTH.size + length :]


Opener = Callable[[Chunk], tuple[bytes, bytes]]
