# SPDX-License-Identifier: Apache-2.0
"""When somebody last used their account: a browser that is signed in asked something, or a token of theirs did.

Whatever begins a session or decides a request comes in one of these ways, so nothing else has to be noted.
"""

from datetime import datetime, timedelta

import structlog
from django.core.cache import cache
from django.db import OperationalError
from django.db.models import Q

from portineria.control.identity.models import Person

log = structlog.get_logger()
_AGAIN = timedelta(hours=1)  # unused accounts are counted in days
_RETRY_S = 60


def note_use(person: Person, at: datetime) -> None:
    """Written once an hour at most. A time after now came of a clock that was wrong, and is replaced."""
    if person.used_at is not None and timedelta(0) <= at - person.used_at < _AGAIN:
        return
    if not cache.add(f"used-{person.public_id}", True, _RETRY_S):
        return
    stale = Q(used_at__isnull=True) | Q(used_at__lte=at - _AGAIN) | Q(used_at__gt=at)
    try:
        Person.objects.get_queryset().filter(stale, pk=person.pk).update(used_at=at)
    except OperationalError as error:  # what was asked for matters more
        log.warning("use.not-noted", why=str(error))
        return
    person.used_at = at
