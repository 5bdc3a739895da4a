# SPDX-License-Identifier: Apache-2.0
"""Orders, withdrawals and tickets: made once, signed, kept byte for byte, sealed anew each time they are sent."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from portineria.bus.message import CloseLegs, Deliver, ToRelay
from portineria.control.access.profiles import profiles_of, services_under
from portineria.control.estate.free_reads import free_nodes, free_reads
from portineria.control.estate.models import Gateway, Link, Machine, OnSilence, Service
from portineria.control.estate.signers import signed_for, signer_for
from portineria.control.identity import keys
from portineria.control.remote_sessions.models import Session, SessionState
from portineria.control.remote_sessions.recording_keys import recipients_for
from portineria.control.remote_sessions.recording_mode import keeps_contents, recording_mode
from portineria.control.settings.start import current
from portineria.policy.proof_level import decoder_of
from portineria.wire.certificate import load_spki
from portineria.wire.envelope import BadSeal, read_signed, seal
from portineria.wire.feature import FREE_NODES, FREE_READS, PROGRAM_CONTENTS
from portineria.wire.statement import Asset, Ending, Letter, Order, Ticket, Withdrawal, letter_info, sha256
from portineria.wire.statement import OnSilence as WireOnSilence

MAX_LEGS = 1024  # per session; an engineering tool opens tens, a file transfer with many parts hundreds
TICKET_LIFE = timedelta(minutes=5)  # WIRE 11
# Clocks and a last resumption after the drain: the certificate must not be what ends a session that may still run.
_CERTIFICATE_MARGIN = timedelta(hours=1)
PROFILE = "any"


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def sealed(gateway: Gateway, *letters: Letter) -> Deliver:
    return deliver(gateway, [signed_for(gateway, letter) for letter in letters])


def deliver(gateway: Gateway, signed: Sequence[bytes]) -> Deliver:
    """Raise BadSeal when nothing can be sealed to this gateway's key."""
    try:
        recipient = X25519PublicKey.from_public_bytes(bytes(gateway.sealing_key))
    except ValueError as error:
        raise BadSeal(f"the sealing key of gateway {gateway.public_id}: {error}") from error
    info = letter_info(gateway.public_id)
    return Deliver(gateway.public_id, [seal(letter, recipient, info=info) for letter in signed])


def write_order(session: Session, services: Sequence[Service], *, starts: datetime) -> None:
    """Give the session its next order and a certificate that lasts as long, in memory."""
    machine: Machine = session.machine
    session.order_seq = (session.order_seq or 0) + 1
    signer, profiles = signer_for(session.gateway, "order"), profiles_of(session.grant)
    mode = recording_mode(session)
    order = Order(
        organisation=session.organisation.public_id,
        gateway=session.gateway.public_id,
        session=session.public_id,
        order_seq=session.order_seq,
        session_spki_sha256=bytes(session.key_sha256),
        assets=assets_of(session, services),
        profile=profiles[0].name if profiles else PROFILE,
        not_before_ms=_ms(starts),
        expires_ms=_ms(session.expires_at),
        max_legs=MAX_LEGS,
        recording=mode,
        consent="none",
        on_silence=_on_silence(machine),
        lease_s=current().lease_s,
        drain_s=machine.drain_s,
        hold_s=machine.hold_s,
        signer_id=signer.id,
        recording_recipients=recipients_for(session.organisation) if mode != "none" else [],
        profiles=[bytes(row.content) for row in profiles],
        program_contents="kept" if keeps_contents(session) and session.gateway.can(PROGRAM_CONTENTS) else "hash",
    )
    session.order = keys.signed(order, signer)
    session.order_sha256 = sha256(read_signed(session.order).statement)
    session.withdrawal = b""
    life = session.expires_at - starts + timedelta(seconds=machine.drain_s) + _CERTIFICATE_MARGIN
    key = load_spki(bytes(session.key))
    session.certificate = keys.issue("session", session.public_id, key, at=starts, life=life)


def assets_of(session: Session, services: Iterable[Service]) -> list[Asset]:
    """What its grant opens; under a profile each with its protocol."""
    inspected = bool(profiles_of(session.grant))
    return [_asset(session, service, inspected=inspected) for service in services_under(session.grant, services)]


def _asset(session: Session, service: Service, *, inspected: bool) -> Asset:
    """What only helps is left out for a gateway that would refuse the order for it."""
    decoder = decoder_of(service.protocol) if inspected else None
    if decoder is None:
        return Asset(service.public_id, service.device.address, service.port)
    own = [[route] for route in service.own_routes.split(", ") if route]
    marked = service.free_reads
    return Asset(
        service.public_id, service.device.address, service.port, protocol=decoder.name, own_routes=own,
        client_timeout_ms=service.client_timeout_s * 1000,
        free_reads=free_reads(marked) if marked and session.gateway.can(FREE_READS) else [],
        free_nodes=free_nodes(marked) if marked and session.gateway.can(FREE_NODES) else [],
    )  # fmt: skip


def _on_silence(machine: Machine) -> WireOnSilence:
    if machine.on_silence == OnSilence.CUT:
        return "cut"
    return "until_expiry" if machine.on_silence == OnSilence.UNTIL_EXPIRY else "drain"


def write_withdrawal(session: Session, ending: Ending, reason: str) -> None:
    session.order_seq += 1
    withdrawal = Withdrawal(
        gateway=session.gateway.public_id,
        session=session.public_id,
        order_seq=session.order_seq,
        ending=ending,
        drain_s=session.machine.drain_s if ending == "drain" else 0,
        reason=reason[:64],
    )
    session.withdrawal = signed_for(session.gateway, withdrawal)


def standing_messages(session: Session) -> list[ToRelay]:
    """What gateway and relays have to hear about this session as it stands. Hearing it twice changes nothing."""
    if session.state == SessionState.ENDED:
        return []
    if session.state == SessionState.CUTTING:
        return [deliver(session.gateway, [bytes(session.withdrawal)]), CloseLegs(session.public_id)]
    # Before the order: a gateway that begins the session only now begins it frozen.
    frozen = [bytes(session.freeze_letter)] if session.freeze_number else []
    return [deliver(session.gateway, [*frozen, bytes(session.withdrawal or session.order)])]


def tickets(session: Session, links: Sequence[Link], at: datetime) -> list[bytes]:
    """One per relay where the gateway is now."""
    not_after = min(at + TICKET_LIFE, session.expires_at + timedelta(seconds=session.machine.drain_s))
    return [
        keys.signed(
            Ticket(
                session=session.public_id,
                session_spki_sha256=bytes(session.key_sha256),
                gateway=session.gateway.public_id,
                relay=link.relay.public_id,
                not_after_ms=_ms(not_after),
                max_legs=MAX_LEGS,
            )
        )
        for link in links
    ]
