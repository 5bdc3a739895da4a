# SPDX-License-Identifier: Apache-2.0
"""What gateways and connectors pin, and the list of gateways that relays may let in."""

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from portineria.control.estate.models import Gateway, GatewayState, Relay
from portineria.control.estate.signers import TOLD, believable
from portineria.control.identity import keys
from portineria.control.identity.models import Installation
from portineria.control.settings.start import current
from portineria.wire.enrolment import TRUST, Trust
from portineria.wire.statement import Additions, Admitted, AdmittedGateway, RelayAddress


def relays() -> list[RelayAddress]:
    rows = Relay.objects.filter(retired_at__isnull=True).order_by("position")
    return [RelayAddress(row.public_id, row.host, row.port) for row in rows]


def trust_of(gateway: Gateway) -> bytes:
    trust = Trust(
        organisation=gateway.plant.organisation.public_id,
        gateway=gateway.public_id,
        root=keys.root(),
        issuers=keys.issuers(),
        signers=keys.signers(TOLD),
        relays=relays(),
        opening_keys=keys.opening_keys(),
        renew_url=current().public_url,
    )
    return TRUST.encode(trust)


def additions_for(gateway: Gateway) -> Additions:
    """What there is by now; the gateway takes what it does not have."""
    return Additions(
        gateway=gateway.public_id,
        relays=relays(),
        opening_keys=keys.opening_keys(),
        signers=list(believable(gateway).values()),
    )


@transaction.atomic
def admitted_list() -> bytes:
    """Signed, with a number higher than any before, and the time: older than a day it admits nobody new (WIRE 4)."""
    Installation.objects.filter(pk=1).update(admitted_number=F("admitted_number") + 1)
    number = Installation.objects.get(pk=1).admitted_number
    rows = Gateway.objects.filter(state=GatewayState.ADMITTED).values_list("public_id", "spki_sha256")
    gateways = [AdmittedGateway(gateway, bytes(spki)) for gateway, spki in rows]
    at_ms = int(timezone.now().timestamp() * 1000)
    return keys.signed(Admitted(number=number, at_ms=at_ms, gateways=gateways))
