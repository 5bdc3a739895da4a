# SPDX-License-Identifier: Apache-2.0
"""Signed notes, their keys and cosignatures, as https://c2sp.org/signed-note and https://c2sp.org/tlog-cosignature say.

A note is text, a blank line, and one line for each signature. Whoever reads one believes nothing of it before a key
that they knew from elsewhere has verified it.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from portineria.core.errors import ProtocolError

NOTE_BYTES = 16_384  # a checkpoint of 300 bytes and a hundred signatures of 150
SIGNATURES = 64  # the standard wants at least 16 accepted
NAME_CHARACTERS = 255
ED25519, COSIGNATURE = 0x01, 0x04  # signature types
_KEY_BYTES = 32
_MOST_SECONDS = (1 << 63) - 1


class BadNote(ProtocolError):
    code = "ledger.note"


class BadNoteSignature(ProtocolError):
    code = "ledger.note.signature"


@dataclass(frozen=True, slots=True)
class Signature:
    name: str
    key_id: bytes
    value: bytes

    def line(self) -> str:
        return f"— {self.name} {base64.b64encode(self.key_id + self.value).decode()}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """``text`` ends with its newline and is what is signed."""

    text: str
    signatures: tuple[Signature, ...] = ()

    def __str__(self) -> str:
        return f"{self.text}\n{''.join(signature.line() for signature in self.signatures)}"

    def with_signatures(self, more: Iterable[Signature]) -> "Note":
        return Note(self.text, tuple(dict.fromkeys([*self.signatures, *more])))


def parse_note(data: str) -> Note:
    """Raise BadNote for what is none: nothing in it is believed yet."""
    if len(data.encode("utf-8", "surrogatepass")) > NOTE_BYTES:
        raise BadNote(f"a note has at most {NOTE_BYTES} bytes")
    if any((ord(symbol) < 0x20 and symbol != "\n") or 0xD800 <= ord(symbol) < 0xE000 for symbol in data):
        raise BadNote("a note has no control characters and no lone surrogates")
    text, blank, lines = data.rpartition("\n\n")
    if not blank or not text:
        raise BadNote("a note is text, an empty line and signatures")
    return Note(f"{text}\n", parse_signatures(lines))


def parse_signatures(lines: str) -> tuple[Signature, ...]:
    """One or more lines, as under a note and in a witness's answer."""
    if not lines.endswith("\n"):
        raise BadNote("the last line of a note ends with a newline")
    found = lines[:-1].split("\n")
    if len(found) > SIGNATURES:
        raise BadNote(f"a note has at most {SIGNATURES} signatures")
    return tuple(_signature(line) for line in found)


def _signature(line: str) -> Signature:
    mark, _, rest = line.partition(" ")
    name, _, value = rest.partition(" ")
    if mark != "—" or not is_key_name(name):
        raise BadNote("a signature's line is: em dash, name, base64")
    data = _decoded(value)
    if len(data) <= 4:
        raise BadNote("a signature is longer than its key's id")
    return Signature(name, data[:4], data[4:])


def is_key_name(name: str) -> bool:
    return 0 < len(name) <= NAME_CHARACTERS and "+" not in name and not any(symbol.isspace() for symbol in name)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadNote("not base64") from error


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key, its owner's name and what it signs: ``name+id+base64``, the standard's text form."""

    name: str
    kind: int
    key: bytes

    @property
    def key_id(self) -> bytes:
        covered = self.name.encode() + b"\n" + bytes([self.kind]) + self.key
        return hashlib.sha256(covered).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(bytes([self.kind]) + self.key).decode()}"

    def seen_at(self, note: Note) -> int | None:
        """Return the time (Unix s; 0 for a plain signature) of this key's newest valid signature; None without one.

        Raise BadNoteSignature for one that claims this key and does not verify.
        """
        found = [signature for signature in note.signatures if (signature.name, signature.key_id) == self._identity]
        return max((self._verified(note.text, signature) for signature in found), default=None)

    @property
    def _identity(self) -> tuple[str, bytes]:
        return self.name, self.key_id

    def _verified(self, text: str, signature: Signature) -> int:
        at, value, covered = 0, signature.value, text.encode()
        if self.kind == COSIGNATURE:
            at, value = int.from_bytes(value[:8], "big"), value[8:]
            covered = _cosigned(text, at)
        try:
            Ed25519PublicKey.from_public_bytes(self.key).verify(value, covered)
        except (InvalidSignature, ValueError) as error:
            raise BadNoteSignature(f"the signature of {self.name} does not fit this note") from error
        if at > _MOST_SECONDS:
            raise BadNoteSignature(f"{self.name} signed at an impossible time")
        return at


def parse_verifier_key(text: str) -> VerifierKey:
    """Raise BadNote for what is no key of a kind we know, or whose id is not its own."""
    parts = text.strip().split("+", 2)
    if len(parts) != 3 or not is_key_name(parts[0]):
        raise BadNote("a verifier's key is NAME+ID+BASE64")
    data = _decoded(parts[2])
    if len(data) != 1 + _KEY_BYTES or data[0] not in (ED25519, COSIGNATURE):
        raise BadNote("the key is neither an Ed25519 key nor one of cosignatures")
    key = VerifierKey(parts[0], data[0], data[1:])
    if key.key_id.hex() != parts[1].lower():
        raise BadNote("the id in the middle is not that of this name and key")
    return key


def verifier_key(name: str, key: Ed25519PrivateKey | Ed25519PublicKey, kind: int = ED25519) -> VerifierKey:
    public = key.public_key() if isinstance(key, Ed25519PrivateKey) else key
    return VerifierKey(name, kind, public.public_bytes_raw())


def sign(text: str, name: str, key: Ed25519PrivateKey) -> Signature:
    return Signature(name, verifier_key(name, key).key_id, key.sign(text.encode()))


def cosign(text: str, name: str, key: Ed25519PrivateKey, at: int) -> Signature:
    """``at`` in Unix seconds. A key that cosigns signs nothing else, and under one name: the name is not signed."""
    value = at.to_bytes(8, "big") + key.sign(_cosigned(text, at))
    return Signature(name, verifier_key(name, key, COSIGNATURE).key_id, value)


def _cosigned(text: str, at: int) -> bytes:
    return f"cosignature/v1\ntime {at}\n{text}".encode()


def check_signed(note: Note, keys: Sequence[VerifierKey]) -> VerifierKey:
    """Return the first of these keys that signed the note; raise BadNoteSignature when none did, or one is forged."""
    signed = [key for key in keys if key.seen_at(note) is not None]
    if not signed:
        raise BadNoteSignature("no key that is known signed this note")
    return signed[0]
