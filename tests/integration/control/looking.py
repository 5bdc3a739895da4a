# SPDX-License-Identifier: Apache-2.0
"""Looking through recordings: who was named, and a guardian's yes."""

from __future__ import annotations

from portineria.control.identity.models import Person
from portineria.control.privacy.duties import appoint
from portineria.control.privacy.models import Duty
from portineria.control.remote_sessions import playback
from portineria.control.remote_sessions.models import Playback, Session
from tests.integration.control.world import World, fresh


def named(world: World, who: Person, duty: Duty | None) -> None:
    appoint(actor=world.owner, organisation=world.organisation, person=who.public_id, duty=duty)


def asked(who: Person, session: Session, hours: int = 4) -> Playback:
    return playback.ask(
        actor=fresh(who), session=session.public_id, reason="The press stopped", reference="INC-12", hours=hours
    )  # fmt: skip


def may_look(world: World, who: Person, session: Session) -> Playback:
    """The approver guards; ``who`` is a reader and has their yes."""
    named(world, who, Duty.READER)
    named(world, world.approver, Duty.GUARDIAN)
    return playback.decide(actor=fresh(world.approver), playback=asked(who, session).public_id, allowed=True)
