# SPDX-License-Identifier: Apache-2.0
"""Whose signature stands under the registers of this installation, and what leaves them with a proof."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import cast

from django.db import transaction

from portineria.control.audit import exporting
from portineria.control.audit.models import Checkpoint as CheckpointRow
from portineria.control.audit.models import Event
from portineria.control.audit.sealing import seal
from portineria.control.audit.services import record
from portineria.control.identity import keys
from portineria.control.identity.authority import Operator
from portineria.control.identity.models import Installation, Person
from portineria.core.errors import NotFound
from portineria.ledger.checkpoint import Checkpoint, origin_of
from portineria.ledger.export import Header, Proof, read_line, write_line
from portineria.ledger.note import Note, VerifierKey, sign, verifier_key
from portineria.ledger.trust import ROLE, Signers, Trust, signers_of
from portineria.ledger.verification import Verdict, verify


class Seal:
    """The installation's checkpoint key, for one round of sealing."""

    @cached_property
    def _installation(self) -> str:
        return Installation.objects.get(pk=1).public_id

    @cached_property
    def _signer(self) -> keys.Signer:
        return keys.signer(ROLE)

    def origin(self, organisation: str) -> str:
        return origin_of(self._installation, organisation)

    def signed(self, checkpoint: Checkpoint) -> str:
        text = checkpoint.text()
        return str(Note(text, (sign(text, checkpoint.origin, self._signer.key),)))

    def attested(self, organisation: str, text: str) -> str:
        """A note that is no checkpoint and does not read like one."""
        return str(Note(text, (sign(text, self.origin(organisation), self._signer.key),)))

    def key(self, organisation: str) -> VerifierKey:
        """By which others verify this register's newest checkpoints."""
        return verifier_key(self.origin(organisation), self._signer.key)


def seal_to_the_end(organisation: str) -> None:
    """Everything that is written now. Raise BrokenChain."""
    signer = Seal()
    while seal(organisation, signer):
        pass


def header_of(organisation: str) -> Header:
    found = keys.chain(ROLE)
    return Header(
        version=1,
        origin=origin_of(found.installation, organisation),
        organisation=organisation,
        root=found.root,
        issuer=found.issuer,
        signers=found.signers,
        witnesses=exporting.witnesses_of(organisation),
    )


def signers_here(organisation: str) -> Signers:
    """Who may have signed checkpoints of this organisation's register."""
    return signers_of(header_of(organisation), Trust())


def export_register(*, actor: Person | Operator, organisation: str, first: int = 1) -> Iterator[bytes]:
    """Lines of the export, the event that says so among them. Raise NotFound, NoSuchEvent, BrokenChain."""
    require_reader(actor, organisation)
    exporting.check_first(organisation, first)
    with transaction.atomic():
        record("audit.register.exported", organisation=organisation, actor=actor.public_id, first=first)
    seal_to_the_end(organisation)
    return exporting.export(header_of(organisation), first=first)


def prove_event(*, actor: Person | Operator, organisation: str, seq: int) -> bytes:
    """Raise NotFound for what this actor does not see, NotSealed, BrokenChain."""
    require_reader(actor, organisation)
    row = Event.objects.filter(organisation=organisation, seq=seq).prefetch_related("personal_values").first()
    if row is None:
        raise NotFound(f"event {organisation}/{seq}")
    with transaction.atomic():
        record("audit.event.proven", organisation=organisation, actor=actor.public_id, seq=seq)
    seal_to_the_end(organisation)
    return exporting.prove(header_of(organisation), row, exporting.newest_of(organisation))


def take_out(*, actor: Person, organisation: str, events: Sequence[Event], kind: str) -> bytes:
    """Why each of these stands in the register, oldest first, as an extract has it; ``kind``: of the table beside it.

    Raise NotFound, BrokenChain.
    """
    require_reader(actor, organisation)
    with transaction.atomic():
        record(
            "audit.register.extracted", organisation=organisation, actor=actor.public_id, events=len(events),
            format=kind, first=events[0].seq, last=events[-1].seq,
        )  # fmt: skip
    seal_to_the_end(organisation)
    return exporting.prove_many(header_of(organisation), events)


def take_report(
    *, actor: Person, organisation: str, events: Sequence[Event], report: str, entries: int, table_sha256: str
) -> bytes:
    """As ``take_out``, for a list with ``entries`` lines; the event that it was taken, with its hash, is the last one.

    Raise NotFound, BrokenChain.
    """
    require_reader(actor, organisation)
    with transaction.atomic():
        taken = record(
            "audit.report.taken", organisation=organisation, actor=actor.public_id, report=report, entries=entries,
            table_sha256=table_sha256,
        )  # fmt: skip
    seal_to_the_end(organisation)
    return exporting.prove_many(header_of(organisation), [*events, taken])


def shown_proof(row: Event, newest: CheckpointRow) -> Proof:
    """For a page; of an event that its reader was found to see, and that this checkpoint covers."""
    return cast(Proof, read_line(exporting.prove(header_of(row.organisation), row, newest)))


def checked(proof: Proof) -> Verdict:
    """As anybody would check it elsewhere, by this installation's root, which made the proof's header."""
    return verify([write_line(proof)], Trust(root_sha256=signers_of(proof.header, Trust()).root_sha256))


def require_reader(actor: Person | Operator, organisation: str) -> None:
    if isinstance(actor, Person) and organisation not in actor.event_organisations:
        raise NotFound(f"register {organisation}")
