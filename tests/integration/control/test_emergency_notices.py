# SPDX-License-Identifier: Apache-2.0
"""What is opened in an emergency is told to those who answer for the machine or may sign, and to nobody else."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

from portineria.control.access.emergency_queries import reviews
from portineria.control.estate.answering import set_answering
from portineria.control.identity import services as identity
from portineria.control.identity.models import Membership, Person, Role
from portineria.control.notification import queries, services
from portineria.control.notification.models import Channel, Delivery, Kind
from portineria.control.remote_sessions.reports import receive
from portineria.core.ids import Kind as Id
from portineria.core.ids import new_id
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.test_emergency import given, opened
from tests.integration.control.test_notifications import (
    collected,
    in_thread,
    mailing,
    nothing_new,
    notifying,
    states,
    subject,
    told,
)
from tests.integration.control.test_sinks import until
from tests.integration.control.test_substitutes import stand_in
from tests.integration.control.world import World, fresh, person
from tests.integration.sinks.certificates import Authority
from tests.integration.sinks.post_office import PostOffice

CODE, AT_GATEWAY = "access.emergency.opened", "emergency.opened"


def keepers(w: World) -> tuple[Person, Person]:
    """Operators who answer for Press 3: what their role alone would not tell them."""
    keeper, deputy = (person(name, w.organisation, Role.OPERATOR) for name in ("keeper", "deputy"))
    ids = {"answering": keeper.public_id, "deputy": deputy.public_id}
    set_answering(actor=w.owner, machine=w.machine.public_id, **ids)
    return keeper, deputy


def said(w: World, opening: str, **more: Any) -> None:
    """By the gateway, of what was opened at its console by the approver's PIN and one that nobody here knows."""
    fields: dict[str, Any] = {
        "machine": w.machine.public_id, "service": "srv", "address": "192.168.10.5", "port": 502, "seconds": 600,
        "linked": False, "holder": "Nobody@example.com", "second": w.approver.email.upper(),
        "client": "192.168.10.77/32", "reason": "press <b> runs away",
    }  # fmt: skip
    receive(w.gateway.id, [w.gateway.say(AT_GATEWAY, opening, **fields | more)])


@pytest.mark.sqlite
def test_an_opening_is_told_to_those_who_answer_or_may_sign_and_to_nobody_else(linked: World) -> None:
    w = linked
    keeper, deputy = keepers(w)
    given(w, w.rival, guest=True)
    given(w, w.approver)
    nothing_new(w)
    opened(w, w.rival)
    opened(w, w.approver, "Press 4")  # the owner answers for it
    collected(w, mail=True)
    assert told(w.owner) == [CODE, CODE]
    assert told(w.approver) == [CODE]  # not of what they opened themselves
    assert told(keeper) == told(deputy) == [CODE]
    for other in (w.operator, w.technician, w.rival, w.stranger):
        assert told(other) == [], other.name
    [row] = queries.notifications(keeper)
    assert (row.kind, row.thing) == (Kind.OPENED, reviews(w.owner).get(person=w.rival).public_id)
    assert Delivery.objects.filter(channel="mail").count() == 5
    page = signed_in(keeper)
    words = shown(page, "/notifications/")
    assert "Opened in an emergency, without approval" in words
    assert "Rival (Rival presses)" in words
    assert "press runs away" in words
    assert page.get(f"/notifications/{row.public_id}/open/").headers["Location"] == "/emergencies/"
    assert collected(w) == 0


@pytest.mark.sqlite
def test_who_stands_in_is_told_and_who_left_is_not(linked: World) -> None:
    w = linked
    keeper, deputy = keepers(w)
    stand_in(w, w.approver, w.operator)
    given(w, w.technician, guest=True)
    identity.set_person_enabled(actor=w.owner, person=deputy.public_id, enabled=False, reason="left")
    Membership.objects.filter(person=keeper).update(role=Role.TECHNICIAN)
    nothing_new(w)
    opened(w, w.technician)
    collected(w)
    assert told(w.owner) == told(w.approver) == told(w.operator) == [CODE]
    assert told(fresh(deputy)) == told(fresh(keeper)) == []


@pytest.mark.sqlite
def test_what_a_gateway_opened_is_told_once_and_not_to_those_whose_pins_were_typed(linked: World) -> None:
    w = linked
    keeper, deputy = keepers(w)
    nothing_new(w)
    opening = new_id(Id.SESSION)
    said(w, opening)
    said(w, opening, reason="once more under another number")
    said(w, "no id", reason="none")
    collected(w)
    assert told(w.owner) == told(keeper) == told(deputy) == [AT_GATEWAY]
    for other in (w.approver, w.operator, w.technician, w.rival, w.stranger):
        assert told(other) == [], other.name
    assert "press &lt;b&gt; runs away" in shown(signed_in(w.owner), "/notifications/")
    said(w, new_id(Id.SESSION), machine="mac_other", second="")  # of a machine, and of people, that nobody here knows
    collected(w)
    assert told(w.owner) == [AT_GATEWAY] * 2
    assert told(w.approver) == [AT_GATEWAY]
    assert told(keeper) == [AT_GATEWAY]
    assert "Opened at the gateway" in shown(signed_in(w.owner), "/notifications/")


async def test_mails_of_an_opening_arrive_at_those_concerned_and_nowhere_else(
    committed_world: World, tmp_path: Path
) -> None:
    w, authority = committed_world, Authority()
    (tmp_path / "chain.pem").write_text("".join(authority.issue("receiver")))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "chain.pem")
    office = PostOffice(tls)

    def open_both() -> None:
        w.link()
        keepers(w)
        given(w, w.technician, guest=True)
        Person.objects.get_queryset().filter(pk=w.approver.pk).update(language="it")
        services.choose(actor=w.owner, ways={Kind.OPENED: (Channel.CONSOLE,)})
        nothing_new(w)
        opened(w, w.technician)
        said(w, new_id(Id.SESSION))

    await in_thread(open_both)()
    with office.open() as port:
        async with notifying(mailing(tmp_path, port, authority)):
            await until(states("sent", 5), "three mails of the one opening, two of the other")
    first, second = (
        "Portineria: Opened in an emergency, without approval",
        "Portineria: Opened at the gateway's console",
    )
    mails = sorted((str(mail["To"]), subject(mail)) for mail in office.mails)
    assert mails == [
        (w.approver.email, "Portineria: Aperto in emergenza, senza approvazione"),
        ("deputy@example.com", f"{second}, without the server"),
        ("deputy@example.com", first),
        ("keeper@example.com", f"{second}, without the server"),
        ("keeper@example.com", first),
    ]
    texts = [str(mail.get_payload(decode=True), "utf-8") for mail in office.mails if subject(mail) == first]  # type: ignore[arg-type]
    for text in texts:
        assert "Technician (Presses & Co)" in text
        assert "> press runs away" in text
        assert "https://console.example/emergencies/" in text
    assert await in_thread(lambda: told(w.owner))() == [CODE, AT_GATEWAY]
