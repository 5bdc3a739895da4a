# SPDX-License-Identifier: Apache-2.0
"""Rules under which nothing new begins for some minutes while somebody is asked for a second yes. What runs goes on."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from portineria.control.access.models import Rule
from portineria.control.audit.services import record
from portineria.control.identity.authority import Actor


@transaction.atomic
def pause_rules(actor: Actor, rules: Iterable[Rule], *, until: datetime, sessions: int) -> None:
    """Of one organisation. ``sessions``: how many the change would end."""
    wanted = {rule.pk for rule in rules}
    rows = list(Rule.objects.filter(pk__in=wanted).select_for_update(of=("self",), no_key=True).order_by("pk"))
    if not rows:
        return
    Rule.objects.filter(pk__in=wanted).update(paused_until=until)
    record(
        "access.rules.paused", organisation=rows[0].organisation.public_id, actor=actor.public_id, sessions=sessions,
        rules=" ".join(row.public_id for row in rows), ends_at=until.isoformat(timespec="seconds"),
    )  # fmt: skip


def resume_rules(rules: Iterable[Rule]) -> None:
    """Inside the transaction of the change that was waited for."""
    Rule.objects.filter(pk__in={rule.pk for rule in rules}, paused_until__isnull=False).update(paused_until=None)
