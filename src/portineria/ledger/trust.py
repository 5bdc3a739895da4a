# SPDX-License-Identifier: Apache-2.0
"""Whose signatures count: what the reader of an export knew before they opened it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from portineria.ledger.checkpoint import Checkpoint, read_checkpoint
from portineria.ledger.export import BadExport, Header
from portineria.ledger.note import BadNoteSignature, Note, VerifierKey, check_signed, verifier_key
from portineria.wire.certificate import Identity, check_issuer, check_leaf, load_certificate

ROLE = "checkpoint"  # of the signers that may seal a register (WIRE 2)


@dataclass(frozen=True, slots=True)
class Trust:
    """``root_sha256``: of the installation root's public key, as gateways pin it and the console shows it.

    ``keys``: checkpoint keys known directly, instead of the root or beside it. ``witnesses``: cosigners whose word is
    demanded, for every event where ``all_witnessed``. ``known``: checkpoints kept elsewhere (by a gateway, a witness,
    in a safe) that must be of this register.
    """

    root_sha256: bytes | None = None
    keys: Sequence[VerifierKey] = ()
    witnesses: Sequence[VerifierKey] = ()
    known: Sequence[Checkpoint] = ()
    all_witnessed: bool = False


@dataclass(frozen=True, slots=True)
class Signers:
    """The keys that may have signed one register's checkpoints."""

    root_sha256: bytes
    keys: list[VerifierKey] = field(default_factory=list)

    def check(self, note: Note) -> None:
        check_signed(note, self.keys)


def signers_of(header: Header, trust: Trust) -> Signers:
    """Raise BadExport, BadCertificate for a file whose keys do not lead to what is trusted."""
    root = load_certificate(header.root)
    digest = sha256(root.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
    if trust.root_sha256 is not None and digest != trust.root_sha256:
        raise BadExport(f"signed under another root: {digest.hex()}, expected {trust.root_sha256.hex()}")
    issuer = load_certificate(header.issuer)
    check_issuer(issuer, kind="signer", root=root)
    keys = [_key(header.origin, certificate, issuer) for certificate in header.signers]
    if trust.keys:
        keys = [key for key in keys if key in trust.keys]
        keys += [key for key in trust.keys if key not in keys]
    return Signers(digest, keys)


def _key(origin: str, certificate: bytes, issuer: x509.Certificate) -> VerifierKey:
    identity = check_leaf(certificate, kind="signer", issuer=issuer)
    if not _seals(identity) or not isinstance(identity.key, Ed25519PublicKey):
        raise BadExport(f"{identity.id} may not sign checkpoints")
    return verifier_key(origin, identity.key)


def _seals(identity: Identity) -> bool:
    return identity.id.partition(":")[0] == ROLE


def checkpoint_keys(origin: str, signers: Iterable[bytes], issuer: x509.Certificate) -> list[VerifierKey]:
    """The keys that may sign checkpoints of this origin, out of the certificates of signers of every role."""
    identities = [check_leaf(certificate, kind="signer", issuer=issuer) for certificate in signers]
    keys = [identity.key for identity in identities if _seals(identity)]
    return [verifier_key(origin, key) for key in keys if isinstance(key, Ed25519PublicKey)]


def check_checkpoint(note: str, origin: str, signers: Signers) -> tuple[Note, Checkpoint]:
    """Raise BadNote, BadNoteSignature unless it is one of this register, signed by one of its keys."""
    parsed, checkpoint = read_checkpoint(note)
    if checkpoint.origin != origin:
        raise BadNoteSignature(f"a checkpoint of {checkpoint.origin}")
    signers.check(parsed)
    return parsed, checkpoint
