# SPDX-License-Identifier: Apache-2.0
"""Sinks that a provider's people add to a customer's register, for the provider's own systems."""

from portineria.control.identity.authority import Actor
from portineria.control.identity.delegation_models import Delegation
from portineria.control.identity.inside import chosen
from portineria.control.identity.models import Person
from portineria.control.sinks.models import Sink
from portineria.core.errors import Invalid, NotFound
from portineria.sinks.catalogue import kind_of


class OwnTickets(Invalid):
    """A provider's ticket system would say what covers work at the customer."""

    code = "sinks.provider-tickets"


def delegation_of(actor: Actor, kind: str) -> Delegation | None:
    """By what an analyst adds it; None for the organisation's own people. Raise OwnTickets."""
    if not isinstance(actor, Person) or actor.principal is None:
        return None
    known = kind_of(kind)
    if known is not None and known.tickets is not None:
        raise OwnTickets(f"{kind} keeps tickets")
    return chosen(actor)


def require_own(actor: Actor, row: Sink) -> None:
    """Raise NotFound for an analyst where the sink is somebody else's."""
    if isinstance(actor, Person) and actor.principal is not None and row.delegation_id != chosen(actor).pk:
        raise NotFound(f"sink {row.public_id}")
