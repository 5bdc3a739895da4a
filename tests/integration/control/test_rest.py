# SPDX-License-Identifier: Apache-2.0
"""What is the same for every operation of the REST API: parts of lists, keys, refusals, and who did what."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from portineria.control.access.models import AccessRequest, Grant, Lock
from portineria.control.audit.queries import events, views
from portineria.control.identity import services as identity
from portineria.control.own_connection import given_back
from portineria.control.rest import limits
from portineria.control.rest.models import ANSWER_BYTES, KeptAnswer
from portineria.control.rest.once import MOST
from tests.integration.control.browsing import signed_in
from tests.integration.control.calling import BASE, Browser, Program, items
from tests.integration.control.world import ConnectorEnd, World


def test_a_list_comes_in_parts_that_nobody_else_can_ask_for(world: World) -> None:
    for number in range(5):
        identity.create_supplier(actor=world.owner, organisation=world.organisation, name=f"Firm {number}")
    program, other = Program(world), Browser(world.operator)
    names, cursor = list[str](), ""
    while True:
        answer = program.get(f"/suppliers?limit=3&cursor={cursor}").json()
        names += [row["name"] for row in answer["items"]]
        if not answer["next"]:
            break
        before, cursor = cursor, answer["next"]
        if not before:  # what is added meanwhile moves nothing
            identity.create_supplier(actor=world.owner, organisation=world.organisation, name="A firm in between")
    assert len(names) == len(set(names)) == 8
    assert names[-1] == "A firm in between"
    for asked, end in ((f"/suppliers?cursor={cursor}", other), (f"/people?cursor={cursor}", program),
                       (f"/suppliers?cursor={cursor[:-2]}AA", program), ("/suppliers?cursor=x", program)):  # fmt: skip
        refused = end.get(asked)
        assert (refused.status_code, refused.json()["code"]) == (422, "field.cursor"), asked
    for limit in ("0", "201", "x"):
        assert program.get(f"/suppliers?limit={limit}").status_code == 422
    assert len(items(program.get("/suppliers?q=between"))) == 1


def test_what_comes_with_a_key_is_done_once(world: World) -> None:
    program = Program(world)
    body = {"organisation": world.organisation, "kind": "machine", "thing": world.machine.public_id, "reason": "smoke"}
    first, again = (program.post("/locks", body, key="lock-2026-11-26") for _ in range(2))
    assert first.status_code == again.status_code == 200
    assert first.content == again.content
    assert again.headers["Idempotency-Replayed"] == "true"
    assert Lock.objects.count() == 1
    assert len(first.content) < ANSWER_BYTES
    other = program.post("/locks", body | {"reason": "fire"}, key="lock-2026-11-26")
    assert (other.status_code, other.json()["code"]) == (422, "api.key-of-another")
    assert program.post("/locks", body).json()["code"] == "access.lock.already"
    # What was refused is not kept: it may be tried again.
    wrong = body | {"thing": world.rivals_machine.public_id + "x"}
    assert [program.post("/locks", wrong, key="lock-another").status_code for _ in range(2)] == [404, 404]
    assert program.post("/locks", body, key="short").json()["code"] == "field.idempotency_key"
    # The key is the account's own.
    theirs = Browser(world.operator).post("/locks", body, key="lock-2026-11-26")
    assert (theirs.status_code, theirs.json()["code"]) == (409, "access.lock.already")
    told = {(view.actor, view.fields["operation"], view.fields["token"])
            for view in views(events(world.owner, code="identity.api-token.acted"))}  # fmt: skip
    assert told == {(program.account.public_id, "lock-add", program.row.public_id)}


def test_keys_are_forgotten_and_never_too_many(world: World) -> None:
    program = Program(world)
    KeptAnswer.objects.bulk_create(
        KeptAnswer(person=program.account, key=f"key-{number:06}", request_sha256=bytes(32), answer=b"{}")
        for number in range(MOST + 20)
    )
    body = {"organisation": world.organisation, "kind": "machine", "thing": world.machine.public_id, "reason": "smoke"}
    assert program.post("/locks", body, key="one-more-key").status_code == 200
    assert KeptAnswer.objects.filter(person=program.account).count() <= MOST


def test_two_at_once_with_one_key_do_it_once(committed_world: World) -> None:
    browser = Browser(committed_world.technician)
    body = {"machine": committed_world.machine.public_id, "reason": "belt", "minutes": 30}
    answers: list[Any] = []

    def ask() -> None:
        answers.append(browser.post("/requests", body, key="ticket-4711"))

    threads = [threading.Thread(target=given_back(ask)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    said = [(answer.status_code, answer.json().get("request")) for answer in answers]
    done = {request for status, request in said if status == 200}
    assert len(said) == 3
    assert len(done) == 1, said
    assert {status for status, _ in said} <= {200, 409, 503}
    assert AccessRequest.objects.count() == 1


def test_a_browser_approves_for_less_time_and_only_with_its_token_against_forgery(world: World) -> None:
    asked = Browser(world.technician).post(
        "/requests", {"machine": world.machine.public_id, "reason": "belt change", "minutes": 60}
    ).json()  # fmt: skip
    path, yes = f"/requests/{asked['request']}/approve", {"profile": asked["profile"], "minutes": 20}
    forged = Client(HTTP_HOST="localhost", enforce_csrf_checks=True)
    forged.cookies = Browser(world.owner).client.cookies
    refused = forged.post(f"{BASE}{path}", json.dumps(yes), content_type="application/json")
    assert (refused.status_code, refused.json()["code"]) == (403, "api.forged")
    end = ConnectorEnd(world.owner)
    data = json.dumps(yes).encode()
    by_connector = Client().post(
        f"{BASE}{path}", data, content_type="application/json", headers=end.headers("POST", f"{BASE}{path}", data)
    )
    assert (by_connector.status_code, by_connector.json()["code"]) == (403, "api.scope")
    assert Browser(world.owner).post(path, {**yes, "profile": "prf_other"}).status_code == 409
    assert Browser(world.technician).post(path, yes).json()["code"] == "access.request.own"
    answer = Browser(world.owner).post(path, yes, key="yes-to-belt")
    assert answer.json()["state"] == "approved"
    grant = Grant.objects.get()
    assert grant.minutes == 20
    assert answer.json()["grant"] == grant.public_id
    reach = items(Browser(world.owner).get(f"/machines/{world.machine.public_id}/who"))
    assert [(row["person"], row["permitted"]) for row in reach] == [(world.technician.public_id, True)]


def test_a_rule_is_made_changed_simulated_and_ended(world: World) -> None:
    owner = Browser(world.owner)
    terms = {"machines": [world.machine.public_id], "max_minutes": 60, "windows": "Mon-Fri 08:00-18:00", "approvals": 2}
    made = owner.post("/rules", {**terms, "organisation": world.organisation, "person": world.technician.public_id})
    rule = made.json()["rule"]
    assert (made.json()["machines"], made.json()["approvals"]) == (1, 2)
    changed = owner.post(f"/rules/{rule}/change", {**terms, "approvals": 0, "windows": ""}).json()
    assert (changed["needs_approval"], changed["windows"]) == (False, "")
    assert [row["number"] for row in items(owner.get(f"/rules/{rule}/versions"))] == [2, 1]
    question = (
        f"?organisation={world.organisation}&person={world.technician.public_id}&machine={world.machine.public_id}"
    )
    found = owner.get(f"/simulation{question}").json()
    assert {row["rule"]: row["permitted"] for row in found["rules"]} == {world.rule: True, rule: True}
    asking = {**terms, "windows": "", "factor_minutes": 15, "needs_device": True, "watcher": world.operator.public_id}
    asking["watchers"] = [world.owner.public_id]
    assert owner.post(f"/rules/{rule}/change", asking).json()["watchers"] == asking["watchers"]
    without = owner.get(f"/simulation{question}&factor_minutes=16&device=none&watched=false").json()
    assert {row["rule"]: row["why_not"] for row in without["rules"]} == {
        world.rule: [], rule: ["second-factor-old", "company-device", "not-watched"],
    }  # fmt: skip
    assert owner.get(f"/simulation{question}&device=lost").status_code == 422
    assert owner.post(f"/rules/{rule}/end", {"reason": "season over"}).status_code == 200
    assert owner.get(f"/rules/{rule}").status_code == 404
    misspelt = owner.post("/rules", {**terms, "organisation": world.organisation, "windowz": ""})
    assert (misspelt.status_code, misspelt.headers["Content-Type"]) == (422, "application/problem+json")


def test_an_invitation_asks_for_the_second_factor_once_more_and_is_kept_nowhere(world: World) -> None:
    owner = Browser(world.owner)
    path = f"/people/{world.organisation}/{world.technician.public_id}/invite"
    refused = owner.post(path, {"reason": "lost everything"}, key="invite-technician")
    assert (refused.status_code, refused.json()["code"]) == (403, "api.prove-again")
    owner.client.cookies["sessionid"] = signed_in(world.owner, proved=True).cookies["sessionid"].value
    answer = owner.post(path, {"reason": "lost everything"}, key="invite-technician")
    assert "/accounts/password/reset/key/" in answer.json()["address"]
    assert not KeptAnswer.objects.exists()
    assert Browser(world.operator).post(path, {"reason": "x"}).json()["code"] == "denied"


def use_up(account: str) -> None:
    for _ in range(settings.PORTINERIA.api_per_minute):
        limits.take(account)


def hurried(program: Program) -> Any:
    """What is answered to an account that has used up its measure, however slow this machine is."""
    for _ in range(20):
        with pytest.raises(limits.TooMany):
            use_up(program.account.public_id)
        answer = program.get("/me")
        if answer.status_code != 200:
            break
    return answer


def test_whatever_is_refused_is_a_problem(world: World) -> None:
    program = Program(world)
    for answer in (program.get("/machines/mac_x"), program.get("/nowhere"), program.post("/locks", {"x": 1}),
                   Client().get(f"{BASE}/me"), Client().delete(f"{BASE}/me")):  # fmt: skip
        said = answer.json()
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert (said["status"], said["type"]) == (answer.status_code, f"urn:portineria:problem:{said['code']}")
    last = hurried(program)
    assert last.status_code == 429
    assert int(last.headers["Retry-After"]) >= 1
    assert Browser(world.owner).get("/me").status_code == 200


def test_a_form_of_a_page_is_no_body_and_no_fault_of_ours(world: World) -> None:
    """A signed-in browser that sends one: the token against forgery is looked for in it first."""
    owner = Browser(world.owner)
    for key in ("", "form-of-a-page"):
        headers = {"X-CSRFToken": owner.forgery} | ({"Idempotency-Key": key} if key else {})
        answer = owner.client.post(f"{BASE}/suppliers", {"name": "x"}, headers=headers)
        assert (answer.status_code, answer.headers["Content-Type"]) == (422, "application/problem+json")
