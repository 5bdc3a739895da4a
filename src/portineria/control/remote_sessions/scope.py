# SPDX-License-Identifier: Apache-2.0
"""What a session may reach and do is what its order says. When the machine is no longer like that, the session is not
what somebody approved: it ends as a narrowed rule would end it. When the rule says otherwise what may be done there, a
newer order says so.
"""

from collections.abc import Iterable

import msgspec

from portineria.control.access.profiles import holds, profiles_of
from portineria.control.estate.models import Gateway, Service
from portineria.control.estate.queries import reachable_now
from portineria.control.remote_sessions.letters import assets_of
from portineria.control.remote_sessions.models import Session
from portineria.control.remote_sessions.recording_mode import keeps_contents, recording_mode
from portineria.core.errors import Conflict, ProtocolError
from portineria.policy.proof_level import ProofLevel, proof_level
from portineria.wire.envelope import read_signed
from portineria.wire.feature import PROGRAM_CONTENTS
from portineria.wire.statement import Asset, Order


class CannotHold(Conflict):
    """``gateway``: by name."""

    code = "gateway.cannot-hold"

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(f"gateway {gateway.public_id} can hold no request")
        self.values = {"gateway": gateway.name}


class CannotKeep(Conflict):
    """``gateway``: by name."""

    code = "gateway.cannot-keep"

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(f"gateway {gateway.public_id} would not keep contents of programs, as was agreed")
        self.values = {"gateway": gateway.name}


class CannotInspect(Conflict):
    """``gateway`` and ``protocols``: by name."""

    code = "gateway.cannot-inspect"

    def __init__(self, gateway: Gateway, protocols: set[str]) -> None:
        named = ", ".join(sorted(protocols))
        super().__init__(f"gateway {gateway.public_id} decodes no {named}")
        self.values = {"gateway": gateway.name, "protocols": named}


_ORDER = msgspec.msgpack.Decoder(Order)


def altered(sessions: Iterable[Session]) -> set[int]:
    """Keys of those whose order names a service that is gone or elsewhere, or another gateway than the machine's; or
    that cannot be read, so that nobody can say what it opens.

    A service that was added alters nothing: the order does not open it. Sessions come with ``machine``.
    """
    ordered = list(sessions)
    there = reachable_now({session.machine_id for session in ordered})
    return {
        session.pk
        for session in ordered
        if session.gateway_id != session.machine.gateway_id
        or (order := _order(session)) is None
        or not _assets(order) <= there.get(session.machine_id, frozenset())
    }


def _order(session: Session) -> Order | None:
    """Our own signed bytes, out of our own database. None for what another release wrote that is not understood: that
    is the trouble of one session, not of a page, nor of those that are looked after with it.
    """
    try:
        order: Order = _ORDER.decode(read_signed(bytes(session.order)).statement)
    except (msgspec.DecodeError, ProtocolError):
        return None
    return order


def proof_levels(session: Session) -> list[tuple[str, ProofLevel]]:
    """What is seen of each service that its gateway was ordered to open, whatever is set up by now. Nothing is said
    of an order that cannot be read.
    """
    order = _order(session)
    return [(asset.service, proof_level(asset.protocol)) for asset in order.assets] if order is not None else []


def is_recorded(session: Session) -> bool:
    """What its gateway was ordered, whatever its owner's terms say by now. Where nobody can tell: rather yes."""
    order = _order(session)
    return order is None or order.recording != "none"


def _assets(order: Order) -> frozenset[tuple[str, str, int]]:
    return frozenset((asset.service, asset.address, asset.port) for asset in order.assets)


def other_functions(sessions: Iterable[Session]) -> set[int]:
    """Keys of those whose order holds other profiles than their grant and its rule do now, or opens what these no
    longer open. Sessions come with the profiles of both.
    """
    ordered = list(sessions)
    services: dict[int, list[Service]] = {}
    for row in Service.objects.filter(device__machine__in={one.machine_id for one in ordered}).select_related("device"):
        services.setdefault(row.device.machine_id, []).append(row)
    return {one.pk for one in ordered if _functions_differ(one, services.get(one.machine_id, []))}


def _functions_differ(session: Session, services: list[Service]) -> bool:
    order = _order(session)
    if order is None:
        return False  # it is ``altered``
    if order.profiles != [bytes(row.content) for row in profiles_of(session.grant)]:
        return True
    now = {asset.service: asset for asset in assets_of(session, services)}
    there = {service.public_id for service in services}
    return any(_differs(asset, now.get(asset.service)) for asset in order.assets if asset.service in there)


def _differs(ordered: Asset, now: Asset | None) -> bool:
    """In what is inspected, not in where it is: that is what ``altered`` is about."""
    if now is None:
        return True
    before = ordered.protocol, ordered.own_routes, ordered.client_timeout_ms, ordered.free_reads, ordered.free_nodes
    return before != (now.protocol, now.own_routes, now.client_timeout_ms, now.free_reads, now.free_nodes)


def not_inspectable(session: Session, services: Iterable[Service]) -> set[str]:
    """Protocols that an order would have inspected and the gateway does not decode."""
    wanted = {asset.protocol for asset in assets_of(session, services) if asset.protocol}
    return wanted - set(session.gateway.inspects.split())


def require_inspected(session: Session, services: Iterable[Service]) -> None:
    """Raise CannotInspect, CannotHold or CannotKeep for a gateway that is too old."""
    if missing := not_inspectable(session, services):
        raise CannotInspect(session.gateway, missing)
    if cannot_hold(session):
        raise CannotHold(session.gateway)
    if _cannot_keep(session):
        raise CannotKeep(session.gateway)


def _cannot_keep(session: Session) -> bool:
    """Owner and supplier agreed that recordings keep programs, this one would be recorded, and its gateway keeps their
    hash alone. Asked when a session begins: one that runs keeps what it was promised then.
    """
    if session.gateway.can(PROGRAM_CONTENTS) or recording_mode(session) == "none":
        return False
    return keeps_contents(session)


def cannot_enforce(session: Session, services: Iterable[Service]) -> bool:
    """Whether its gateway could not do what an order of now would say of functions."""
    return bool(not_inspectable(session, services)) or cannot_hold(session)


def cannot_hold(session: Session) -> bool:
    """Whether somebody would have to be asked, and the gateway knows of no such thing."""
    return holds(session.grant) and not session.gateway.holds
