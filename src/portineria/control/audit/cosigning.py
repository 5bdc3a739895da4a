# SPDX-License-Identifier: Apache-2.0
"""How far each witness is with each register of ours, and what it is asked next.

Everything follows from the database: what is not cosigned is asked for again after any restart, the newest checkpoint
only. Nothing that a witness says is believed but its signature; a size that it names only chooses the next proof.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet, Subquery

from portineria.control.audit.models import Checkpoint, Cosignature, Head, Witnessed
from portineria.control.audit.services import record
from portineria.control.audit.tree import newest_checkpoint, tree_of
from portineria.core.errors import ProtocolError
from portineria.ledger.checkpoint import parse_checkpoint
from portineria.ledger.leaf import shortened
from portineria.ledger.note import VerifierKey, parse_note
from portineria.ledger.witness import (
    CONFLICT,
    COSIGNED,
    Answer,
    BadAnswer,
    cosignature_in,
    request_name,
    size_in,
    write_request,
)

PACE = timedelta(seconds=5)  # between two questions about one register that both went well
_LONGEST = timedelta(minutes=15)  # between two that did not
_ERROR_CHARACTERS = 300
_DISAGREES = "it saw another history of this register: "
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Question:
    organisation: str
    origin: str
    old: int
    size: int
    data: bytes

    @property
    def name(self) -> str:
        """Of its file."""
        return request_name(self.origin, self.old, self.size)


def _heads(witness: VerifierKey) -> "QuerySet[Head]":
    """Registers with a checkpoint that this witness has not cosigned."""
    rows = Checkpoint.objects.filter(organisation=OuterRef("organisation")).order_by("-size")
    seen = Cosignature.objects.filter(witness=str(witness), checkpoint=OuterRef("newest"))
    found = Head.objects.annotate(newest=Subquery(rows.values("pk")[:1])).exclude(newest=None)
    return found.filter(~Exists(seen)).order_by("organisation")


def waiting(witness: VerifierKey, at: datetime) -> list[str]:
    """Registers about which this witness is to be asked now."""
    later = Witnessed.objects.filter(witness=str(witness), next_at__gt=at).values("organisation")
    return list(_heads(witness).exclude(organisation__in=later).values_list("organisation", flat=True))


def question(organisation: str, witness: VerifierKey) -> Question | None:
    """None when there is nothing to ask."""
    newest = newest_checkpoint(organisation)
    if newest is None or newest.cosignatures.filter(witness=str(witness)).exists():
        return None
    known = Witnessed.objects.filter(organisation=organisation, witness=str(witness)).first()
    # More than there is: this database was put back. The witness says so itself, every time.
    old = min(known.size, newest.size) if known else 0
    proof = tree_of(organisation, newest.size).consistency(old)
    origin = parse_checkpoint(parse_note(newest.note).text).origin
    return Question(organisation, origin, old, newest.size, write_request(old, proof, newest.note))


def heed(asked: Question, witness: VerifierKey, answer: Answer, at: datetime) -> bool:
    """Return whether to ask again at once, with another proof."""
    try:
        if answer.status == COSIGNED:
            _keep(asked, witness, answer, at)
        elif answer.status == CONFLICT:
            return _learn(asked, witness, size_in(answer.body), at)
        else:
            said = shortened(" ".join(answer.body.split())[:_ERROR_CHARACTERS])
            fail(asked.organisation, witness, f"it refuses with {answer.status}: {said}", at)
    except ProtocolError as error:
        fail(asked.organisation, witness, f"its answer is none: {error}", at)
    return False


@transaction.atomic
def _keep(asked: Question, witness: VerifierKey, answer: Answer, at: datetime) -> None:
    """Raise BadAnswer for a checkpoint that never was, BadNote, BadNoteSignature."""
    checkpoint = Checkpoint.objects.filter(organisation=asked.organisation, size=asked.size).first()
    if checkpoint is None:
        raise BadAnswer(f"there is no checkpoint of {asked.size} events")
    signature, _ = cosignature_in(answer.body, parse_note(checkpoint.note), witness)
    Cosignature.objects.get_or_create(
        checkpoint=checkpoint, witness=str(witness), defaults={"line": signature.line(), "at": at}
    )
    row = _row(asked.organisation, witness)
    row.size = max(row.size, asked.size)
    row.answered_at, row.failures, row.error, row.next_at = at, 0, "", at + PACE
    row.save()


@transaction.atomic
def _learn(asked: Question, witness: VerifierKey, size: int, at: datetime) -> bool:
    """The witness names another size than the one that it was asked from."""
    row = _row(asked.organisation, witness)
    newest = newest_checkpoint(asked.organisation)
    if newest is None or size > newest.size or size == asked.old:
        _disagree(asked, witness, size, at)
        return False
    row.size = size
    row.save(update_fields=["size"])
    return True


def _disagree(asked: Question, witness: VerifierKey, size: int, at: datetime) -> None:
    if size > asked.size:
        why = f"{_DISAGREES}it cosigned {size} events, and here are {asked.size}; was this database put back?"
    else:
        why = f"{_DISAGREES}it does not know these {asked.size} events as what follows its {size}"
    if _row(asked.organisation, witness).error != why:
        log.error("register.disagreed", organisation=asked.organisation, witness=witness.name, why=why)
        record(
            "audit.witness.disagreed", organisation=asked.organisation, actor="portineria", witness=witness.name,
            size=asked.size, witness_size=size,
        )  # fmt: skip
    fail(asked.organisation, witness, why, at)


@transaction.atomic
def fail(organisation: str, witness: VerifierKey, why: str, at: datetime) -> None:
    """It is asked again later, and later each time."""
    row = _row(organisation, witness)
    row.failures += 1
    row.error = why
    row.next_at = at + min(PACE * 2 ** min(row.failures, 10), _LONGEST)
    row.save(update_fields=["failures", "error", "next_at"])


@transaction.atomic
def wait(organisation: str, witness: VerifierKey, at: datetime) -> None:
    """A question lies in a folder; it is looked at again in a moment. That the witness disagreed stays said."""
    row = _row(organisation, witness)
    row.failures, row.next_at = 0, at + PACE
    if not row.error.startswith(_DISAGREES):
        row.error = ""
    row.save(update_fields=["failures", "error", "next_at"])


def _row(organisation: str, witness: VerifierKey) -> Witnessed:
    Witnessed.objects.get_or_create(organisation=organisation, witness=str(witness))
    return Witnessed.objects.select_for_update().get(organisation=organisation, witness=str(witness))


def is_cosigned(organisation: str, size: int, witness: VerifierKey) -> bool:
    rows = Cosignature.objects.filter(checkpoint__organisation=organisation, checkpoint__size=size)
    return rows.filter(witness=str(witness)).exists()


@dataclass(frozen=True, slots=True)
class Lag:
    """What one witness has seen of one register."""

    organisation: str
    witness: str
    size: int
    sealed: int
    answered_at: datetime | None
    error: str


def lags(witnesses: list[VerifierKey]) -> list[Lag]:
    found = []
    for organisation in Head.objects.order_by("organisation").values_list("organisation", flat=True):
        newest = newest_checkpoint(organisation)
        for witness in witnesses:
            rows = Cosignature.objects.filter(checkpoint__organisation=organisation, witness=str(witness))
            size = rows.order_by("-checkpoint__size").values_list("checkpoint__size", flat=True).first() or 0
            row = Witnessed.objects.filter(organisation=organisation, witness=str(witness)).first() or Witnessed()
            sealed = newest.size if newest else 0
            found.append(Lag(organisation, witness.name, size, sealed, row.answered_at, row.error))
    return found
