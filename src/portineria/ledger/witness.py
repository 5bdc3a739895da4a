# SPDX-License-Identifier: Apache-2.0
"""What a witness is asked, what it decides and what it answers, as https://c2sp.org/tlog-witness says. Pure.

A witness keeps, for each register that it watches, the newest checkpoint it cosigned. It cosigns a newer one when that
is proven to continue the old one, and nothing else: so a register with its cosignature has one history.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from portineria.core.errors import ProtocolError
from portineria.ledger.checkpoint import Checkpoint, read_checkpoint
from portineria.ledger.merkle import EMPTY_ROOT, BadProof, check_consistency
from portineria.ledger.note import (
    NOTE_BYTES,
    BadNoteSignature,
    Note,
    Signature,
    VerifierKey,
    check_signed,
    parse_signatures,
)

PROOF_LINES = 63
MOST_EVENTS = (1 << 63) - 1  # what databases count up to
REQUEST_BYTES = len("old \n") + 19 + PROOF_LINES * 45 + len("\n") + NOTE_BYTES
SIZE_TYPE = "text/x.tlog.size"
TEXT_TYPE = "text/plain; charset=utf-8"
COSIGNED, MALFORMED, NOT_TRUSTED, UNKNOWN, CONFLICT, NOT_PROVEN = 200, 400, 403, 404, 409, 422
_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})")
_SIZE = re.compile(r"(0|[1-9][0-9]{0,18})\n")


class BadRequest(ProtocolError):
    code = "ledger.witness.request"


class BadAnswer(ProtocolError):
    code = "ledger.witness.answer"


@dataclass(frozen=True, slots=True)
class Request:
    old: int
    proof: tuple[bytes, ...]
    note: Note
    checkpoint: Checkpoint


def write_request(old: int, proof: Sequence[bytes], note: str) -> bytes:
    lines = [f"old {old}", *(base64.b64encode(digest).decode() for digest in proof), "", note]
    return "\n".join(lines).encode()


def read_request(data: bytes) -> Request:
    """Raise BadRequest, BadNote. Nothing in it is believed yet."""
    if len(data) > REQUEST_BYTES:
        raise BadRequest(f"a request has at most {REQUEST_BYTES} bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise BadRequest("a request is UTF-8") from error
    head, blank, note = text.partition("\n\n")
    old, *proof = head.split("\n")
    said = _OLD.fullmatch(old)
    if not blank or said is None:
        raise BadRequest("a request is the old size, a proof, an empty line and a checkpoint")
    if len(proof) > PROOF_LINES:
        raise BadRequest(f"a proof has at most {PROOF_LINES} lines")
    digests = tuple(_digest(line) for line in proof)
    parsed, checkpoint = read_checkpoint(note)
    if checkpoint.size > MOST_EVENTS or int(said[1]) > checkpoint.size:
        raise BadRequest(f"from {said[1]} to {checkpoint.size} events")
    return Request(int(said[1]), digests, parsed, checkpoint)


def _digest(line: str) -> bytes:
    try:
        digest = base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequest("a line of the proof is not base64") from error
    if len(digest) != 32 or base64.b64encode(digest).decode() != line:
        raise BadRequest("a line of the proof is no SHA-256")
    return digest


class Evidence(StrEnum):
    """Why a refused checkpoint, with a valid signature under it, is worth keeping."""

    CONTRADICTION = "contradiction"  # the same size was cosigned with another root: two histories were signed
    UNPROVEN = "unproven"  # nobody showed that it continues what was cosigned


@dataclass(frozen=True, slots=True)
class Known:
    """Of one register: the newest checkpoint that was cosigned, and the root cosigned at the size that is asked for."""

    size: int = 0
    root: bytes = EMPTY_ROOT
    same_size_root: bytes | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """``why`` and ``evidence`` are for the witness itself, the rest for who asked."""

    status: int
    body: str
    why: str = ""
    evidence: Evidence | None = None

    @property
    def content_type(self) -> str:
        return SIZE_TYPE if self.status == CONFLICT else TEXT_TYPE


def refusal(status: int, why: str, evidence: Evidence | None = None) -> Answer:
    return Answer(status, f"{why}\n", why, evidence)


def consider(request: Request, keys: Sequence[VerifierKey], known: Known) -> Answer | None:
    """None: cosign it, after keeping it. ``keys``: those trusted for its origin, none when that is not watched."""
    asked = request.checkpoint
    if not keys:
        return refusal(UNKNOWN, "this register is not watched here")
    try:
        check_signed(request.note, keys)
    except BadNoteSignature as error:
        return refusal(NOT_TRUSTED, str(error))
    if known.same_size_root not in (None, asked.root):
        why = f"{asked.size} events were cosigned with another root: two histories were signed"
        return _conflict(known, why, Evidence.CONTRADICTION)
    if request.old != known.size:
        return _conflict(known, f"from {request.old} events, and {known.size} were cosigned")
    if asked.size == known.size and asked.root != known.root:  # of nothing: it has one root
        return _conflict(known, f"another root of {known.size} events")
    try:
        check_consistency(request.old, known.root, asked.size, asked.root, request.proof)
    except BadProof as error:
        return refusal(NOT_PROVEN, str(error), Evidence.UNPROVEN)
    return None


def _conflict(known: Known, why: str, evidence: Evidence | None = None) -> Answer:
    return Answer(CONFLICT, f"{known.size}\n", why, evidence)


def cosigned(signature: Signature) -> Answer:
    return Answer(COSIGNED, signature.line())


# -- the other side ---------------------------------------------------------------------------------------------------


def cosignature_in(body: str, note: Note, witness: VerifierKey) -> tuple[Signature, int]:
    """This witness's newest valid signature of the note and its time (Unix s). Raise BadNote, BadNoteSignature."""
    mine = (witness.name, witness.key_id)
    found = [one for one in parse_signatures(body) if (one.name, one.key_id) == mine]
    times = {one: witness.seen_at(Note(note.text, (one,))) or 0 for one in found}
    if not times:
        raise BadNoteSignature(f"no signature of {witness.name} is in the answer")
    newest = max(times, key=lambda one: times[one])
    return newest, times[newest]


def size_in(body: str) -> int:
    """How many events the witness says it cosigned. Raise BadAnswer."""
    said = _SIZE.fullmatch(body)
    if said is None or int(said[1]) > MOST_EVENTS:
        raise BadAnswer("a conflict names the size that was cosigned")
    return int(said[1])


# -- by file ----------------------------------------------------------------------------------------------------------

ANSWER_BYTES = NOTE_BYTES
_REQUEST_NAME = re.compile(r"([0-9a-f]{16})-([0-9]{1,19})-([0-9]{1,19})\.request")
_ANSWER_NAME = re.compile(r"([0-9a-f]{16}-[0-9]{1,19}-([0-9]{1,19})\.request)\.([0-9a-f]{8})\.answer")
_STATUS = re.compile(r"[1-5][0-9]{2}")


def request_name(origin: str, old: int, size: int) -> str:
    """Another question has another name: a folder may let nobody overwrite what lies there."""
    return f"{stem_of(origin)}-{old}-{size}.request"


def stem_of(origin: str) -> str:
    return sha256(origin.encode()).hexdigest()[:16]


def size_asked(name: str) -> int | None:
    """None for a file that is no request."""
    found = _REQUEST_NAME.fullmatch(name)
    return _countable(found[3]) if found else None


def answer_name(request: str, key_id: bytes) -> str:
    return f"{request}.{key_id.hex()}.answer"


def answered(name: str, key_id: bytes) -> tuple[str, int] | None:
    """The request that this file answers, and its size; None for one that is no answer of this key."""
    found = _ANSWER_NAME.fullmatch(name)
    size = _countable(found[2]) if found and found[3] == key_id.hex() else None
    return (found[1], size) if found and size is not None else None


def _countable(digits: str) -> int | None:
    return size if (size := int(digits)) <= MOST_EVENTS else None


def write_answer(answer: Answer) -> bytes:
    return f"{answer.status}\n{answer.body}".encode()


def read_answer(data: bytes) -> Answer:
    """Raise BadAnswer."""
    if len(data) > ANSWER_BYTES:
        raise BadAnswer(f"an answer has at most {ANSWER_BYTES} bytes")
    status, newline, body = data.decode("utf-8", "replace").partition("\n")
    if not newline or not _STATUS.fullmatch(status):
        raise BadAnswer("an answer begins with a status")
    return Answer(int(status), body)
