# SPDX-License-Identifier: Apache-2.0
"""Putting what was written under a signature: checkpoints of each organisation's tree.

Whose key signs is said by the caller: this app knows nobody. Every seal follows from the database alone, so that a
sealer may die at any moment, and two of them sign the same or nothing.
"""

from typing import Protocol

from django.db import IntegrityError, transaction
from django.db.models import F, Max, OuterRef, Subquery, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from portineria.control.audit.models import Checkpoint, Event, Head, TreeRow
from portineria.control.audit.services import BrokenChain
from portineria.control.audit.tree import newest_checkpoint
from portineria.ledger.checkpoint import Checkpoint as Sealed
from portineria.ledger.merkle import Frontier, leaf_hash

BATCH = 10_000  # events under one seal at most: 0.1 s during which SQLite has no other writer


class Shrunk(BrokenChain):
    """There are fewer events than were signed: a database that was put back, or cut."""

    code = "audit.register.shrunk"


class CheckpointSigner(Protocol):
    def origin(self, organisation: str) -> str: ...

    def signed(self, checkpoint: Sealed) -> str:
        """The note, as text."""


def unsealed() -> list[str]:
    """Organisations that have events under no checkpoint, or fewer events than were signed."""
    sizes = Checkpoint.objects.filter(organisation=OuterRef("organisation")).values("organisation")
    newest = Subquery(sizes.annotate(newest=Max("size")).values("newest"))
    heads = Head.objects.annotate(sealed=Coalesce(newest, Value(0))).exclude(seq=F("sealed"))
    return list(heads.order_by("organisation").values_list("organisation", flat=True))


def seal(organisation: str, signer: CheckpointSigner) -> int:
    """Sign for what is new; return how many events are left. Raise BrokenChain for what must not be signed."""
    try:
        with transaction.atomic():
            return _sealed(organisation, signer)
    except IntegrityError:  # another sealer was quicker, with the same result
        return 0


def _sealed(organisation: str, signer: CheckpointSigner) -> int:
    head = Head.objects.filter(organisation=organisation).first()
    newest = newest_checkpoint(organisation)
    written, signed = head.seq if head else 0, newest.size if newest else 0
    if written < signed:
        raise Shrunk(f"{organisation} has {written} events, and {signed} were signed")
    if written == signed:
        return 0
    frontier = Frontier(signed, _peaks(newest))
    _append_leaves(organisation, frontier, newest)
    sealed = Sealed(signer.origin(organisation), frontier.size, frontier.root())
    TreeRow.objects.bulk_create(
        TreeRow(organisation=organisation, level=level, index=index, sha256=root)
        for level, index, root in frontier.completed
    )
    Checkpoint.objects.create(
        organisation=organisation, size=sealed.size, root=sealed.root, peaks=b"".join(frontier.peaks),
        note=signer.signed(sealed), at=timezone.now(),
    )  # fmt: skip
    return written - frontier.size


def _peaks(checkpoint: Checkpoint | None) -> list[bytes]:
    data = bytes(checkpoint.peaks) if checkpoint else b""
    return [data[at : at + 32] for at in range(0, len(data), 32)]


def _append_leaves(organisation: str, frontier: Frontier, newest: Checkpoint | None) -> None:
    """Raise BrokenChain rather than sign what does not hash to what it says, or does not follow what was signed."""
    prev, events = bytes(32), Event.objects.filter(organisation=organisation)
    if newest is not None:
        if Frontier(newest.size, _peaks(newest)).root() != bytes(newest.root):
            raise BrokenChain(f"the checkpoint of {organisation} at {newest.size} was changed")
        prev = bytes(events.values_list("leaf_sha256", flat=True).get(seq=newest.size))
    rows = events.filter(seq__gt=frontier.size).order_by("seq")
    for seq, leaf, digest, before in rows.values_list("seq", "leaf", "leaf_sha256", "prev_sha256")[:BATCH].iterator():
        expected = frontier.size + 1
        if seq != expected or leaf_hash(bytes(leaf)) != bytes(digest) or bytes(before) != prev:
            raise BrokenChain(f"event {organisation}/{expected}: it is not the one that was written")
        prev = bytes(digest)
        frontier.append(prev)
