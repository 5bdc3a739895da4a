# SPDX-License-Identifier: Apache-2.0
"""What a yes gives: a grant with its times, in the register."""

from datetime import datetime, timedelta

from django.utils import timezone

from portineria.control.access.closing import require_prospect
from portineria.control.access.models import AccessRequest, Grant
from portineria.control.access.recurring import coming
from portineria.control.access.windows import OutsideWindows, begin_within, opens_in, require_opening
from portineria.control.audit.services import record
from portineria.core.errors import Conflict


class GrantEnded(Conflict):
    code = "access.grant.ended"


def give(request: AccessRequest, actor: str) -> Grant:
    """The request is locked and approved."""
    now = timezone.now()
    require_prospect(request, now)
    shorter = [one.minutes for one in request.approvals.filter(counts=True) if one.minutes is not None]
    minutes = min([request.minutes, *shorter])
    starts, ends = _times(request, minutes, now)
    narrowed = request.approvals.filter(counts=True).exclude(narrower=None).select_related("narrower").first()
    grant = Grant.objects.create(
        organisation=request.organisation,
        request=request,
        rule=request.rule,
        person=request.person,
        machine=request.machine,
        profile=request.rule.profile,
        narrower=narrowed.narrower if narrowed else None,
        only_services=request.rule.only_services,
        starts_at=starts,
        ends_at=ends,
        minutes=None if request.starts_at and not request.weekly else minutes,
        weekly=request.weekly,
    )
    record(
        "access.grant.given",
        organisation=request.organisation.public_id,
        actor=actor,
        grant=grant.public_id,
        request=request.public_id,
        machine=request.machine.public_id,
        person=request.person.public_id,
        starts_at=starts.isoformat(timespec="seconds"),
        **grant.until,
        profile=grant.profile.public_id if grant.profile else "",
        narrower=f"{grant.narrower.name} {grant.narrower.version}" if grant.narrower else "",
    )
    return grant


def _times(request: AccessRequest, minutes: int, now: datetime) -> tuple[datetime, datetime]:
    """From when, and until when; without a stated start by when work may begin, as ``begin_within`` has it.

    A stated window that began while nobody decided keeps its end: a late yes does not move it. Of what comes again the
    rest is given.
    """
    starts = max(now, request.starts_at or now)
    if request.weekly:
        return starts, _last_end(request, minutes, starts)
    if request.starts_at is None:
        return now, begin_within(request.rule, request.machine, now)
    ends = request.starts_at + timedelta(minutes=minutes)
    if ends <= now:
        raise GrantEnded(f"the window of {request.public_id} is over")
    require_opening(request.rule, request.machine, starts, ends)
    return starts, ends


def _last_end(request: AccessRequest, minutes: int, starts: datetime) -> datetime:
    left = coming(request, request.machine, minutes, starts)
    if not left:
        raise GrantEnded(f"the last time of {request.public_id} is over")
    if not opens_in(request.rule, request.machine, [(max(one.begins, starts), one.ends) for one in left]):
        raise OutsideWindows(request.rule, request.machine, left[0].begins)
    return max(one.ends for one in left)
