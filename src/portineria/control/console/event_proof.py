# SPDX-License-Identifier: Apache-2.0
"""Why an event stands in the register, for eyes: the steps from its leaf to the root that was signed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from portineria.control.audit import queries as audit
from portineria.control.audit.models import Event
from portineria.control.identity import register
from portineria.control.identity.models import Person
from portineria.ledger.checkpoint import Checkpoint, read_checkpoint
from portineria.ledger.note import Note

_STEP, _TOP = 18, 14  # of the picture, in its own units
_MIDDLE, _ASIDE = 100, 60


@dataclass(frozen=True, slots=True)
class Step:
    """One hash that the proof brings, and which events it stands for."""

    number: int
    first: int
    last: int
    sha256: str
    left: bool  # it stands before what is proven

    y: int
    x: int


@dataclass(frozen=True, slots=True)
class Shown:
    """``faults`` is what an honest checker elsewhere would say of the very file that can be downloaded."""

    checkpoint: Checkpoint
    root_sha256: bytes
    sealed_at: datetime  # when the first checkpoint covered it
    sealed_size: int
    steps: list[Step]
    faults: list[str]
    witnesses: list[tuple[str, datetime | None]]

    @property
    def root(self) -> str:
        return self.checkpoint.root.hex()

    @property
    def height(self) -> int:
        return len(self.steps) * _STEP + 2 * _TOP

    @property
    def leaf_y(self) -> int:
        return self.height - _TOP


def shown(actor: Person, event: Event) -> Shown | None:
    """None while no checkpoint covers the event: a moment."""
    sealed = audit.sealed_by(actor, event)
    if sealed is None:
        return None
    first, newest = sealed
    proof = register.shown_proof(event, newest)
    note, checkpoint = read_checkpoint(proof.checkpoint.note)
    verdict = register.checked(proof)
    return Shown(
        checkpoint=checkpoint,
        root_sha256=verdict.root_sha256,
        sealed_at=first.at,
        sealed_size=first.size,
        steps=steps(proof.index, checkpoint.size, proof.path),
        faults=verdict.faults,
        witnesses=_witnesses(note, checkpoint),
    )


def steps(index: int, size: int, path: Sequence[bytes]) -> list[Step]:
    """From the leaf upwards; the splits are those of RFC 6962, 2.1."""
    found: list[tuple[int, int, bool]] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + (1 << ((end - start - 1).bit_length() - 1))
        if index < middle:
            found.append((middle, end, False))
            end = middle
        else:
            found.append((start, middle, True))
            start = middle
    height = len(path) * _STEP + 2 * _TOP
    return [
        Step(
            number, first + 1, last, digest.hex(), left,
            y=height - _TOP - number * _STEP, x=_MIDDLE - _ASIDE if left else _MIDDLE + _ASIDE,
        )
        for number, ((first, last, left), digest) in enumerate(zip(reversed(found), path, strict=True), 1)
    ]  # fmt: skip


def _witnesses(note: Note, checkpoint: Checkpoint) -> list[tuple[str, datetime | None]]:
    """Who else signed, as the note says; only whoever knows their keys can check it."""
    others = [signature for signature in note.signatures if signature.name != checkpoint.origin]
    return [(signature.name, _seen_at(signature.value)) for signature in others]


def _seen_at(value: bytes) -> datetime | None:
    seconds = int.from_bytes(value[:8], "big")
    return datetime.fromtimestamp(seconds, UTC) if len(value) == 72 and seconds < 1 << 34 else None
