# SPDX-License-Identifier: Apache-2.0
"""What the control plane says under signature: orders, withdrawals, leases, time, acknowledgements, tickets.

Everything for a gateway is signed by a signer of the named role and then sealed to that gateway (WIRE 7): addresses,
ports and profiles never cross a relay in clear. Times are Unix milliseconds of the control plane.
"""

import hashlib
from typing import Annotated, Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Meta

from portineria.wire.envelope import BadSignature, Signed, read_signed, sign, verify
from portineria.wire.feature import FREE_RANGES, FreeNode, FreeRange
from portineria.wire.frame import Codec

VERSION = 1
REGISTER_EVENTS = (1 << 62) - 1  # of one organisation: then no proof has more hashes than a letter takes
PROFILE_BYTES = 16384  # 64 ordinary clauses of 200 bytes
MOST_FREEZES = (1 << 31) - 1  # of one session
PROFILES = 4  # of one order: that of the approval, and the rule's of now; 64 KiB of a frame of 1 MiB
EMERGENCY_MACHINES, EMERGENCY_SERVICES = 128, 32  # 128 x 32 x 200 bytes are 0.8 MiB of a frame of 1 MiB
SIGNALS = 128  # of one gateway: 128 x 250 bytes are 32 KiB a second
Id = Annotated[str, Meta(max_length=24)]  # four letters, "_" and 16 base32 characters fit
PRINTABLE = r"\A[ -~]*\Z"
# Of what the control plane itself named, in what comes back to it: searched for in a database that may refuse U+0000.
PlainId = Annotated[str, Meta(max_length=24, pattern=PRINTABLE)]
Hop = Annotated[str, Meta(max_length=64)]
Sha256 = Annotated[bytes, Meta(min_length=32, max_length=32)]
Nonce = Annotated[bytes, Meta(min_length=32, max_length=32)]
Ending = Literal["cut", "drain"]
OnSilence = Literal["drain", "cut", "until_expiry"]
Recording = Literal["none", "full", "strict"]
ProgramContents = Literal["hash", "kept"]


class _Statement(msgspec.Struct, frozen=True, tag_field="is", forbid_unknown_fields=True):
    pass


class Asset(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One service of one device: what a stream may be opened to.

    ``protocol``: what is spoken there, each of its operations inspected; empty, and left out: bytes pass as they come.
    ``own_routes``: what means the device itself (``unit 1``); none: what its protocol says. ``client_timeout_ms``: of
    the technician's tool; 0: what is usual. ``free_reads``: area, first and last address of what the gateway may read
    by itself, because reading it has no side effect; ``free_nodes``: what has a name instead.
    """

    service: Id
    address: Annotated[str, Meta(max_length=45)]  # 45: the longest text form of an IPv6 address
    port: Annotated[int, Meta(ge=1, le=65535)]
    transport: Literal["tcp"] = "tcp"
    protocol: Annotated[str, Meta(max_length=24)] = ""
    own_routes: Annotated[list[Annotated[list[Hop], Meta(max_length=8)]], Meta(max_length=16)] = []
    client_timeout_ms: Annotated[int, Meta(ge=0, le=600_000)] = 0
    free_reads: Annotated[list[FreeRange], Meta(max_length=FREE_RANGES)] = []
    free_nodes: Annotated[list[FreeNode], Meta(max_length=FREE_RANGES)] = []


class Order(_Statement, frozen=True, tag="order", omit_defaults=True):
    """What the gateway obeys: one session, one key, these assets, until then. A higher ``order_seq`` supersedes.

    ``recording``: *full* keeps what passes and tells what it could not keep; *strict* lets nothing pass that is not
    kept. ``recording_recipients``: age keys of whom it is encrypted to, besides those that the gateway knows already.
    Left out when empty: a gateway from before recordings understands the order, and refuses one that records.
    ``profiles``: function profiles as ``policy`` writes them; an operation passes when each of them admits it. With
    any, every asset has a protocol: nothing passes beside them. ``program_contents``: whether a recording keeps what
    programs contain, or their hash and size; a gateway from before that difference refuses an order that keeps it.
    """

    organisation: Id
    gateway: Id
    session: Id
    order_seq: Annotated[int, Meta(ge=1)]
    session_spki_sha256: Sha256
    assets: Annotated[list[Asset], Meta(min_length=1, max_length=256)]
    profile: Annotated[str, Meta(max_length=64)]
    not_before_ms: int
    expires_ms: int
    max_legs: Annotated[int, Meta(ge=1, le=4096)]
    recording: Recording
    consent: Literal["none"]
    on_silence: OnSilence
    lease_s: Annotated[int, Meta(ge=1, le=3600)]
    drain_s: Annotated[int, Meta(ge=0, le=86400)]
    hold_s: Annotated[int, Meta(ge=0, le=3600)]
    signer_id: Id
    recording_recipients: Annotated[list[Annotated[str, Meta(max_length=128)]], Meta(max_length=16)] = []
    profiles: Annotated[list[Annotated[bytes, Meta(max_length=PROFILE_BYTES)]], Meta(max_length=PROFILES)] = []
    program_contents: ProgramContents = "hash"


class Withdrawal(_Statement, frozen=True, tag="withdrawal"):
    """Ends an order: ``cut`` at once, ``drain`` lets running streams finish within ``drain_s``."""

    gateway: Id
    session: Id
    order_seq: Annotated[int, Meta(ge=1)]
    ending: Ending
    drain_s: Annotated[int, Meta(ge=0, le=86400)]
    reason: Annotated[str, Meta(max_length=64)]


class SessionLease(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    session: Id
    order_sha256: Sha256
    lease_s: Annotated[int, Meta(ge=1, le=3600)]


class Freeze(_Statement, frozen=True, tag="freeze"):
    """``stands``: nothing more is passed to the devices of this session, and nothing ends, until a letter with a higher
    number says otherwise. A freeze has no end of its own; the session's end is its end.
    """

    gateway: Id
    session: Id
    number: Annotated[int, Meta(ge=1, le=MOST_FREEZES)]
    stands: bool


class Leases(_Statement, frozen=True, tag="leases"):
    """Counts from when the gateway *sent* ``nonce`` (WIRE 9). A session that was asked for and is missing has none."""

    gateway: Id
    nonce: Nonce
    leases: Annotated[list[SessionLease], Meta(max_length=4096)]


class Time(_Statement, frozen=True, tag="time"):
    """True no earlier than the gateway sent ``nonce`` (WIRE 10)."""

    gateway: Id
    nonce: Nonce
    unix_ms: int


class Acknowledgement(_Statement, frozen=True, tag="acknowledgement"):
    """Every event of this epoch up to ``up_to_seq`` is stored; only now may the spool forget them (WIRE 19)."""

    gateway: Id
    epoch: Nonce
    up_to_seq: int
    sha256: Sha256


class Additions(_Statement, frozen=True, tag="additions"):
    """What the gateway may add to what it pinned; it never removes or replaces any by order (WIRE 6).

    ``signers``: certificates, DER, of the pinned root's signer issuer.
    """

    gateway: Id
    relays: Annotated[list["RelayAddress"], Meta(max_length=64)]
    opening_keys: Annotated[list["OpeningKey"], Meta(max_length=16)]
    signers: Annotated[list[Annotated[bytes, Meta(max_length=2048)]], Meta(max_length=16)] = []


class RegisterCheckpoint(_Statement, frozen=True, tag="checkpoint"):
    """The newest checkpoint of the gateway's organisation, and that it continues the one of ``old_size`` events, which
    the question with this nonce named (RFC 6962, 2.1.2). The note has its own signature, of a signer of checkpoints.
    """

    gateway: Id
    nonce: Nonce
    note: Annotated[str, Meta(max_length=4096)]  # a checkpoint of 300 characters and 24 signatures of 150
    old_size: Annotated[int, Meta(ge=0, le=REGISTER_EVENTS)]
    proof: Annotated[list[Sha256], Meta(max_length=63)]


class HoldAnswer(_Statement, frozen=True, tag="hold-answer"):
    """Whether a held request may pass, once: the one of this hash, of this session. ``question``: the gateway's own
    number of what it asked in ``operation.held``. After ``not_after_ms`` a yes means nothing.
    """

    gateway: Id
    session: Id
    question: Nonce
    request_sha256: Sha256
    allowed: bool
    not_after_ms: int


class RecordingKept(_Statement, frozen=True, tag="recording-kept"):
    """This chunk (its whole file, by its hash) of a recording is kept: the gateway may forget it."""

    gateway: Id
    recording: Id
    number: Annotated[int, Meta(ge=1)]
    sha256: Sha256


class Watch(_Statement, frozen=True, tag="watch"):
    """Somebody looks on: tell what this session's inspected connections do (glances) until then. Said again while they
    look, so that nothing has to be said at the end; a gateway that is restarted or hears nothing tells nothing.
    """

    gateway: Id
    session: Id
    until_ms: int


class EmergencyService(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    service: Id
    name: Annotated[str, Meta(max_length=120)]
    address: Annotated[str, Meta(max_length=45)]
    port: Annotated[int, Meta(ge=1, le=65535)]


class EmergencyMachine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``locked``: somebody keeps everybody from it, itself or something that it stands in or behind."""

    machine: Id
    name: Annotated[str, Meta(max_length=120)]
    locked: bool
    services: Annotated[list[EmergencyService], Meta(max_length=EMERGENCY_SERVICES)]


class EmergencyTerms(_Statement, frozen=True, tag="emergency-terms"):
    """What may be opened at the gateway's own machine when no line leads here. It holds until one with a higher number
    comes: the gateway goes by the last that it heard. ``minutes``: the longest that one opening lasts.
    """

    gateway: Id
    organisation: Id
    number: Annotated[int, Meta(ge=1, le=REGISTER_EVENTS)]
    allowed: bool
    minutes: Annotated[int, Meta(ge=1, le=240)]
    machines: Annotated[list[EmergencyMachine], Meta(max_length=EMERGENCY_MACHINES)]
    recording_recipients: Annotated[list[Annotated[str, Meta(max_length=128)]], Meta(max_length=16)]


class SignalSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where a consent signal is read. ``place``: name of a file in the gateway's own folder, or an OPC UA node id;
    ``number``: of a coil or discrete input, counted from 0, of ``unit``.
    """

    signal: PlainId
    kind: Literal["file", "modbus-coil", "modbus-discrete", "opcua-node"]
    address: Annotated[str, Meta(max_length=45)] = ""
    port: Annotated[int, Meta(ge=0, le=65535)] = 0
    unit: Annotated[int, Meta(ge=0, le=255)] = 0
    number: Annotated[int, Meta(ge=0, le=65535)] = 0
    place: Annotated[str, Meta(max_length=120, pattern=PRINTABLE)] = ""


class ReadSignals(_Statement, frozen=True, tag="read-signals"):
    """Read these, each second, for a few seconds from now, and say what they are with this nonce: so the control plane
    knows, without a clock of the gateway's, how old each value is at most. Said again each second; a later one has a
    higher ``number``.
    """

    gateway: Id
    nonce: Nonce
    number: Annotated[int, Meta(ge=1, le=REGISTER_EVENTS)]
    signals: Annotated[list[SignalSource], Meta(max_length=SIGNALS)]


class RelayAddress(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    relay: Id
    host: Annotated[str, Meta(max_length=253)]
    port: Annotated[int, Meta(ge=1, le=65535)]


class OpeningKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The X25519 key that events are sealed to."""

    key_id: Id
    key: Sha256


Letter = (
    Order | Withdrawal | Leases | Time | Acknowledgement | Additions | RegisterCheckpoint | HoldAnswer | Watch | Freeze
    | EmergencyTerms | ReadSignals
)  # fmt: skip


class Ticket(_Statement, frozen=True, tag="ticket"):
    """Lets the holder of one session key ask one relay for legs to one gateway (WIRE 11)."""

    session: Id
    session_spki_sha256: Sha256
    gateway: Id
    relay: Id
    not_after_ms: int
    max_legs: Annotated[int, Meta(ge=1, le=4096)]


class Introduction(_Statement, frozen=True, tag="introduction"):
    """Answers a gateway that came without a code: this trust and no other, for exactly this request (WIRE 5)."""

    gateway: Id
    request_sha256: Sha256
    trust_sha256: Sha256


class AdmittedGateway(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    gateway: Id
    spki_sha256: Sha256


class Admitted(_Statement, frozen=True, tag="admitted"):
    """The gateways a relay may let in. A lower number never replaces a higher one (WIRE 4)."""

    number: int
    at_ms: int
    gateways: list[AdmittedGateway]


# Which signer may say what: an order key cannot acknowledge events, a ticket key cannot order (WIRE 2).
ROLE_OF = {
    "order": "order",
    "withdrawal": "order",
    "leases": "order",
    "time": "order",
    "additions": "order",
    "hold-answer": "order",
    "checkpoint": "order",  # the key that seals registers signs nothing but notes
    "introduction": "order",
    "watch": "order",
    "freeze": "order",
    "emergency-terms": "order",
    "read-signals": "order",
    "acknowledgement": "acknowledgement",
    "recording-kept": "acknowledgement",
    "ticket": "ticket",
    "admitted": "ticket",
}
# The last two seal our registers and cosign those of others; neither signs statements.
ROLES = ("order", "acknowledgement", "ticket", "checkpoint", "witness")

_LETTERS: Codec[Letter] = Codec(Letter)
_TICKET: Codec[Ticket] = Codec(Ticket)
_ADMITTED: Codec[Admitted] = Codec(Admitted)
_KEPT: Codec[RecordingKept] = Codec(RecordingKept)
_INTRODUCTION: Codec[Introduction] = Codec(Introduction)


def tag_of(statement: msgspec.Struct) -> str:
    return str(statement.__struct_config__.tag)


Statement = Letter | Ticket | Admitted | Introduction | RecordingKept


def mark_of(terms: EmergencyTerms) -> bytes:
    """Alike for terms that say the same, whatever their number: so both sides see whether the newest was heard."""
    return sha256(msgspec.msgpack.encode(msgspec.structs.replace(terms, number=1)))


def sign_statement(statement: Statement, key: Ed25519PrivateKey, signer: str) -> bytes:
    tag = tag_of(statement)
    exact = msgspec.msgpack.encode(statement)
    return sign(key, kind=f"portineria.{tag}", version=VERSION, signer=signer, statement=exact)


def _exact(signed: Signed, key: Ed25519PublicKey) -> bytes:
    return verify(signed, key, kind=signed.type, version=VERSION)


def role_of(signed: Signed) -> str | None:
    """The signer role that may make a statement of this type; None for a type we do not know."""
    return ROLE_OF.get(signed.type.removeprefix("portineria."))


def open_letter(signed: Signed, key: Ed25519PublicKey) -> tuple[Letter, bytes]:
    """Return the letter and its exact bytes. ``key`` must belong to the role that ``role_of`` names."""
    exact = _exact(signed, key)
    letter = _LETTERS.decode(exact)
    if signed.type != f"portineria.{tag_of(letter)}":
        raise BadSignature(f"the statement inside is not a {signed.type}")
    return letter, exact


def open_ticket(data: bytes, key: Ed25519PublicKey) -> Ticket:
    return _TICKET.decode(verify(read_signed(data), key, kind="portineria.ticket", version=VERSION))


def open_admitted(data: bytes, key: Ed25519PublicKey) -> Admitted:
    return _ADMITTED.decode(verify(read_signed(data), key, kind="portineria.admitted", version=VERSION))


def open_kept(signed: Signed, key: Ed25519PublicKey) -> RecordingKept:
    return _KEPT.decode(verify(signed, key, kind="portineria.recording-kept", version=VERSION))


def open_introduction(signed: Signed, key: Ed25519PublicKey) -> Introduction:
    return _INTRODUCTION.decode(verify(signed, key, kind="portineria.introduction", version=VERSION))


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def letter_info(gateway: str) -> bytes:
    """The HPKE ``info`` of every letter to this gateway: a letter sealed for another does not open."""
    return b"portineria-letter/1 " + gateway.encode()
