# SPDX-License-Identifier: Apache-2.0
"""The gateway's directory: keys made here that never leave, what it pinned, its certificate. One process at a time."""

import fcntl
import os
import shutil
import ssl
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from msgspec import Meta

from portineria.core.errors import Conflict, Invalid, NotFound
from portineria.dataplane.aio.tls import inner_context
from portineria.wire.certificate import BadCertificate, Identity, check_issuer, check_leaf, load_spki, spki, spki_sha256
from portineria.wire.enrolment import EnrolmentRequest, Trust
from portineria.wire.frame import Codec
from portineria.wire.statement import Sha256

_ISSUERS = ("gateway", "relay", "session", "signer")


class BadState(Invalid):
    code = "gateway.state"


class NotEnrolled(NotFound):
    code = "gateway.not-enrolled"


class InUse(Conflict):
    code = "gateway.running"


class Pinned(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What was believed at enrolment. Signed letters may add to it (see ``additions``); a local command may replace."""

    root_spki_sha256: Sha256
    trust: Trust
    enrolled_at: Annotated[str, Meta(max_length=512)]  # the address that worked here; trust.renew_url may not
    # Whom recordings are encrypted to: orders add, only a command on the gateway itself removes.
    recording_recipients: list[str] = []

    def with_recipients(self, recipients: list[str]) -> "Pinned":
        return msgspec.structs.replace(self, recording_recipients=recipients)


PINNED: Codec[Pinned] = Codec(Pinned)


@dataclass(frozen=True, slots=True)
class Keys:
    tls: ec.EllipticCurvePrivateKey
    event: Ed25519PrivateKey
    sealing: X25519PrivateKey

    def request(self, *, name: str, version: str) -> EnrolmentRequest:
        """Their public halves, as the gateway introduces itself."""
        event = self.event.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        sealing = self.sealing.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return EnrolmentRequest(spki(self.tls.public_key()), event, sealing, name, version)


def check_trust(pinned: Pinned) -> None:
    """Raise BadCertificate unless the pinned root vouches for every issuer."""
    root = x509.load_der_x509_certificate(pinned.trust.root)
    key = load_spki(root.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    if spki_sha256(key) != pinned.root_spki_sha256:
        raise BadCertificate("the root is another one than the pinned one")
    for kind in _ISSUERS:
        if kind not in pinned.trust.issuers:
            raise BadCertificate(f"the {kind} issuer is missing")
        check_issuer(x509.load_der_x509_certificate(pinned.trust.issuers[kind]), kind=kind, root=root)


class State:
    """Paths and what is in them. ``lock`` before anything is written."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.settings = directory / "gateway.toml"
        self.reach = directory / "reach.toml"
        self.spool = directory / "spool.sqlite3"
        self.status = directory / "status.json"
        self.door = directory / "local.sock"
        self.keys = directory / "keys"
        self.recordings = directory / "recordings"
        self.signals = directory / "signals"  # files and links to files that the plant's own people put there
        self._lock: int | None = None

    def lock(self) -> None:
        """Make the directory if need be and keep everybody else out of it; raise InUse."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise InUse(f"another process works in {self.directory}: stop the gateway first") from error
        self._lock = descriptor
        self.finish_replacing()

    def unlock(self) -> None:
        if self._lock is not None:
            self.hand_over()
            os.close(self._lock)
            self._lock = None

    def hand_over(self) -> None:
        """What root wrote belongs to whoever the directory belongs to: the service runs as a user of its own."""
        owner = self.directory.stat()
        if os.geteuid() == 0 and owner.st_uid != 0:
            for path in self.directory.rglob("*"):
                os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)

    @property
    def in_use(self) -> bool:
        """Whether a gateway runs on this directory."""
        with suppress(FileNotFoundError):
            descriptor = os.open(self.directory / "lock", os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return True
            finally:
                os.close(descriptor)
        return False

    # -- keys --------------------------------------------------------------------------------------------------

    def make_keys(self) -> Keys:
        """The keys that are here, or new ones."""
        if not (self.keys / "sealing.pem").exists():  # written last
            self.keys.mkdir(mode=0o700, exist_ok=True)
            tls, form = ec.generate_private_key(ec.SECP256R1()), (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            write_private(self.keys / "tls.pem", tls.private_bytes(*form))
            write_private(self.keys / "event.pem", Ed25519PrivateKey.generate().private_bytes(*form))
            write_private(self.keys / "sealing.pem", X25519PrivateKey.generate().private_bytes(*form))
        return self.load_keys()

    def load_keys(self) -> Keys:
        tls, event, sealing = self._key("tls"), self._key("event"), self._key("sealing")
        if (
            isinstance(tls, ec.EllipticCurvePrivateKey)
            and isinstance(event, Ed25519PrivateKey)
            and isinstance(sealing, X25519PrivateKey)
        ):
            return Keys(tls, event, sealing)
        raise BadState(f"{self.keys} holds keys of other kinds")

    def _key(self, name: str) -> object:
        path = self.keys / f"{name}.pem"
        try:
            return load_pem_private_key(path.read_bytes(), None)
        except FileNotFoundError as error:
            raise NotEnrolled(f"{path} is missing: enrol this gateway first") from error
        except ValueError as error:
            raise BadState(f"{path} is no private key") from error

    # -- what is pinned ----------------------------------------------------------------------------------------

    @property
    def enrolled(self) -> bool:
        return (self.directory / "trust.msgpack").exists()

    def check_there(self) -> None:
        """Raise NotEnrolled where there is no such folder, and OSError where there is and it may not be read."""
        try:
            os.scandir(self.directory).close()
        except FileNotFoundError as error:
            raise self._nobody() from error

    def _nobody(self) -> NotEnrolled:
        return NotEnrolled(
            f"no gateway is enrolled in {self.directory}. Enrol it first, `portineria gateway enrol URL CODE`, or name "
            "the folder in which it is with --state"
        )

    def load_pinned(self) -> Pinned:
        """Raises NotEnrolled, BadFrame, BadCertificate."""
        try:
            data = (self.directory / "trust.msgpack").read_bytes()
        except FileNotFoundError as error:
            raise self._nobody() from error
        pinned = PINNED.decode(data)
        check_trust(pinned)
        return pinned

    def save_pinned(self, pinned: Pinned) -> None:
        write_private(self.directory / "trust.msgpack", PINNED.encode(pinned))

    # -- the certificate ---------------------------------------------------------------------------------------

    def load_certificate(self, pinned: Pinned, keys: Keys) -> tuple[bytes, Identity] | None:
        """Our certificate and what it says; None before admission. Raises BadCertificate for one that is not ours."""
        try:
            data = (self.directory / "certificate.der").read_bytes()
        except FileNotFoundError:
            return None
        return data, self.check_certificate(data, pinned, keys)

    def check_certificate(self, data: bytes, pinned: Pinned, keys: Keys) -> Identity:
        issuer = x509.load_der_x509_certificate(pinned.trust.issuers["gateway"])
        identity = check_leaf(data, kind="gateway", issuer=issuer)
        if identity.id != pinned.trust.gateway or identity.spki_sha256 != spki_sha256(keys.tls.public_key()):
            raise BadCertificate("the certificate is for another gateway or another key")
        return identity

    def save_certificate(self, data: bytes) -> None:
        write_private(self.directory / "certificate.der", data)

    def inner_context(self, pinned: Pinned, certificate: bytes) -> ssl.SSLContext:
        """The gateway's end of the end-to-end session. The ssl module reads certificates from PEM files only."""
        pem = self.directory / "certificate.pem"
        write_private(pem, x509.load_der_x509_certificate(certificate).public_bytes(Encoding.PEM))
        issuer = x509.load_der_x509_certificate(pinned.trust.issuers["session"])
        return inner_context(server_side=True, chain=pem, key=self.keys / "tls.pem", issuer=issuer)

    # -- another installation ----------------------------------------------------------------------------------

    def beside(self) -> "State":
        """The state in which a new identity is prepared; ``replace_with`` puts it in place of this one.

        Its keys stay when the answer to the request got lost: the same request may be made again with the same code.
        """
        (self.directory / "next").mkdir(mode=0o700, exist_ok=True)
        return State(self.directory / "next")

    def replace_with(self, prepared: "State") -> None:
        """Old events stay in the directory, under the old gateway's id: they are evidence nobody acknowledged."""
        prepared.directory.rename(self.directory / "replacing")  # from here on it is finished even after a power cut
        self.finish_replacing()

    def finish_replacing(self) -> None:
        replacing = self.directory / "replacing"
        if not (replacing / "trust.msgpack").exists():
            shutil.rmtree(replacing, ignore_errors=True)
            return
        self._put_away_spool()
        for name in ("certificate.der", "certificate.pem"):
            (self.directory / name).unlink(missing_ok=True)
        if (replacing / "keys").exists():
            shutil.rmtree(self.keys, ignore_errors=True)
            (replacing / "keys").rename(self.keys)
        (replacing / "trust.msgpack").rename(self.directory / "trust.msgpack")  # last: it marks what is left to do
        shutil.rmtree(replacing)

    def _put_away_spool(self) -> None:
        if not self.spool.exists() or not self.enrolled:
            return
        name = PINNED.decode((self.directory / "trust.msgpack").read_bytes()).trust.gateway
        for suffix in ("-wal", "-shm", ""):  # the file itself last: it marks what is left to do
            path = self.directory / f"{self.spool.name}{suffix}"
            if path.exists():
                path.rename(self.directory / f"spool-of-{name}.sqlite3{suffix}")


def write_private(path: Path, data: bytes) -> None:
    """Replace the file in one step; only its owner may read it. On the disk when this returns."""
    new = path.with_name(f"{path.name}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
