# SPDX-License-Identifier: Apache-2.0
"""One event sent at once, so that whoever set a sink up sees whether it arrives. Its cursor stays where it is."""

import asyncio

from asgiref.sync import async_to_sync

from portineria.control.audit.models import Event
from portineria.control.identity.authority import Actor
from portineria.control.sinks import secret
from portineria.control.sinks.leaving import Leaving
from portineria.control.sinks.models import Sink
from portineria.control.sinks.services import note_tested
from portineria.core.errors import PortineriaError, Unavailable
from portineria.sinks.kind import Away, Sender
from portineria.sinks.outgoing import Outgoing

TRIAL_S = 15.0


class NotTaken(Unavailable):
    """``values`` say why, in our words and the system's."""

    code = "sinks.not-taken"

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.values = {"why": why}


def send_test_event(*, actor: Actor, sink: str, source: str) -> None:
    """Record it, then send it outside any transaction. Raise NotFound, Denied, NotTaken."""
    event = note_tested(actor=actor, sink=sink)
    row = Sink.objects.select_related("organisation").get(public_id=sink)
    outgoing = Leaving(row, secret.pseudonym_key(row), source).outgoing(Event.objects.get(pk=event.pk))
    async_to_sync(_send)(secret.sender(row), outgoing)


async def _send(sender: Sender, event: Outgoing) -> None:
    try:
        async with asyncio.timeout(TRIAL_S):
            taken = await sender.send([event])
    except TimeoutError as error:
        raise NotTaken("no answer in time") from error
    except PortineriaError as error:
        raise NotTaken(str(error)) from error
    finally:
        await sender.close()
    if taken.refused or taken.count != 1:
        raise NotTaken(next(iter(taken.refused.values()), str(taken.away or Away("not acknowledged"))))
