# SPDX-License-Identifier: Apache-2.0
"""Which gateway is connected where, as the relays tell it. What they say is checked against what we know (WIRE 3)."""

from collections.abc import Iterable, Sequence

from django.db import transaction

from portineria.control.audit.services import record
from portineria.control.estate.models import Gateway, GatewayState, Link, Relay
from portineria.control.identity.authority import SYSTEM


@transaction.atomic
def forget_all() -> None:
    """At start: who is connected is told by the relays anew."""
    Link.objects.all().delete()


def relay_in_service(relay: str) -> Relay | None:
    return Relay.objects.filter(public_id=relay, retired_at__isnull=True).first()


def linked() -> list[str]:
    """Gateways with a link, by id."""
    return list(Link.objects.order_by("gateway").values_list("gateway__public_id", flat=True).distinct())


@transaction.atomic
def relay_up(relay: str, gateways: Sequence[str]) -> None:
    """The relay has exactly these links; those of gateways that are not admitted it drops by the list."""
    row = relay_in_service(relay)
    if row is None:
        return
    have = set(Link.objects.filter(relay=row).values_list("gateway__public_id", flat=True))
    # One organisation after the other: their ledgers stay locked until all of it is committed.
    for gateway in sorted(_locked(have ^ set(gateways)), key=lambda one: (one.plant.organisation_id, one.pk)):
        if gateway.public_id in have:
            _gone(gateway, row)
        elif gateway.state == GatewayState.ADMITTED:
            _came(gateway, row, "")


def _locked(gateways: Iterable[str]) -> list[Gateway]:
    """In the one order in which everybody locks several of them."""
    rows = Gateway.objects.select_for_update(of=("self",), no_key=True).select_related("plant__organisation")
    return list(rows.filter(public_id__in=gateways).order_by("pk"))


@transaction.atomic
def link_up(relay: str, gateway: str, spki_sha256: bytes, peer: str) -> Gateway | None:
    """None for a gateway that must not stay connected there."""
    row = relay_in_service(relay)
    found = next(iter(_locked([gateway])), None)
    if row is None or found is None or not found.admitted or bytes(found.spki_sha256) != spki_sha256:
        return None
    _came(found, row, peer)
    return found


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
    row = relay_in_service(relay)
    found = next(iter(_locked([gateway])), None)
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
