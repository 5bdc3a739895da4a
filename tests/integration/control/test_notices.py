# SPDX-License-Identifier: Apache-2.0
"""Nobody's session begins before they acknowledged the notice that counts, where its owner published one."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from portineria.control.access import services as access
from portineria.control.audit.queries import events, views
from portineria.control.identity.authority import Operator
from portineria.control.identity.models import Person
from portineria.control.privacy import services as privacy
from portineria.control.privacy.models import Acknowledgement, Notice, NoticeText
from portineria.control.privacy.services import ANSWERS, BadNotice, NoticeChanged
from portineria.control.remote_sessions import services
from portineria.control.remote_sessions.refusals import NotPermitted, RequestWaits
from portineria.core.errors import Denied, NotFound
from portineria.policy.ending import Reason
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.sessions import accepted, again, started
from tests.integration.control.test_sight import session_key
from tests.integration.control.world import ConnectorEnd, World

HOSTILE = "</p><script>alert(1)</script>"
WORDS = {language: {name: f"{name} {language} {HOSTILE}" for name in ANSWERS} for language in ("en", "it", "ja")}


def published(world: World) -> int:
    return privacy.publish_notice(actor=world.owner, organisation=world.organisation, answers=WORDS).number


def acknowledged(world: World, number: int, language: str = "it") -> None:
    privacy.acknowledge(
        actor=world.technician, organisation=world.organisation, number=number, language=language
    )  # fmt: skip


def test_a_session_begins_after_its_notice_and_none_that_runs_ends_of_a_new_one(linked: World) -> None:
    linked.grant()
    running = accepted(linked, started(linked))  # nobody has published anything: nothing is asked
    first = published(linked)
    assert services.enforce(timezone.now()) == 0
    assert again(running).state == "live"
    services.renew_tickets(actor=linked.technician, session=running.public_id)
    with pytest.raises(NotPermitted) as refused:
        started(linked)
    assert (refused.value.reasons, refused.value.code) == ((Reason.NOTICE,), "access.notice")
    with pytest.raises(NoticeChanged):
        acknowledged(linked, first + 1)
    acknowledged(linked, first)
    acknowledged(linked, first)  # said twice, kept once
    assert Acknowledgement.objects.get().language == "it"
    assert started(linked).state == "opening"
    second = published(linked)
    with pytest.raises(NoticeChanged):
        acknowledged(linked, first)
    with pytest.raises(NotPermitted):
        started(linked)
    acknowledged(linked, second)
    assert started(linked).state == "opening"
    told = [event for event in views(events(linked.owner)[:20]) if event.code == "privacy.notice.acknowledged"]
    assert [(event.fields["number"], event.fields["language"]) for event in told] == [(second, "it"), (first, "it")]


def test_a_notice_keeps_nobody_from_asking_deciding_or_waiting(linked: World) -> None:
    published(linked)
    request = linked.request()
    with pytest.raises(RequestWaits):  # which is told first: the notice can be read meanwhile
        services.start_session(
            actor=linked.technician, machine=linked.machine.public_id, key=session_key(), address=""
        )  # fmt: skip
    access.approve(actor=linked.approver, request=request)
    with pytest.raises(NotPermitted) as refused:
        started(linked)
    assert refused.value.reasons == (Reason.NOTICE,)


def test_a_connector_shows_the_notice_and_says_that_it_was_read(linked: World) -> None:
    linked.grant()
    Person.objects.filter(pk=linked.technician.pk).update(language="ja")
    number, end = published(linked), ConnectorEnd(linked.technician)
    machine = end.call("GET", f"/machines/{linked.machine.public_id}").json()
    assert (machine["sight"], machine["notice"], machine["services"]) == ("askable", linked.organisation, [])
    notice = end.call("GET", f"/notices/{linked.organisation}").json()
    assert (notice["number"], notice["language"], notice["acknowledged"]) == (number, "ja", False)
    assert notice["what"] == WORDS["ja"]["what"]
    path = f"/notices/{linked.organisation}/acknowledge"
    assert end.call("POST", path, {"number": number + 1, "language": "ja"}).status_code == 409
    assert end.call("POST", path, {"number": number, "language": "tlh"}).status_code == 422
    assert not Acknowledgement.objects.exists()
    assert end.call("POST", path, {"number": number, "language": "ja"}).json()["acknowledged"]
    assert end.call("GET", f"/machines/{linked.machine.public_id}").json()["sight"] == "reachable"
    for call in (("GET", f"/notices/{linked.organisation}"), ("POST", path, {"number": number, "language": "en"})):
        assert ConnectorEnd(linked.stranger).call(*call).status_code == 404


def test_pages_lead_to_the_notice_and_back(linked: World) -> None:
    page, machine = signed_in(linked.technician), f"/machines/{linked.machine.public_id}/"
    address = f"/notices/{linked.organisation}/"
    number = published(linked)
    asked = page.get(f"{machine}ask/")
    assert (asked.status_code, asked["Location"]) == (
        302,
        f"{address}?next=%2Fmachines%2F{linked.machine.public_id}%2Fask%2F",
    )
    linked.grant()
    assert address in shown(page, machine)
    assert "portineria connect" not in shown(page, machine)
    read = shown(page, asked["Location"])
    assert "&lt;script&gt;alert(1)" in read
    assert HOSTILE not in read
    said = {"number": str(number), "language": "en", "next": "https://elsewhere.example/"}
    assert page.post(address, said)["Location"] == "/"
    assert "portineria connect" in shown(page, machine)
    assert address in shown(page, "/account/")
    assert shown(page, address).count("<form") == shown(page, "/account/").count('action="/language/"')
    assert signed_in(linked.stranger).get(address).status_code == 404


def test_the_owner_writes_what_everybody_reads(linked: World) -> None:
    page, address = signed_in(linked.owner), f"/privacy/{linked.organisation}/notice/"
    assert "Nobody is told anything" in shown(page, "/privacy/")
    form = {f"{language}_{name}": text for language, answers in WORDS.items() for name, text in answers.items()}
    assert page.post(address, form | {"ja_why": " "}).status_code == 200
    assert not Notice.objects.exists()
    assert page.post(address, form)["Location"] == "/privacy/"
    assert NoticeText.objects.get(language="it").what == WORDS["it"]["what"]
    assert "what ja &lt;/p&gt;" in shown(page, address)  # what is written next begins with what holds
    assert signed_in(linked.approver).get(address).status_code == 403
    assert signed_in(linked.technician).get("/privacy/").status_code == 404


def test_who_publishes_and_what(linked: World) -> None:
    for who, refused in ((linked.approver, Denied), (linked.technician, NotFound), (linked.stranger, NotFound)):
        with pytest.raises(refused):
            privacy.publish_notice(actor=who, organisation=linked.organisation, answers=WORDS)
    for broken in ({}, WORDS | {"it": {}}, WORDS | {"en": WORDS["en"] | {"why": "x" * 1201}},
                   WORDS | {"en": WORDS["en"] | {"why": "\u202egnorw"}}):  # fmt: skip
        with pytest.raises(BadNotice):
            privacy.publish_notice(actor=linked.owner, organisation=linked.organisation, answers=broken)
    assert not Notice.objects.exists()
    own = privacy.publish_notice(actor=Operator(), organisation=linked.organisation)  # the product's own words
    texts = {text.language: text for text in own.texts.all()}
    assert len({text.what for text in texts.values()}) == 3
    assert ["90" in texts[language].how_long for language in ("en", "it", "ja")] == [True, True, True]
    with pytest.raises(IntegrityError), transaction.atomic():
        NoticeText.objects.filter(notice=own).update(why="")
