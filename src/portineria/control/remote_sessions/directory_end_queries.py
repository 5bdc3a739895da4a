# SPDX-License-Identifier: Apache-2.0
"""What directories took from many at once, and the running sessions that somebody is asked about."""

from datetime import datetime

from django.db.models import Exists, OuterRef, Prefetch

from portineria.control.identity.models import Person
from portineria.control.remote_sessions.models import (
    DirectoryEnd,
    DirectoryEndQuerySet,
    Session,
    SessionQuerySet,
    Stay,
)
from portineria.core.errors import NotFound


def directory_ends(actor: Person) -> DirectoryEndQuerySet:
    """The newest first. ``spared``: stays of sessions that run on by it."""
    spared = Stay.objects.open().select_related("session__person", "session__machine__plant").order_by("pk")
    found = DirectoryEnd.objects.visible_to(actor).select_related("organisation", "answered_by")
    return found.prefetch_related(Prefetch("stays", spared, to_attr="spared")).order_by("-asked_at", "-pk")


def directory_end(actor: Person, public_id: str) -> DirectoryEnd:
    found = directory_ends(actor).filter(public_id=public_id).first()
    if found is None:
        raise NotFound(f"directory end {public_id}")
    return found


def with_stays(rows: SessionQuerySet) -> SessionQuerySet:
    """``stays_on``: whether each goes on though a directory took its permission, for lists of what is open."""
    return rows.annotate(stays_on=Exists(Stay.objects.open().filter(session=OuterRef("pk"))))


def stay_of(actor: Person, session: Session) -> Stay | None:
    """By which it goes on; for the owner's staff, who may have said so."""
    asked = DirectoryEnd.objects.visible_to(actor)
    found = Stay.objects.open().filter(session=session, directory_end__in=asked)
    return found.select_related("directory_end__answered_by").first()


def directory_ends_for(actor: Person, at: datetime) -> DirectoryEndQuerySet:
    """What waits for this very person's answer."""
    here = [pk for pk in actor.staff_of if (role := actor.role_in(pk)) is not None and role.administers]
    return DirectoryEnd.objects.waiting(at).filter(organisation__in=here).order_by("ends_at", "pk")
