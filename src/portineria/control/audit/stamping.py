# SPDX-License-Identifier: Apache-2.0
"""Which checkpoints are to be stamped by a time-stamping authority, and the stamps that came."""

from datetime import datetime, timedelta

from django.db.models import Max

from portineria.control.audit.models import Checkpoint, TimeStamp


def due(every: timedelta, at: datetime) -> list[Checkpoint]:
    """The newest checkpoint of each register that has grown since its last stamp, which is so old at least."""
    found = []
    newest = Checkpoint.objects.order_by().values("organisation").annotate(size=Max("size"))
    for organisation, size in newest.values_list("organisation", "size"):
        last = TimeStamp.objects.filter(checkpoint__organisation=organisation).order_by("-at").first()
        if last is None or (last.checkpoint.size < size and last.at + every <= at):
            found.append(Checkpoint.objects.get(organisation=organisation, size=size))
    return found


def keep(checkpoint: Checkpoint, stamp: bytes, at: datetime) -> None:
    TimeStamp.objects.get_or_create(checkpoint=checkpoint, defaults={"stamp": stamp, "at": at})
