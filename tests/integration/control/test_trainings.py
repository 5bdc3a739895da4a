# SPDX-License-Identifier: Apache-2.0
"""Trainings: what a rule wants read and confirmed before work, by whom, in which version, and for how long."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from portineria.control.access import services as access
from portineria.control.access.models import Rule
from portineria.control.access.rules import Conditions
from portineria.control.access.simulation import would_open
from portineria.control.access.training import Training, TrainingDone, TrainingText, TrainingVersion
from portineria.control.access.training_queries import training
from portineria.control.access.trainings import (
    BadTraining,
    TrainingAsked,
    TrainingChanged,
    TrainingNamed,
    confirm_training,
    end_training,
    publish_training,
)
from portineria.control.audit.queries import events, views
from portineria.control.identity.models import Person
from portineria.control.identity.services import BadField
from portineria.control.remote_sessions.refusals import NotPermitted
from portineria.core.errors import Denied, NotFound
from portineria.policy.ending import Reason
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.calling import Browser
from tests.integration.control.declared import applied, faults, proposal
from tests.integration.control.sessions import accepted, started
from tests.integration.control.world import ConnectorEnd, World

HOSTILE = "</p><script>alert(1)</script>"
WORDS = {"en": (f"Wear a helmet. {HOSTILE}", ""), "ja": ("", "https://intra.example/kyoiku?x=1&y=2")}


def published(world: World, name: str = "Safety", days: int | None = 30) -> str:
    made = publish_training(actor=world.owner, organisation=world.organisation, name=name, words=WORDS, days=days)
    return made.training.public_id


def asked(world: World, *trainings: str) -> None:
    access.change_rule(actor=world.owner, rule=world.rule, conditions=Conditions(trainings=trainings))


def test_a_session_begins_once_every_training_of_its_rule_is_confirmed_in_the_version_that_counts(
    linked: World,
) -> None:
    first, second = published(linked), published(linked, "Clean room", None)
    asked(linked, first, second)
    linked.grant()  # asked for and approved meanwhile: only beginning waits
    for one in (first, second):
        with pytest.raises(NotPermitted) as refused:
            started(linked)
        assert (refused.value.reasons, refused.value.code) == ((Reason.TRAINING,), "access.training")
        confirm_training(actor=linked.technician, training=one, number=1, language="en")
    accepted(linked, started(linked))
    soon, later = timezone.now() + timedelta(days=29), timezone.now() + timedelta(days=31)
    key = (linked.technician.pk, linked.machine.pk)
    for at, lacking in ((soon, False), (later, True)):
        [(_, judged)] = would_open([(linked.technician.pk, linked.machine)], at)[key]
        assert (Reason.TRAINING in judged.denials) is lacking
    publish_training(actor=linked.owner, training=second, words=WORDS)
    with pytest.raises(TrainingChanged):
        confirm_training(actor=linked.technician, training=second, number=1, language="en")
    with pytest.raises(BadField):
        confirm_training(actor=linked.technician, training=second, number=2, language="it")
    with pytest.raises(NotPermitted):
        started(linked)
    for _ in range(2):  # said twice, kept once
        confirm_training(actor=linked.technician, training=second, number=2, language="ja")
    assert started(linked).state == "opening"
    told = [event.fields for event in views(events(linked.owner)[:40]) if event.code == "access.training.confirmed"]
    assert [(one["training"], one["number"], one["language"]) for one in told] == [
        (second, 2, "ja"), (second, 2, "ja"), (second, 1, "en"), (first, 1, "en"),
    ]  # fmt: skip
    assert TrainingDone.objects.count() == 3


def test_a_technician_s_pages_say_what_is_missing_and_lead_there_and_back(linked: World) -> None:
    safety = published(linked)
    asked(linked, safety)
    page, machine, address = (
        signed_in(linked.technician),
        f"/machines/{linked.machine.public_id}/",
        f"/trainings/{safety}/",
    )
    assert address in shown(page, f"{machine}ask/")
    assert "the training Safety" in shown(page, "/work/")
    request = linked.request()
    assert "not confirmed yet:" in shown(signed_in(linked.approver), f"/requests/{request}/")
    assert address in shown(page, f"/requests/{request}/")
    access.approve(actor=linked.approver, request=request)
    for there in (machine, "/work/", "/"):
        assert address in shown(page, there)
        assert "portineria connect" not in shown(page, there)
    assert "You may reach now" not in shown(page, "/")
    read = shown(page, f"{address}?next={machine}")
    assert "&lt;script&gt;alert(1)" in read
    assert HOSTILE not in read
    said = {"number": "1", "language": "en", "next": "https://elsewhere.example/"}
    assert page.post(address, said | {"number": "2"}).status_code == 200
    assert page.post(address, said)["Location"] == "/"
    assert "portineria connect" in shown(page, machine)
    assert "You may reach now" in shown(page, "/")
    assert address not in shown(page, "/")
    assert address in shown(page, "/account/")
    assert address not in shown(page, f"{machine}ask/")
    assert "not confirmed yet:" not in shown(signed_in(linked.approver), f"/requests/{request}/")
    for other in (linked.rival, linked.stranger):  # no rule asks them
        assert signed_in(other).get(address).status_code == 404
        with pytest.raises(NotFound):
            confirm_training(actor=other, training=safety, number=1, language="en")


def test_a_connector_reads_and_confirms(linked: World) -> None:
    safety = published(linked)
    asked(linked, safety)
    linked.grant()
    Person.objects.filter(pk=linked.technician.pk).update(language="ja")
    end = ConnectorEnd(linked.technician)
    machine = end.call("GET", f"/machines/{linked.machine.public_id}").json()
    assert (machine["sight"], machine["trainings"]) == ("askable", [safety])
    text = end.call("GET", f"/trainings/{safety}").json()
    assert (text["language"], text["text"], text["link"], text["confirmed"]) == ("ja", *WORDS["ja"], False)
    path = f"/trainings/{safety}/confirm"
    assert end.call("POST", path, {"number": 2, "language": "ja"}).status_code == 409
    assert end.call("POST", path, {"number": 1, "language": "tlh"}).status_code == 422
    assert end.call("POST", path, {"number": 1, "language": "ja"}).json()["until"]
    assert end.call("GET", f"/machines/{linked.machine.public_id}").json()["sight"] == "reachable"
    for call in (("GET", f"/trainings/{safety}"), ("POST", path, {"number": 1, "language": "ja"})):
        assert ConnectorEnd(linked.stranger).call(*call).status_code == 404


def test_the_owner_writes_trainings_and_rules_ask_for_them(world: World) -> None:
    page = signed_in(world.owner)
    form = {"name": "Safety", "days": "365", "it_text": "Casco!", "en_link": "javascript:alert(1)"}
    assert page.post("/trainings/add/", form).status_code == 200
    assert not Training.objects.exists()
    assert page.post("/trainings/add/", form | {"en_link": ""})["Location"] == "/trainings/"
    safety = Training.objects.get().public_id
    assert TrainingText.objects.get().text == "Casco!"
    assert training(world.owner, safety, "ja").text.language == "it"  # the one that there is
    change = f"/rules/{world.rule}/change/"
    assert "Safety" in shown(page, change)
    terms = {"machines": "Press 3", "max_minutes": "480", "approvals": "1", "trainings": [safety]}
    assert page.post(change, terms)["Location"] == f"/rules/{world.rule}/"
    assert "Whoever works has confirmed: Safety." in shown(page, f"/rules/{world.rule}/")
    assert page.post(f"/trainings/{safety}/end/", {"reason": "x"}).status_code == 200  # a rule asks for it
    with pytest.raises(TrainingAsked):
        end_training(actor=world.owner, training=safety, reason="x")
    assert page.post(f"/trainings/{safety}/edit/", {"days": "", "it_text": "Casco e guanti!"}).status_code == 302
    assert "by nobody yet" in shown(page, "/trainings/")
    assert page.post(change, terms | {"trainings": []}).status_code == 302
    assert page.post(f"/trainings/{safety}/end/", {"reason": "x"}).status_code == 302
    with pytest.raises(NotFound):
        asked(world, safety)
    assert signed_in(world.approver).get("/trainings/add/").status_code == 403
    assert signed_in(world.technician).get("/trainings/").status_code == 404


def test_rest_and_declared_files_carry_them(world: World) -> None:
    end = Browser(world.owner)
    new: dict[str, Any] = {
        "organisation": world.organisation, "name": "Safety", "words": [{"language": "it", "text": "Casco!"}],
    }  # fmt: skip
    made = end.post("/trainings", new).json()
    assert (made["number"], made["days"], made["texts"]) == (1, None, {"it": {"text": "Casco!", "link": ""}})
    version = {"words": new["words"], "days": 7}
    assert end.post(f"/trainings/{made['training']}/versions", version).json()["number"] == 2
    terms = {"machines": [world.machine.public_id], "trainings": [made["training"]]}
    assert end.post(f"/rules/{world.rule}/change", terms).json()["trainings"] == [made["training"]]
    assert end.post(f"/trainings/{made['training']}/end", {"reason": "x"}).status_code == 409
    rule = '[[rule]]\nsupplier = "Presses & Co"\nmachines = ["Press 3"]\n'
    assert proposal(rule).empty
    [change] = proposal(rule + "trainings = []\n").changed
    assert change.endswith("trainings: none")
    applied(rule + "trainings = []\n")
    assert Rule.objects.get(public_id=world.rule).trainings == ""
    applied(rule + 'trainings = ["Safety"]\n')
    assert Rule.objects.get(public_id=world.rule).trainings == made["training"]
    assert faults(rule + 'trainings = ["Yoga"]\n') == ["rule[0].trainings: there is no training Yoga"]


def test_who_publishes_and_what(world: World) -> None:
    of: dict[str, Any] = {"organisation": world.organisation, "name": "Safety"}
    for who, refused in ((world.approver, Denied), (world.technician, NotFound), (world.stranger, NotFound)):
        with pytest.raises(refused):
            publish_training(actor=who, words=WORDS, **of)
    broken: list[Any] = [
        {}, {"en": (" ", "")}, {"en": ("x" * 4001, "")}, {"en": ("\u202egnorw", "")}, {"tlh": ("x", "")},
        {"en": ("", "javascript:alert(1)")}, {"en": ("", "https://x y/")}, {"en": ("", "https://[/")},
        {"en": ("", "https://x/" + "y" * 500)},
    ]  # fmt: skip
    for words in broken:
        with pytest.raises(BadTraining):
            publish_training(actor=world.owner, words=words, **of)
    with pytest.raises(BadField):
        publish_training(actor=world.owner, words=WORDS, days=3651, **of)
    safety = published(world)
    with pytest.raises(TrainingNamed):
        published(world)
    for who, refused in ((world.approver, Denied), (world.technician, NotFound), (world.stranger, NotFound)):
        with pytest.raises(refused):
            publish_training(actor=who, training=safety, words=WORDS)
        with pytest.raises(refused):
            end_training(actor=who, training=safety, reason="x")
    elsewhere = world.stranger.memberships.get().organisation.public_id
    other = publish_training(
        actor=world.stranger,
        organisation=elsewhere,
        name="x",
        words=WORDS,
    )
    for foreign in (other.training.public_id, "trn_aaaaaaaaaaaaaaaa", "x y"):
        with pytest.raises(NotFound):
            asked(world, foreign)
    with pytest.raises(BadField):
        asked(world, *(f"trn_{number:016}" for number in range(9)))
    with pytest.raises(IntegrityError), transaction.atomic():
        TrainingVersion.objects.update(days=0)
