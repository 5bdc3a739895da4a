# SPDX-License-Identifier: Apache-2.0
"""Registers of other installations: what we cosigned of them, and what we caught. The caller brings the key."""

from datetime import datetime
from hashlib import sha256
from typing import Any, Protocol

import structlog
from django.db import transaction

from portineria.control.audit.models import Watched, WatchedCheckpoint, WatchedFault
from portineria.control.audit.services import record
from portineria.core.errors import ProtocolError
from portineria.ledger.checkpoint import ORIGIN_CHARACTERS
from portineria.ledger.note import ED25519, BadNote, Signature, VerifierKey, parse_verifier_key
from portineria.ledger.witness import (
    MALFORMED,
    Answer,
    Evidence,
    Known,
    Request,
    consider,
    cosigned,
    read_request,
    refusal,
)

FAULTS = 1000  # kept of one register; whoever signs more histories was caught long ago
log = structlog.get_logger()


class Cosigner(Protocol):
    @property
    def installation(self) -> str: ...

    def cosigned(self, text: str, at: int) -> Signature: ...


def watch(origin: str, key: VerifierKey, *, installation: str, at: datetime) -> None:
    """Within a transaction. Raise BadNote for a key that signs no registers."""
    if key.kind != ED25519 or len(origin) > ORIGIN_CHARACTERS:
        raise BadNote("the key of a register signs plain notes; a cosigner's key signs none")
    _, made = Watched.objects.get_or_create(origin=origin, key=str(key), defaults={"at": at})
    if made:
        record("audit.watched.added", organisation=installation, actor="operator", origin=origin, key=str(key))


def answer(data: bytes, signer: Cosigner, at: datetime) -> Answer:
    """To an add-checkpoint request. Nothing is signed before it is on the disk."""
    try:
        request = read_request(data)
    except ProtocolError as error:
        return refusal(MALFORMED, str(error))
    with transaction.atomic(durable=True):
        rows = Watched.objects.filter(origin=request.checkpoint.origin).select_for_update().order_by("pk")
        keys = [parse_verifier_key(row.key) for row in rows]
        refused = consider(request, keys, _known(request))
        if refused is None:
            _keep(request, at)
        elif refused.evidence is not None:
            _keep_fault(request, refused, signer.installation, at)
    return refused or cosigned(signer.cosigned(request.note.text, int(at.timestamp())))


def _known(request: Request) -> Known:
    asked, rows = request.checkpoint, WatchedCheckpoint.objects.filter(origin=request.checkpoint.origin)
    newest = rows.order_by("-size").first()
    if newest is None:
        return Known()
    same = rows.filter(size=asked.size).values_list("root", flat=True).first()
    return Known(newest.size, bytes(newest.root), None if same is None else bytes(same))


def _keep(request: Request, at: datetime) -> None:
    asked = request.checkpoint
    WatchedCheckpoint.objects.get_or_create(
        origin=asked.origin, size=asked.size, defaults={"root": asked.root, "note": str(request.note), "at": at}
    )
    # It was sent with a proof that did not fit, and now with one that does.
    WatchedFault.objects.filter(origin=asked.origin, size=asked.size, kind=Evidence.UNPROVEN).delete()


def _keep_fault(request: Request, refused: Answer, installation: str, at: datetime) -> None:
    asked, note, kind = request.checkpoint, str(request.note), str(refused.evidence)
    if WatchedFault.objects.filter(origin=asked.origin).count() >= FAULTS:
        return
    said: dict[str, Any] = {"size": asked.size, "kind": kind, "why": refused.why}
    _, made = WatchedFault.objects.get_or_create(
        origin=asked.origin, note_sha256=sha256(note.encode()).digest(), defaults={**said, "note": note, "at": at}
    )
    if made:
        log.error("witness.caught", origin=asked.origin, **said)
        record(
            "audit.watched.caught", organisation=installation, actor="portineria", origin=asked.origin, size=asked.size
        )


def watched() -> list[tuple[str, WatchedCheckpoint | None]]:
    """Each register with the newest checkpoint that we cosigned of it."""
    origins = Watched.objects.order_by("origin").values_list("origin", flat=True).distinct()
    rows = WatchedCheckpoint.objects.order_by("-size")
    return [(origin, rows.filter(origin=origin).first()) for origin in origins]


def caught() -> list[WatchedFault]:
    return list(WatchedFault.objects.order_by("at", "size"))
