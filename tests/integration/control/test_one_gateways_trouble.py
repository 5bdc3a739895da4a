# SPDX-License-Identifier: Apache-2.0
"""What is wrong with one gateway or one relay stays there: leases, cuts and letters of all others go on."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path

import msgspec
from django.test import Client as Browser
from django.utils import timezone

from portineria.bus.message import LegsClosed
from portineria.control.access.models import AccessRequest
from portineria.control.estate import enrolment as admission
from portineria.control.estate.models import Gateway
from portineria.control.identity import services as identity
from portineria.control.remote_sessions import services
from portineria.control.remote_sessions.models import Session
from portineria.wire import enrolment
from portineria.wire.statement import Additions, Time, Withdrawal
from tests.integration.control.sessions import accepted, started
from tests.integration.control.test_switchboard import inside, linked, running, start, start_second, until_true
from tests.integration.control.world import GatewayEnd, World, admitted_gateway

Client = partial(Browser, HTTP_HOST="localhost")
SMALL_ORDER = bytes(32)


def test_a_sealing_key_that_seals_nothing_is_refused_at_enrolment(world: World) -> None:
    end = GatewayEnd()
    code, _ = admission.offer_enrolment(actor=world.owner, plant=world.plant)
    _, secret = enrolment.split_code(code)
    asked = msgspec.structs.replace(enrolment.REQUEST.decode(end.request()), sealing_key=SMALL_ORDER)
    request = enrolment.REQUEST.encode(asked)
    answer = end.enrol(code, request=request, proof=enrolment.gateway_proof(secret, request))
    assert (answer.status_code, answer.json()["code"]) == (422, "enrolment.request")
    assert Gateway.objects.count() == 1


async def test_what_nobody_foresaw_costs_one_message_of_one_gateway(committed_world: World, tmp_path: Path) -> None:
    world, gateway = committed_world, committed_world.gateway
    other = await inside(admitted_gateway, world.owner, world.plant)
    async with running(tmp_path, world.relay) as end:
        await linked(end, world)
        good = bytes((await inside(Gateway.objects.get, public_id=gateway.id)).event_key)
        rows = Gateway.objects.filter(public_id=gateway.id)
        await inside(rows.update, event_key=b"no key at all")
        end.carry(gateway, gateway.ask())
        end.link_up(other)
        end.carry(other, other.ask())
        await end.letter(other, Time)  # meanwhile
        await inside(rows.update, event_key=good)
        end.carry(gateway, gateway.ask())
        await end.letter(gateway, Time)


async def test_a_gateway_to_which_nothing_can_be_sealed_keeps_no_letter_from_the_others(
    committed_world: World, tmp_path: Path
) -> None:
    world, bad = committed_world, committed_world.gateway
    good = await inside(admitted_gateway, world.owner, world.plant)
    async with running(tmp_path, world.relay) as end:
        await linked(end, world)
        end.link_up(good)
        await end.letter(good, Additions)
        await inside(start, world)
        session = await inside(start_second, world)
        await inside(behind, session, good)
        await inside(Gateway.objects.filter(public_id=bad.id).update, sealing_key=SMALL_ORDER)
        technician = world.technician.public_id
        await inside(identity.set_person_enabled, actor=world.owner, person=technician, enabled=False, reason="x")
        await until_true(lambda: Session.objects.get(pk=session.pk).state == "cutting")
        assert (await end.letter(good, Withdrawal)).session == session.public_id


def behind(session: Session, gateway: GatewayEnd) -> None:
    Session.objects.filter(pk=session.pk).update(gateway=Gateway.objects.get(public_id=gateway.id))


async def test_what_nobody_foresaw_in_the_timer_does_not_end_the_server(committed_world: World, tmp_path: Path) -> None:
    world = committed_world
    async with running(tmp_path, world.relay) as end:
        await linked(end, world)
        session = await inside(start, world)
        await inside(services.drain, actor=world.owner, session=session.public_id)
        withdrawal = bytes((await inside(Session.objects.get, pk=session.pk)).withdrawal)
        await inside(Session.objects.filter(pk=session.pk).update, order=withdrawal)  # no order at all
        for _ in range(2):  # between two turns of the timer everything was looked at once
            request = await inside(world.request)
            past = timezone.now() - timedelta(days=8)
            await inside(AccessRequest.objects.filter(public_id=request).update, made_at=past)
            await until_true(partial(expired, request))
        end.carry(world.gateway, world.gateway.ask())
        await end.letter(world.gateway, Time)


def expired(request: str) -> bool:
    return AccessRequest.objects.get(public_id=request).state == "expired"


def test_the_relays_word_is_shown_beside_cutting_and_proves_nothing(world: World) -> None:
    from portineria.control.remote_sessions.presence import legs_closed

    world.link()
    session = accepted(world, started(world))
    page, owner = f"/sessions/{session.public_id}/", Client()
    owner.force_login(world.owner, backend="allauth.account.auth_backends.AuthenticationBackend")
    legs_closed(world.relay, session.public_id, timezone.now())  # an ordinary leg that ended
    services.cut(actor=world.owner, session=session.public_id, reason="x")
    assert "The relay says" not in owner.get(page).content.decode()
    legs_closed("rel_aaaaaaaaaaaaaaaa", session.public_id, timezone.now())
    assert "The relay says" not in owner.get(page).content.decode()
    legs_closed(world.relay, session.public_id, timezone.now())
    shown = owner.get(page).content.decode()
    assert "The relay says that it has closed its connections. That is no proof" in shown
    assert Session.objects.get(pk=session.pk).state == "cutting"


async def test_the_relays_word_comes_over_the_bus(committed_world: World, tmp_path: Path) -> None:
    world = committed_world
    async with running(tmp_path, world.relay) as end:
        await linked(end, world)
        session = await inside(start, world)
        await inside(services.cut, actor=world.owner, session=session.public_id, reason="x")
        end.end.publish(LegsClosed(world.relay, session.public_id, 0, 0))
        await until_true(lambda: Session.objects.get(pk=session.pk).relay_closed_at is not None)
