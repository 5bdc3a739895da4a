# SPDX-License-Identifier: Apache-2.0
"""Who signs for which gateway, and how a new signer takes over from an old one (WIRE 6).

A gateway believes the signers it pinned at enrolment and those that signed letters added since; its questions name
them. It is spoken to by the newest signer that it names: the old one goes on for whoever has not heard of the new one,
and its private key is destroyed when there is nobody left.
"""

import fcntl
import os
from contextlib import suppress
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from portineria.control.estate.models import Gateway, GatewayState
from portineria.control.estate.relays import relay_locks
from portineria.control.identity import keys
from portineria.control.identity.authority import SYSTEM, Operator
from portineria.core.errors import Conflict
from portineria.wire.statement import ROLE_OF, ROLES, Letter, tag_of

BELIEVED = ("order", "acknowledgement")  # by gateways; tickets are the relays' business
RENEWED = (*BELIEVED, "checkpoint")  # checkpoints are signed by the newest only: who checks them has all certificates
_FIRST_ROLES = ("order", "acknowledgement", "ticket")  # that every gateway ever knew
TOLD = (*_FIRST_ROLES, "checkpoint")  # of whom gateways hear; who cosigns for others is none of their business
RENEW_AFTER = timedelta(days=2433)  # two thirds of a signer's life: gateways that were away for three years still learn


class RelaysRun(Conflict):
    code = "signer.relays-run"


def signer_for(gateway: Gateway, role: str) -> keys.Signer:
    return keys.signer_known(role, gateway.signers)


def signed_for(gateway: Gateway, letter: Letter) -> bytes:
    return keys.signed(letter, signer_for(gateway, ROLE_OF[tag_of(letter)]))


def believable(gateway: Gateway) -> dict[str, bytes]:
    """The signers in use of which this gateway may be told: one that never asked for a checkpoint is of a version that
    refuses the whole letter for a signer of them.
    """
    return keys.signers(TOLD if gateway.register_size is not None else _FIRST_ROLES)


def lacks_one(gateway: Gateway) -> bool:
    return not believable(gateway).keys() <= set(gateway.signers)


def learn(gateway: Gateway, believed: list[str]) -> None:
    """Whom it says it believes; the caller holds its row."""
    known = sorted(set(believed))
    if known and known != gateway.signers:
        gateway.signers = known
        gateway.save(update_fields=["signers"])


def gateways_without(signer: str) -> list[Gateway]:
    """Those that may come back and have not said that they believe it."""
    return [gateway for gateway in _living().select_related("plant") if signer not in gateway.signers]


def _living() -> "QuerySet[Gateway]":
    return Gateway.objects.exclude(state__in=[GatewayState.REFUSED, GatewayState.REVOKED])


@transaction.atomic
def rotate(*, actor: Operator, role: str) -> keys.Signer:
    """A new signer of this role; raise RelaysRun for tickets, whose signer relays learn when they start."""
    if role == "ticket" and _a_relay_runs():
        raise RelaysRun(
            "nothing was changed: relays learn the signer of tickets when they start; stop the server first"
        )
    made = keys.rotate_signer(role, timezone.now(), by=actor.public_id)
    _destroy_unneeded(actor.public_id)
    return made


@transaction.atomic
def settle(at: datetime) -> None:
    """Now and then: renew what has become old, destroy what nobody needs any more."""
    for role in RENEWED:
        if keys.signer_made_at(role) + RENEW_AFTER <= at:
            keys.rotate_signer(role, at, by=SYSTEM)
    if keys.retired_signers():
        _destroy_unneeded(SYSTEM)


def _destroy_unneeded(by: str) -> None:
    needed = {keys.signer(role).id for role in ROLES}
    for gateway in _living().only("signers").iterator():
        needed |= {signer_for(gateway, role).id for role in BELIEVED}
    keys.destroy_signers_except(needed, by=by)


def _a_relay_runs() -> bool:
    for path in relay_locks():
        with suppress(FileNotFoundError):
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            finally:
                os.close(descriptor)
    return False
