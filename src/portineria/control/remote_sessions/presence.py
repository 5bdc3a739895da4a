# SPDX-License-Identifier: Apache-2.0
"""What relays and gateways are told when they come, and what a relay says of a session's legs."""

from datetime import datetime
from functools import partial

from django.db import transaction
from django.utils import timezone

from portineria.bus.message import DropGateway, SetAdmitted, ToRelay
from portineria.control.audit import news
from portineria.control.estate import links
from portineria.control.estate.models import Gateway
from portineria.control.estate.trust import additions_for, admitted_list
from portineria.control.remote_sessions import letters
from portineria.control.remote_sessions.held import standing_answers
from portineria.control.remote_sessions.models import Session, SessionState

_CLOSED = "remote_sessions.legs-closed"  # for open pages only: what a relay says is no event


def admitted() -> SetAdmitted:
    return SetAdmitted(admitted_list())


@transaction.atomic
def link_up(relay: str, gateway: str, spki_sha256: bytes, peer: str) -> list[ToRelay]:
    """Return what to say to that relay: the gateway's letters, or to drop it."""
    found = links.link_up(relay, gateway, spki_sha256, peer)
    return standing_letters(found) if found else [DropGateway(gateway)]


def standing_letters(gateway: Gateway) -> list[ToRelay]:
    """Everything a gateway that comes back has to hear: additions to its trust, and its sessions as they stand."""
    messages: list[ToRelay] = [letters.sealed(gateway, additions_for(gateway))]
    for session in Session.objects.open().filter(gateway=gateway).select_related("gateway", "machine"):
        messages += letters.standing_messages(session)
    return messages + standing_answers(gateway, timezone.now())


def additions(gateway: str) -> ToRelay:
    """For a gateway that is linked and has not come back: what its trust may lack by now."""
    row = Gateway.objects.select_related("plant__organisation").get(public_id=gateway)
    return letters.sealed(row, additions_for(row))


@transaction.atomic
def legs_closed(relay: str, session: str, at: datetime) -> None:
    """A relay says that it closed a session's legs. No proof of a cut, and shown as what it is: the relay's word."""
    rows = Session.objects.select_for_update(of=("self",), no_key=True).select_related("organisation")
    row = rows.filter(public_id=session, state=SessionState.CUTTING, relay_closed_at=None).first()
    if row is None or links.relay_in_service(relay) is None:
        return
    row.relay_closed_at = at
    row.save(update_fields=["relay_closed_at"])
    said = news.News(row.organisation.public_id, 0, _CLOSED, relay, session=session)
    transaction.on_commit(partial(news.tell, said))
