# SPDX-License-Identifier: Apache-2.0
"""Events of the register on their way to a real rsyslog, which is killed, frozen, wrong or back again."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import transaction
from django.utils import timezone

from portineria.control.audit.models import Event, PersonalValue
from portineria.control.audit.services import record
from portineria.control.delivering import Delivering
from portineria.control.sinks import progress, services
from portineria.control.sinks.models import DeadLetter, Personal, Sink
from portineria.control.sinks.services import Wanted
from portineria.core.event_meaning import Severity
from tests.integration.control.world import World
from tests.integration.process import WAIT_S
from tests.integration.sinks.certificates import Authority
from tests.integration.sinks.endpoint import Webhooks, serving
from tests.integration.sinks.rsyslog import Rsyslog

in_thread = sync_to_async


@contextlib.asynccontextmanager
async def delivering() -> AsyncIterator[None]:
    task = asyncio.get_running_loop().create_task(Delivering("console.example").run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not await in_thread(condition)():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {WAIT_S} s: {what}")
        await asyncio.sleep(0.05)


def say(world: World, count: int, code: str = "identity.person.signed-in") -> int:
    """So many events; return the number of the last."""
    with transaction.atomic():
        for _ in range(count):
            event = record(code, organisation=world.organisation, actor=world.owner.public_id,
                           person=world.owner.public_id, method="password", address="192.0.2.9")  # fmt: skip
    return event.seq


def lose(world: World, seq: int) -> None:
    PersonalValue.objects.filter(event__organisation=world.organisation, event__seq=seq).delete()
    Event.objects.filter(organisation=world.organisation, seq=seq).delete()


def seqs(receiver: Rsyslog, organisation: str) -> list[int]:
    common = [message["data"]["rfc5424-sd"]["portineria@32473"] for message in receiver.received]
    return [int(one["seq"]) for one in common if one["organisation"] == organisation]


def delivered(sink: Sink) -> int:
    return Sink.objects.values_list("delivered", flat=True).get(pk=sink.pk)


def reached(sink: Sink, seq: int) -> bool:
    return delivered(sink) >= seq


def codes(world: World) -> list[str]:
    return list(Event.objects.filter(organisation=world.organisation).order_by("seq").values_list("code", flat=True))


@pytest.fixture
async def receiver(tmp_path: Path) -> AsyncIterator[Rsyslog]:
    authority = Authority()
    made = Rsyslog(tmp_path / "rsyslog", authority)
    made.credentials = (authority.certificate, *authority.issue("portineria"))
    await made.start()
    yield made
    await made.process.kill()


def over_tls(receiver: Rsyslog) -> dict[str, str]:
    authority, certificate, key = receiver.credentials
    return {"host": "127.0.0.1", "port": str(receiver.tls), "transport": "tls",
            "authorities": authority, "certificate": certificate, "key": key}  # fmt: skip


def add(world: World, settings: dict[str, str], *, name: str = "SIEM", kind: str = "syslog", **more: Any) -> Sink:
    return services.add_sink(
        actor=world.owner, organisation=world.organisation, name=name, kind=kind, settings=settings, **more
    )


async def test_a_killed_receiver_gets_every_event_in_order(committed_world: World, receiver: Rsyslog) -> None:
    """Over TLS with our certificate. Killed while events come, frozen with a batch in its hands, then back."""
    world = committed_world
    sink = await in_thread(add)(world, over_tls(receiver), from_now=False)
    async with delivering():
        first = await in_thread(say)(world, 20)
        await until(lambda: delivered(sink) >= first, "the first")
        receiver.process.freeze()
        await in_thread(say)(world, 700)
        await until(lambda: receiver.held(), "a batch is in the hands of the frozen process")
        await receiver.process.kill()
        await until(lambda: Sink.objects.get(pk=sink.pk).failures > 0, "it is away")
        last = await in_thread(say)(world, 5)
        await receiver.start()
        await until(lambda: delivered(sink) >= last, "all are there")
    got = seqs(receiver, world.organisation)
    assert sorted(set(got)) == list(range(1, max(got) + 1))
    assert max(got) >= last
    first_times = [seq for place, seq in enumerate(got) if seq not in got[:place]]
    assert first_times == sorted(first_times)


async def test_what_leaves_is_what_the_sink_says(committed_world: World, receiver: Rsyslog) -> None:
    world = committed_world
    place = {"host": "127.0.0.1", "port": str(receiver.tcp), "transport": "tcp"}
    only = ("identity.person.",)
    rows = [
        await in_thread(add)(world, place, name=f"{personal} {severity}", wanted=Wanted(personal, only, severity))
        for personal, severity in [
            (Personal.NONE, Severity.INFORMATIONAL), (Personal.PSEUDONYMS, Severity.INFORMATIONAL),
            (Personal.VALUES, Severity.INFORMATIONAL), (Personal.VALUES, Severity.CRITICAL),
        ]
    ]  # fmt: skip
    seq = await in_thread(say)(world, 2)
    async with delivering():
        for row in rows:
            await until(partial(reached, row, seq), "brought")
    fields = [message["data"]["rfc5424-sd"] for message in receiver.received]
    assert {one["portineria@32473"]["code"] for one in fields} == {"identity.person.signed-in"}
    addresses = sorted(one["event@32473"].get("address", "") for one in fields)
    assert addresses[:2] == ["", ""]
    assert addresses.count("192.0.2.9") == 2
    [pseudonym] = set(addresses) - {"", "192.0.2.9"}
    assert len(addresses) == 6  # nothing was critical
    assert len(pseudonym) == 32


async def test_a_replay_a_gap_and_a_register_put_back(committed_world: World, receiver: Rsyslog) -> None:
    world = committed_world
    sink = await in_thread(add)(world, {"host": "127.0.0.1", "port": str(receiver.udp), "transport": "udp"})
    first = await in_thread(say)(world, 3)
    await in_thread(lose)(world, first - 1)
    async with delivering():
        await until(lambda: "sinks.register.gap" in codes(world), "the gap is told")
        await until(lambda: delivered(sink) >= first, "what follows goes on")
        await in_thread(Sink.objects.filter(pk=sink.pk).update)(delivered=10**6)
        await until(lambda: codes(world).count("sinks.register.gap") == 2, "fewer events than were brought")
        day = timezone.localdate() - timedelta(days=1)
        begun = await in_thread(services.replay)(actor=world.owner, sink=sink.public_id, day=day, zone="Europe/Rome")
        await until(lambda: delivered(sink) >= first, "again")
    got = seqs(receiver, world.organisation)
    assert begun == 1
    assert got.count(first) == 2
    assert got.count(1) == 1


def test_two_who_deliver_move_a_cursor_once(world: World) -> None:
    place = {"host": "127.0.0.1", "port": "9", "transport": "tcp"}
    sink = add(world, place)
    say(world, 3)
    batch = progress.next_batch(sink.pk, 500, "console.example")
    assert batch is not None
    assert len(batch.events) == 4  # that the sink was added is one
    ahead = timezone.now() + timedelta(hours=3)  # the clock was, and has been set back
    Sink.objects.filter(pk=sink.pk).update(counted_from=ahead, counted=900, delivered_at=ahead)
    assert progress.note_taken(batch, batch.end, sent=4)
    assert not progress.note_taken(batch, batch.end, [(batch.end, "refused")], sent=3)
    assert not DeadLetter.objects.exists()
    assert Sink.objects.get(pk=sink.pk).counted == 4
    for _ in range(progress.TELL_AFTER + 2):
        progress.note_failed(sink.pk, "no route")
    assert codes(world).count("sinks.sink.failing") == 1


async def test_a_poisoned_event_is_put_aside_and_told_and_the_others_arrive(committed_world: World) -> None:
    """Once each and in order, though two deliver by mistake."""
    world, secret = committed_world, bytes(32)
    first = await in_thread(say)(world, 1)
    endpoint = Webhooks(secret, refuses=lambda content: content["data"]["seq"] == first + 4)
    with serving(endpoint) as address:
        place = {"address": address, "secret": f"whsec_{base64.b64encode(secret).decode()}"}
        sink = await in_thread(add)(world, place, kind="webhook")
        last = await in_thread(say)(world, 8)
        async with delivering(), delivering():
            await until(lambda: "sinks.event.dead" in codes(world), "told")
            await until(partial(reached, sink, last), "the others")
        assert [seq for _key, seq in endpoint.kept if seq <= last] == [
            seq for seq in range(first + 1, last + 1) if seq != first + 4
        ]
        dead = await in_thread(DeadLetter.objects.get)()
        assert (dead.seq, dead.why) == (first + 4, "HTTP 422")
    assert endpoint.wrong == []
