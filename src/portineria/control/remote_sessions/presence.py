# SPDX-License-Identifier: Apache-2.0
"""Which gateway is connected where. What a relay says about it is checked against what we know (WIRE 3)."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from django.db import transaction

from portineria.bus.message import DropGateway, SetAdmitted, ToRelay
from portineria.control.audit import news
from portineria.control.audit.services import record
from portineria.control.estate.models import Gateway, GatewayState, Link, Relay
from portineria.control.estate.trust import additions_for, admitted_list
from portineria.control.identity.authority import SYSTEM
from portineria.control.remote_sessions import letters
from portineria.control.remote_sessions.models import Session, SessionState

_CLOSED = "remote_sessions.legs-closed"  # for open pages only: what a relay says is no event


@transaction.atomic
def forget_links() -> None:
    """At start: who is connected is told by the relays anew."""
    Link.objects.all().delete()


def _relay(relay: str) -> Relay | None:
    return Relay.objects.filter(public_id=relay, retired_at__isnull=True).first()


def admitted() -> SetAdmitted:
    return SetAdmitted(admitted_list())


@transaction.atomic
def relay_up(relay: str, gateways: Sequence[str]) -> None:
    """The relay has exactly these links; those of gateways that are not admitted it drops by the list."""
    row = _relay(relay)
    if row is None:
        return
    for link in Link.objects.filter(relay=row).exclude(gateway__public_id__in=gateways).select_related("gateway"):
        _gone(link.gateway, row)
    have = set(Link.objects.filter(relay=row).values_list("gateway__public_id", flat=True))
    known = Gateway.objects.filter(public_id__in=set(gateways) - have, state=GatewayState.ADMITTED)
    for gateway in known.select_related("plant__organisation"):
        _came(gateway, row, "")


@transaction.atomic
def link_up(relay: str, gateway: str, spki_sha256: bytes, peer: str) -> list[ToRelay]:
    """Return what to say to that relay: the gateway's letters, or to drop it."""
    row = _relay(relay)
    rows = Gateway.objects.select_for_update(of=("self",)).select_related("plant__organisation")
    found = rows.filter(public_id=gateway).first()
    if row is None or found is None or not found.admitted or bytes(found.spki_sha256) != spki_sha256:
        return [DropGateway(gateway)]
    _came(found, row, peer)
    return standing_letters(found)


def standing_letters(gateway: Gateway) -> list[ToRelay]:
    """Everything a gateway that comes back has to hear: additions to its trust, and its sessions as they stand."""
    messages: list[ToRelay] = [letters.sealed(gateway, additions_for(gateway))]
    for session in Session.objects.open().filter(gateway=gateway).select_related("gateway", "machine"):
        messages += letters.standing_messages(session)
    return messages


def linked() -> list[str]:
    return list(Link.objects.order_by("gateway").values_list("gateway__public_id", flat=True).distinct())


def additions(gateway: str) -> ToRelay:
    """For a gateway that is linked and has not come back: what its trust may lack by now."""
    row = Gateway.objects.select_related("plant__organisation").get(public_id=gateway)
    return letters.sealed(row, additions_for(row))


def _came(gateway: Gateway, relay: Relay, peer: str) -> None:
    Link.objects.update_or_create(gateway=gateway, relay=relay, defaults={"address": peer})
    record(
        "estate.gateway.connected",
        organisation=gateway.plant.organisation.public_id,
        actor=SYSTEM,
        about=gateway.public_id,
        gateway=gateway.public_id,
        relay=relay.public_id,
        address=peer,
    )


@transaction.atomic
def link_down(relay: str, gateway: str) -> None:
    row = _relay(relay)
    found = Gateway.objects.filter(public_id=gateway).select_related("plant__organisation").first()
    if row is not None and found is not None:
        _gone(found, row)


def _gone(gateway: Gateway, relay: Relay) -> None:
    count, _ = Link.objects.filter(gateway=gateway, relay=relay).delete()
    if count:
        record(
            "estate.gateway.disconnected",
            organisation=gateway.plant.organisation.public_id,
            actor=SYSTEM,
            gateway=gateway.public_id,
            relay=relay.public_id,
        )


@transaction.atomic
def legs_closed(relay: str, session: str, at: datetime) -> None:
    """A relay says that it closed a session's legs. No proof of a cut, and shown as what it is: the relay's word."""
    rows = Session.objects.select_for_update(of=("self",)).select_related("organisation")
    row = rows.filter(public_id=session, state=SessionState.CUTTING, relay_closed_at=None).first()
    if row is None or _relay(relay) is None:
        return
    row.relay_closed_at = at
    row.save(update_fields=["relay_closed_at"])
    said = news.News(row.organisation.public_id, 0, _CLOSED, relay, session=session)
    transaction.on_commit(partial(news.tell, said))
