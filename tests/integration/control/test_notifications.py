# SPDX-License-Identifier: Apache-2.0
"""What people are told: by the register, once each, in the console, by a real mail server and a webhook's receiver."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from email.header import decode_header, make_header
from email.message import Message
from pathlib import Path
from typing import Any

import msgspec
import pytest
from asgiref.sync import sync_to_async
from django.db import transaction
from django.utils import timezone

from portineria.control.access import locks
from portineria.control.access import services as access
from portineria.control.access.models import AccessRequest
from portineria.control.audit.models import Event
from portineria.control.console import notice_letter
from portineria.control.identity import services as identity
from portineria.control.identity.models import Person, Role
from portineria.control.notification import collecting, queries, sending, services
from portineria.control.notification.models import (
    Channel,
    Choice,
    Delivery,
    DeliveryState,
    Kind,
    Notification,
    Reading,
    Webhook,
)
from portineria.control.notifying import Notifying
from portineria.control.remote_sessions import services as remote_sessions
from portineria.control.remote_sessions.models import Session
from portineria.control.settings import start
from portineria.control.settings.mail import mail_server
from portineria.control.settings.server import ServerSettings
from portineria.core.errors import NotFound
from portineria.policy.ending import Locked
from portineria.process.settings import BadSettings
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.sessions import accepted, started
from tests.integration.control.test_held import held_in
from tests.integration.control.test_sinks import until
from tests.integration.control.world import World, person
from tests.integration.sinks.certificates import Authority
from tests.integration.sinks.endpoint import Webhooks, serving
from tests.integration.sinks.post_office import PASSWORD, USER, PostOffice

in_thread = sync_to_async
HOSTILE = "\u202etxt\u2066 https://evil.example/ www.evil.example\x07 "


def collected(world: World, *, mail: bool = False) -> int:
    return collecting.collect(world.organisation, timezone.now(), mail=mail)


def nothing_new(world: World) -> None:
    """What made the world is read already, by everybody."""
    for organisation in collecting.behind():
        collecting.collect(organisation, timezone.now(), mail=False)
    Notification.objects.all().delete()


def told(person: Person) -> list[str]:
    return [row.code for row in queries.notifications(person).order_by("pk")]


@contextlib.contextmanager
def webhooks_to(*hosts: str) -> Iterator[None]:
    before = start.current()
    start._used[:] = [msgspec.structs.replace(before, webhook_hosts=list(hosts))]
    try:
        yield
    finally:
        start._used[:] = [before]


def test_each_event_is_told_once_to_whom_it_concerns_and_to_nobody_else(linked: World) -> None:
    world = linked
    nothing_new(world)
    request = world.request()
    collected(world)
    assert told(world.owner) == told(world.approver) == ["access.request.made"]
    assert told(world.operator) == told(world.technician) == told(world.rival) == told(world.stranger) == []
    access.approve(actor=world.owner, request=request)
    session = accepted(world, started(world))
    held_in(world, session)
    locks.lock(actor=world.owner, organisation=world.organisation, kind=Locked.MACHINE,
               thing=world.machine.public_id, reason="smoke")  # fmt: skip
    remote_sessions.enforce(timezone.now())
    collected(world)
    assert told(world.technician) == [
        "access.request.approved", "access.lock.set", "remote_sessions.session.cutting",
    ]  # fmt: skip
    assert told(world.approver) == ["access.request.made", "operation.held", "access.lock.set"]
    assert told(world.owner) == ["access.request.made", "operation.held"]  # not of what they did themselves
    assert told(world.operator) == ["access.lock.set"]
    assert told(world.rival) == told(world.stranger) == []
    things = {row.code: row.thing for row in queries.notifications(world.technician)}
    assert things["access.lock.set"] == world.machine.public_id  # not the lock: its words are the owner's
    count = Notification.objects.count()
    Reading.objects.update(seq=0)  # read again from the beginning, as after a register that was put back
    Event.objects.filter(code="identity.membership.added").delete()
    collected(world)
    assert Notification.objects.count() == count
    assert collecting.behind() != [world.organisation]


def test_what_is_half_told_when_the_process_dies_is_told_by_the_next_one(world: World) -> None:
    nothing_new(world)
    world.request()
    with contextlib.suppress(ZeroDivisionError), transaction.atomic():
        collected(world)
        raise ZeroDivisionError
    assert not Notification.objects.exists()
    assert collected(world) == 2


def test_old_news_is_none_and_what_was_told_is_forgotten(world: World) -> None:
    nothing_new(world)
    world.request()
    assert collecting.collect(world.organisation, timezone.now() + timedelta(days=2), mail=False) == 0
    world.request(31, 2)
    assert collected(world, mail=True) == 2
    assert collecting.forget(timezone.now() + timedelta(days=89)) == 0
    collecting.forget(timezone.now() + timedelta(days=91))
    assert not Notification.objects.exists()
    assert not Delivery.objects.exists()


def test_a_session_s_end_is_told_before_it_comes_and_once_for_each_end(linked: World) -> None:
    session = accepted(linked, started(linked, 60))
    end = session.expires_at
    assert collecting.collect_ends(end - timedelta(minutes=11), mail=False) == 0
    for _twice in range(2):
        collecting.collect_ends(end - timedelta(minutes=9), mail=False)
    assert told(linked.technician).count("session.ends-soon") == 1
    Session.objects.update(expires_at=end + timedelta(minutes=30))
    assert collecting.collect_ends(end - timedelta(minutes=9), mail=False) == 0
    assert collecting.collect_ends(end + timedelta(minutes=25), mail=False) == 1


def test_people_choose_and_only_for_themselves(world: World) -> None:
    nothing_new(world)
    ways = dict.fromkeys(Kind, ()) | {Kind.WAITS: (Channel.CONSOLE,)}
    services.choose(actor=world.owner, ways=ways)
    world.request()
    collected(world, mail=True)
    mailed = list(Delivery.objects.values_list("person__email", "channel"))
    assert mailed == [(world.approver.email, "mail")]
    assert told(world.owner) == ["access.request.made"]
    row = queries.notifications(world.owner)[0]
    for other in (world.approver, world.stranger):
        with pytest.raises(NotFound):
            services.read(actor=other, notification=row.public_id)
    assert (queries.unread(world.owner).count(), queries.unread(world.approver).count()) == (1, 1)
    services.read(actor=world.owner, notification=row.public_id)
    assert (queries.unread(world.owner).count(), queries.unread(world.approver).count()) == (0, 1)
    identity.end_membership(actor=world.owner, person=world.approver.public_id, organisation=world.organisation,
                            reason="x")  # fmt: skip
    assert queries.unread(Person.objects.get(pk=world.approver.pk)).count() == 0


def test_what_nobody_needs_any_more_is_not_sent_and_nobody_gets_very_many(world: World) -> None:
    nothing_new(world)
    request = world.request()
    collected(world, mail=True)
    rows = [sending.waiting(pk) for pk in sending.due(timezone.now(), 10)]
    assert [sending.moot(row, timezone.now()) for row in rows if row] == [False, False]
    access.refuse(actor=world.owner, request=request, reason="not today")
    assert [sending.moot(row, timezone.now()) for row in rows if row] == [True, True]
    now = timezone.now()
    for number in range(sending.MOST_IN_AN_HOUR):
        made = Notification.objects.create(
            organisation=AccessRequest.objects.get().organisation, person=world.owner, key=f"x{number}",
            kind=Kind.WAITS, code="access.request.made", thing=request,
        )  # fmt: skip
        Delivery.objects.create(notification=made, person=world.owner, channel=Channel.MAIL, state="sent", done_at=now)
    left = Delivery.objects.filter(pk__in=sending.due(now, 10)).values_list("person", flat=True)
    assert list(left) == [world.approver.pk]
    assert len(sending.due(now + timedelta(hours=2), 10)) == 2


def test_a_day_without_an_answer_is_told_to_whoever_watches_the_register(world: World) -> None:
    world.request()
    collected(world, mail=True)
    row = sending.waiting(sending.due(timezone.now(), 1)[0])
    assert row is not None
    sending.note_away(row, timezone.now(), "SMTP 451", 60)
    assert sending.waiting(row.pk) is not None
    sending.note_away(row, timezone.now() + timedelta(days=1, minutes=1), "SMTP 451", 60)
    assert Event.objects.latest("pk").code == "notification.delivery.given-up"
    assert not sending.note(row.pk, DeliveryState.SENT, timezone.now())


def told_to(world: World, asker: Person) -> None:
    """A request whose reason came in when what is not seen was not refused yet."""
    made = access.make_request(
        actor=Person.objects.get(pk=asker.pk), machine=world.machine.public_id, minutes=60, reason="x"
    )
    AccessRequest.objects.filter(pk=made.pk).update(reason=(HOSTILE * 30)[:500])
    collected(world)


@pytest.mark.sqlite
def test_strangers_words_are_data_in_every_mail_and_link_nowhere(world: World) -> None:
    asker = world.technician
    Person.objects.get_queryset().filter(pk=asker.pk).update(
        name="Bcc: x@evil.example https://evil.example/" + "é" * 70
    )
    told_to(world, asker)
    Person.objects.get_queryset().filter(pk=world.owner.pk).update(language="ja", time_zone="Asia/Tokyo")
    row = queries.notifications(Person.objects.get(pk=world.owner.pk))[0]
    text = notice_letter.mail(row, "gate@example.com", "https://console.example").decode("ascii")
    head, _, coded = text.partition("\r\n\r\n")
    assert sorted(line.partition(":")[0] for line in head.split("\r\n") if not line.startswith(" ")) == [
        "Auto-Submitted", "Content-Transfer-Encoding", "Content-Type", "Date", "From", "MIME-Version", "Message-ID",
        "Subject", "To",
    ]  # fmt: skip
    said = base64.b64decode(coded).decode()
    assert said.count("://") == said.count("https://console.example/") == 2
    assert "www.evil" not in said
    assert all(line.isprintable() for line in said.splitlines())
    assert max(len(line) for line in said.splitlines()) < 400
    assert notice_letter.quoted("x" * 10_000) == "x" * 299 + "…"
    body = msgspec.json.decode(notice_letter.body(row, "https://console.example"))
    assert body["data"]["link"] == f"https://console.example/requests/{row.thing}/"
    assert body["data"]["reason"].isprintable()


@pytest.mark.sqlite
def test_pages_show_what_is_unread_and_nothing_of_others(world: World) -> None:
    request = world.request()
    collected(world)
    owner, technician, stranger = (signed_in(who) for who in (world.owner, world.technician, world.stranger))
    page = shown(owner, "/notifications/")
    assert "A request waits for your decision" in page
    assert "belt change" in page
    assert "Press 3" in page
    assert '<span class="count">' in shown(owner, "/notifications/bell/")
    row = queries.notifications(world.owner).get(thing=request)
    assert owner.get(f"/notifications/{row.public_id}/open/").headers["Location"] == f"/requests/{request}/"
    assert stranger.get(f"/notifications/{row.public_id}/open/").status_code == 404
    assert "belt change" not in shown(technician, "/notifications/")
    owner.post("/notifications/read/")
    assert '<span class="count">' not in shown(owner, "/notifications/bell/")
    owner.post("/notifications/choices/", {"save": "1", "waits_console": "on", "held_mail": "on"})
    assert queries.choices(world.owner)[Kind.HELD] == (Channel.MAIL,)
    assert queries.choices(world.owner)[Kind.DECIDED] == ()
    assert owner.get("/notifications/choices/").status_code == 200
    with webhooks_to("hooks.example"):
        for wrong in (
            "https://10.0.0.1/",
            "https://hooks.example.evil/",
            "http://hooks.example/",
            "https://hooks.example:8443/",
        ):
            assert owner.post("/notifications/webhook/", {"webhook": wrong}).status_code in (200, 403), wrong
            assert not Webhook.objects.exists(), wrong
        assert (
            "whsec_" in owner.post("/notifications/webhook/", {"webhook": "https://hooks.example/x"}).content.decode()
        )
        assert "whsec_" not in shown(owner, "/notifications/choices/")
    owner.post("/notifications/webhook/", {"webhook": ""})
    assert not Webhook.objects.exists()


@pytest.mark.sqlite
def test_a_mail_server_that_is_half_set_up_is_refused_at_start(tmp_path: Path) -> None:
    assert mail_server(ServerSettings()) is None
    server = {"mail_server": "mail.example:25"}
    unread = server | {"mail_sender": "a@b.example", "mail_password_file": tmp_path / "none"}
    for wrong in ({"mail_server": "mail"}, server, unread):
        with pytest.raises(BadSettings):
            mail_server(ServerSettings(**wrong))


@contextlib.asynccontextmanager
async def notifying(settings: ServerSettings) -> AsyncIterator[None]:
    task = asyncio.get_running_loop().create_task(Notifying(settings).run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def mailing(tmp_path: Path, port: int, authority: Authority) -> ServerSettings:
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "authority.pem").write_text(authority.certificate)
    return ServerSettings(
        public_url="https://console.example", mail_server=f"127.0.0.1:{port}", mail_sender="gate@example.com",
        mail_user=USER, mail_password_file=tmp_path / "password", mail_authorities=tmp_path / "authority.pem",
    )  # fmt: skip


def at_once() -> None:
    """What waits for its next attempt does so no longer."""
    Delivery.objects.filter(state="waiting").update(next_at=timezone.now())


def states(state: str, count: int) -> Callable[[], bool]:
    return lambda: Delivery.objects.filter(state=state).count() == count


async def test_mails_and_webhooks_arrive_though_the_server_dies_and_refuses(
    committed_world: World, tmp_path: Path
) -> None:
    world, authority, contents = committed_world, Authority(), list[Any]()
    (tmp_path / "chain.pem").write_text("".join(authority.issue("receiver")))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "chain.pem")
    office = PostOffice(tls)
    await in_thread(nothing_new)(world)

    def keep(content: Any) -> bool:
        contents.append(content)
        return False

    receiver = Webhooks(b"", refuses=keep)
    with office.open() as port, serving(receiver) as hook, webhooks_to(hook.removeprefix("http://")):
        secret = await in_thread(services.set_webhook)(actor=world.approver, address=hook)
        receiver.secret = base64.b64decode(secret.removeprefix("whsec_"))
        async with notifying(mailing(tmp_path, port, authority)):
            await in_thread(world.request)(30)
            await until(states("sent", 3), "two mails and one webhook")
    assert receiver.wrong == []
    async with notifying(mailing(tmp_path, port, authority)):
        await in_thread(world.request)(31, 2)
        await until(lambda: Delivery.objects.filter(state="waiting", attempts=1).count() == 2, "nobody is there")
        office.full = "452 full"
        with office.open(port):
            await in_thread(at_once)()
            await until(lambda: Delivery.objects.filter(attempts=2, why="SMTP 452").count() == 2, "refused for now")
            assert len(office.mails) == 2
            office.full = ""
            await in_thread(at_once)()
            await until(states("sent", 5), "the other two")
    assert sorted(str(mail["To"]) for mail in office.mails) == sorted([world.owner.email, world.approver.email] * 2)
    assert len({mail["Message-ID"] for mail in office.mails}) == 4
    assert [content["data"]["kind"] for content in contents] == ["waits"]
    assert await in_thread(Delivery.objects.filter(channel="webhook", state="given-up").count)() == 1
    assert {subject(mail) for mail in office.mails} == {"Portineria: A request waits for your decision"}
    assert set(office.clear) == {"EHLO", "STARTTLS"}
    assert not await in_thread(Choice.objects.exists)()


@pytest.mark.sqlite
async def test_what_cannot_be_read_stops_neither_other_registers_nor_the_server(committed_world: World) -> None:
    world = committed_world
    await in_thread(nothing_new)(world)

    def spoil() -> None:
        world.request()
        event = Event.objects.filter(code="access.request.made").latest("pk")
        Event.objects.filter(pk=event.pk).update(leaf=b"\xff", leaf_sha256=bytes(32))
        home = world.stranger.memberships.get().organisation.public_id
        person("newcomer", home, Role.OPERATOR)

    await in_thread(spoil)()
    async with notifying(ServerSettings()):
        await until(lambda: Notification.objects.filter(person__name="Newcomer").count() == 1, "the other register")
        await until(lambda: collecting.behind() == [world.organisation], "the spoilt one waits")


def subject(mail: Message) -> str:
    return str(make_header(decode_header(str(mail["Subject"]))))
