# SPDX-License-Identifier: Apache-2.0
"""Every signed request counts once: whoever reads one on its way cannot send it again.

What writes is remembered in the database, with or without a restart. What only reads is remembered in memory, because a
read has to be answered also while the database takes no writes; after a restart it may be repeated for two minutes.
"""

import threading
from collections import OrderedDict
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from portineria.control.identity.models import ApiToken, ConnectorToken

READS = frozenset({"GET", "HEAD", "OPTIONS"})
_MOST = 100_000  # 400 reads a second for the 240 s a proof can be valid; about 20 MB. Beyond, the oldest are forgotten


class _Memory:
    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[str, bytes], datetime] = OrderedDict()
        self._lock = threading.Lock()

    def first(self, token: str, nonce: bytes, at: datetime, life: timedelta) -> bool:
        with self._lock:
            while self._seen and (len(self._seen) >= _MOST or next(iter(self._seen.values())) < at - life):
                self._seen.popitem(last=False)
            if (token, nonce) in self._seen:
                return False
            self._seen[token, nonce] = at
            return True


_reads = _Memory()


def first_use(token: ConnectorToken | ApiToken, nonce: bytes, *, method: str, at: datetime, life: timedelta) -> bool:
    """False when this token was used with this nonce before. ``life``: for so long a proof can be valid."""
    if method in READS:
        return _reads.first(token.public_id, nonce, at, life)
    try:
        with transaction.atomic():
            token.used_proofs.filter(at__lt=at - life).delete()
            token.used_proofs.create(nonce=nonce, at=at)
    except IntegrityError:
        return False
    return True
