# SPDX-License-Identifier: Apache-2.0
"""Checking a register in its database: events, columns that pages show, personal values, checkpoints."""

from collections.abc import Callable
from typing import Any

from django.db.models import Max

from portineria.control.audit.models import Checkpoint, Event, Head
from portineria.control.audit.services import INDEXED, BrokenChain
from portineria.core.errors import ProtocolError
from portineria.ledger import leaf as leaves
from portineria.ledger.checkpoint import read_checkpoint
from portineria.ledger.merkle import Frontier, leaf_hash
from portineria.ledger.note import Note

CheckNote = Callable[[Note], object]  # raises ProtocolError for a note that nobody of ours signed


def chained_organisations() -> set[str]:
    """Whose events are here, by any trace that there is of them."""
    heads = Head.objects.values_list("organisation", flat=True)
    signed = Checkpoint.objects.values_list("organisation", flat=True).distinct()
    return {*heads, *signed, *Event.objects.values_list("organisation", flat=True).distinct()}


def verify_chain(organisation: str, check_note: CheckNote | None = None) -> int:
    """Return the number of events; raise BrokenChain naming the first one that does not fit.

    May run while others write: what came after it began is not looked at. Finds what was changed, left out, put in
    or moved, and a chain computed anew unless its checkpoints were signed anew too. A personal value that is taken
    away looks like one that was erased.
    """
    newest = Event.objects.filter(organisation=organisation).aggregate(newest=Max("seq"))["newest"] or 0
    head = Head.objects.filter(organisation=organisation).first() or Head(organisation=organisation)
    signed = _Signed(organisation, head.seq, check_note)
    prev, row = bytes(32), 0
    events = Event.objects.filter(organisation=organisation, seq__lte=head.seq).order_by("seq")
    for event in events.prefetch_related("personal_values").iterator(chunk_size=1000):
        seq = signed.frontier.size + 1
        if fault := _fault(event, seq, prev) or ("it stands before the one before" if event.pk <= row else None):
            raise BrokenChain(f"event {organisation}/{seq}: {fault}")
        prev, row = bytes(event.leaf_sha256), event.pk
        signed.append(prev)
    seq = signed.frontier.size
    if seq < head.seq:
        raise BrokenChain(f"event {organisation}/{seq + 1}: it is missing, the head of this chain is {head.seq}")
    if newest > head.seq:
        raise BrokenChain(f"event {organisation}/{newest}: the head of this chain is {head.seq}")
    if bytes(head.leaf_sha256) != prev:
        raise BrokenChain(f"event {organisation}/{seq}: it is not the one that the head of this chain names")
    signed.finish()
    return seq


class _Signed:
    """The checkpoints, compared as the tree grows past them."""

    def __init__(self, organisation: str, newest: int, check_note: CheckNote | None) -> None:
        self.frontier = Frontier()
        self._organisation, self._newest, self._check_note = organisation, newest, check_note
        self._rows = Checkpoint.objects.filter(organisation=organisation).order_by("size").iterator(chunk_size=1000)
        self._next = next(self._rows, None)

    def append(self, digest: bytes) -> None:
        self.frontier.append(digest)
        if self._next is not None and self._next.size == self.frontier.size:
            self._compare(self._next)
            self._next = next(self._rows, None)

    def _compare(self, checkpoint: Checkpoint) -> None:
        where = f"event {self._organisation}/{checkpoint.size}"
        try:
            note, said = read_checkpoint(checkpoint.note)
            if self._check_note is not None:
                self._check_note(note)
        except ProtocolError as error:
            raise BrokenChain(f"{where}: its checkpoint is none of ours: {error}") from error
        if (said.size, said.root) != (checkpoint.size, bytes(checkpoint.root)):
            raise BrokenChain(f"{where}: its checkpoint is not the one that was signed")
        if said.root != self.frontier.root():
            raise BrokenChain(f"{where}: this or an earlier event is not the one that was signed")

    def finish(self) -> None:
        """Those of events written since this check began are not looked at."""
        newest = Head.objects.filter(organisation=self._organisation).values_list("seq", flat=True).first() or 0
        if self._next is not None and self._next.size > newest:
            raise BrokenChain(
                f"event {self._organisation}/{self._newest + 1}: it is missing, {self._next.size} events were signed"
            )


def _fault(event: Event, seq: int, prev: bytes) -> str | None:
    data = bytes(event.leaf)
    if event.seq != seq:
        return f"it is missing, the next one is {event.seq}"
    if leaf_hash(data) != bytes(event.leaf_sha256):
        return "the leaf is not the one that was hashed"
    try:
        content = leaves.decode(data)
        said, hashed = _said(content), dict(content["hashed"])
    except (ValueError, KeyError, TypeError):  # somebody else's bytes, with a hash that fits them
        return "the leaf is none of ours"
    if content.get("prev") != prev.hex() or bytes(event.prev_sha256) != prev:
        return "it does not follow the one before"
    shown = _columns(event)
    if differing := sorted(name for name, value in said.items() if shown[name] != value):
        return f"not what was hashed: {', '.join(differing)}"
    return _personal_fault(event, hashed)


def _said(content: dict[str, Any]) -> dict[str, Any]:
    """What the leaf says of every column that a page shows, sorts or filters by."""
    said = {name: content[name] for name in ("organisation", "seq", "code", "actor", "at")}
    return said | {name: str(content["fields"].get(name, "")) for name in INDEXED}


def _columns(event: Event) -> dict[str, Any]:
    columns = {name: getattr(event, name) for name in ("organisation", "seq", "code", "actor", *INDEXED)}
    return columns | {"at": leaves.written(event.at)}


def _personal_fault(event: Event, hashed: dict[str, str]) -> str | None:
    for value in event.personal_values.all():
        if value.field not in hashed:
            return f"{value.field} was put beside what was hashed"
        said = value.value
        if said is not None and leaves.personal_hash(bytes(value.salt), said).hex() != hashed[value.field]:
            return f"{value.field} is not the value that was hashed"
    return None
