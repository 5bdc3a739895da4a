# SPDX-License-Identifier: Apache-2.0
"""An organisation's Merkle tree, as its rows stand in the database."""

from collections.abc import Sequence

from portineria.control.audit.models import Checkpoint, Event, TreeRow
from portineria.ledger.merkle import Tree


def tree_of(organisation: str, size: int) -> Tree:
    """Of the first ``size`` events; ``size`` is that of a checkpoint, so that every row it needs is there."""

    def rows(level: int, first: int, count: int) -> Sequence[bytes]:
        if level:
            found = TreeRow.objects.filter(organisation=organisation, level=level, index__gte=first)
            inner = found.filter(index__lt=first + count).order_by("index").values_list("sha256", flat=True)
            return [bytes(digest) for digest in inner]
        leaves = Event.objects.filter(organisation=organisation, seq__gt=first, seq__lte=min(first + count, size))
        return [bytes(digest) for digest in leaves.order_by("seq").values_list("leaf_sha256", flat=True)]

    return Tree(size, rows)


def newest_checkpoint(organisation: str) -> Checkpoint | None:
    return Checkpoint.objects.filter(organisation=organisation).order_by("-size").first()
