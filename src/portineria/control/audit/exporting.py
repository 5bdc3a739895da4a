# SPDX-License-Identifier: Apache-2.0
"""A register, or one event of it with its proof, as files that verify without this server."""

from collections.abc import Collection, Iterable, Iterator

import msgspec

from portineria.control.audit.models import Checkpoint, Cosignature, Event, Head
from portineria.control.audit.tree import newest_checkpoint, tree_of
from portineria.core.errors import Invalid, NotFound
from portineria.core.ids import Kind, is_id
from portineria.ledger.evidence import Entry
from portineria.ledger.export import CheckpointLine, EndLine, EventLine, Header, Personal, Proof, write_line

_TOGETHER = 1000  # events read at once


class NotSealed(NotFound):
    """No checkpoint covers it yet; sealing takes seconds."""

    code = "audit.not-sealed"


class NoSuchEvent(Invalid):
    code = "audit.export.first"


def check_first(organisation: str, first: int) -> None:
    """Raise NoSuchEvent."""
    last = Head.objects.filter(organisation=organisation).values_list("seq", flat=True).first() or 0
    if not 1 <= first <= last:
        raise NoSuchEvent(f"there are events 1 to {last} of {organisation}, and {first} is none of them")


def newest_of(organisation: str) -> Checkpoint:
    """Raise NotSealed."""
    found = newest_checkpoint(organisation)
    if found is None:
        raise NotSealed(f"nothing of {organisation} was sealed yet")
    return found


def export(header: Header, *, first: int = 1) -> Iterator[bytes]:
    """Lines from event ``first`` up to the newest checkpoint. Raise NotSealed before the first line."""
    size = newest_of(header.organisation).size
    return _lines(_beginning(header, first), first, size)


def _beginning(header: Header, first: int) -> Header:
    before = first - 1
    if not before:
        return header
    peaks = tree_of(header.organisation, before).frontier().peaks
    prev = Event.objects.values_list("leaf_sha256", flat=True).get(organisation=header.organisation, seq=before)
    return msgspec.structs.replace(header, before=before, peaks=peaks, prev=bytes(prev))


def _lines(header: Header, first: int, size: int) -> Iterator[bytes]:
    yield write_line(header)
    organisation = header.organisation
    checkpoints = Checkpoint.objects.filter(organisation=organisation, size__gte=first, size__lte=size).order_by("size")
    waiting = checkpoints.select_related("time_stamp").prefetch_related("cosignatures").iterator(chunk_size=_TOGETHER)
    checkpoint = next(waiting, None)
    for start in range(first, size + 1, _TOGETHER):
        rows = Event.objects.filter(organisation=organisation, seq__gte=start, seq__lt=min(start + _TOGETHER, size + 1))
        for event in rows.order_by("seq").prefetch_related("personal_values"):
            yield write_line(event_line(event))
            if checkpoint is not None and checkpoint.size == event.seq:
                yield write_line(checkpoint_line(checkpoint))
                checkpoint = next(waiting, None)
    yield write_line(EndLine(size))


def event_line(event: Event, own: str = "") -> EventLine:
    """``own``: a person for whom it is; values about other people stay the hashes that they are in the leaf."""
    values = {
        value.field: Personal(bytes(value.salt), value.value)
        for value in event.personal_values.all()
        if value.value is not None and not (own and value.about != own and is_id(value.about, Kind.PERSON))
    }
    return EventLine(bytes(event.leaf).decode(), values)


def checkpoint_line(checkpoint: Checkpoint, *, cosigned: bool = True) -> CheckpointLine:
    lines = "".join(found.line for found in checkpoint.cosignatures.all()) if cosigned else ""
    stamp = getattr(checkpoint, "time_stamp", None)
    return CheckpointLine(checkpoint.note + lines, [bytes(stamp.stamp)] if stamp else [])


def witnesses_of(organisation: str) -> list[str]:
    """The keys of all that ever cosigned this register."""
    found = Cosignature.objects.filter(checkpoint__organisation=organisation)
    return list(found.order_by("witness").values_list("witness", flat=True).distinct()[:64])


def prove(header: Header, event: Event, checkpoint: Checkpoint) -> bytes:
    """One line: the event and its path to this checkpoint. Raise NotSealed."""
    if event.seq > checkpoint.size:
        raise NotSealed(f"event {event.organisation}/{event.seq} is not sealed yet")
    path = tree_of(event.organisation, checkpoint.size).inclusion(event.seq - 1)
    sealed = checkpoint_line(checkpoint, cosigned=bool(header.witnesses))
    return write_line(Proof(header, event_line(event), event.seq - 1, path, sealed))


def prove_many(header: Header, events: Iterable[Event], withheld: Collection[int] = (), own: str = "") -> bytes:
    """Header, newest checkpoint, and each event with its path, a line each; of those whose key is ``withheld`` the hash
    alone. Raise NotSealed.
    """
    checkpoint = newest_of(header.organisation)
    tree = tree_of(header.organisation, checkpoint.size)
    lines = [write_line(header), write_line(checkpoint_line(checkpoint))]
    for event in events:
        path = tree.inclusion(event.seq - 1)
        if event.pk in withheld:
            entry = Entry(event.seq - 1, path, leaf_sha256=bytes(event.leaf_sha256))
        else:
            entry = Entry(event.seq - 1, path, event_line(event, own))
        lines.append(msgspec.json.encode(entry) + b"\n")
    return b"".join(lines)
