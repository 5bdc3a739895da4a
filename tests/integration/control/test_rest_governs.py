# SPDX-License-Identifier: Apache-2.0
"""What the console administers, done by the REST API: each thing goes from nothing to its end by the same services."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from portineria.control.access.models import EmergencyReview
from portineria.control.rest.models import KeptAnswer
from tests.integration.control.browsing import signed_in
from tests.integration.control.calling import Browser, Program, items
from tests.integration.control.world import World

pytestmark = pytest.mark.sqlite  # the services are asked of both elsewhere


def ok(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def code(answer: Any) -> str:
    assert answer.status_code >= 400, answer.content
    return str(answer.json()["code"])


def test_accounts_tokens_and_sinks(world: World) -> None:
    owner, own = Browser(world.owner), {"organisation": world.organisation}
    agent = ok(owner.post("/service-accounts", {**own, "name": "Watcher", "answered_by": world.owner.public_id}))
    assert (agent["answered_by"], agent["working_tokens"]) == (world.owner.public_id, 0)
    account = ok(owner.post("/service-accounts", {**own, "name": "Planner"}))["account"]
    tokens, wanted = f"/service-accounts/{account}/tokens", {"name": "server 1", "operates": True}
    assert code(owner.post(tokens, wanted, key="a-token-please")) == "api.prove-again"
    owner.client.cookies["sessionid"] = signed_in(world.owner, proved=True).cookies["sessionid"].value
    made = ok(owner.post(tokens, wanted, key="a-token-please"))
    assert made["scopes"] == ["read", "operate"]
    assert not KeptAnswer.objects.exists()  # the secret lies nowhere
    program = Program(world)
    program.token = made["secret"]
    assert program.get("/me").json()["person"] == account
    assert ok(owner.post(f"{tokens}/{made['token']}/end"))["revoked_at"] is not None
    assert program.get("/me").status_code == 401

    kinds = {one["kind"]: one for one in ok(owner.get("/sink-kinds"))["items"]}
    assert "host" in {one["name"] for one in kinds["syslog"]["settings"]}
    settings = {"host": "192.0.2.1", "port": "514", "transport": "tcp"}
    sink = ok(owner.post("/sinks", {**own, "name": "SIEM", "kind": "syslog", "settings": settings, "from_now": False}))
    assert sink["waiting"] > 0
    assert ok(owner.post(f"/sinks/{sink['sink']}/replay", {"day": "2100-01-01"}))["waiting"] <= 1
    assert owner.post(f"/sinks/{sink['sink']}/again").status_code == 404  # nothing of it was put aside
    assert code(owner.post("/sinks", {**own, "name": "X", "kind": "syslog", "settings": {}})) == "sinks.setting"
    ok(owner.post(f"/sinks/{sink['sink']}/remove"))
    assert items(owner.get("/sinks")) == []
    assert code(Browser(world.operator).post("/sinks", {**own, "name": "X", "kind": "syslog", "settings": {}})) == (
        "denied"
    )


def test_emergencies_substitutes_and_work_on_several_machines(world: World) -> None:
    owner, operator = Browser(world.owner), Browser(world.operator)
    technician, own = Browser(world.technician), {"organisation": world.organisation}
    who = {**own, "person": world.operator.public_id}
    role = ok(owner.post("/emergency-roles", {**who, "plant": world.plant}))["role"]
    assert ok(owner.post("/emergency-longest", {**own, "minutes": 20})) == {**own, "minutes": 20}
    assert ok(owner.get(f"/emergency-roles/{role}"))["minutes"] == 20
    world.link()
    opened = ok(operator.post(f"/machines/{world.machine.public_id}/emergency", {"reason": "fire"}))
    assert opened["grant"]
    review = items(owner.get("/emergencies?unsigned=true"))[0]["review"]
    assert operator.post(f"/emergencies/{review}/sign", {"note": "mine"}).status_code == 403
    ok(owner.post(f"/emergencies/{review}/sign", {"note": "It was a fire."}))
    assert EmergencyReview.objects.get().note == "It was a fire."
    ok(owner.post(f"/emergency-roles/{role}/take", {"reason": "left"}))
    assert items(owner.get("/emergency-roles")) == []

    times = {"starts_at": "2126-11-27T08:00:00Z", "ends_at": "2126-11-28T08:00:00Z"}
    assert code(owner.post("/substitutions", {**who, **times})) == "field.until"
    switched = owner.post(f"/gateways/{world.gateway.id}/emergency", {"allowed": True})
    assert code(switched) == "gateway.no-emergencies"  # this one never said that it knows of them

    asked = ok(technician.post("/jobs", {"machines": [world.machine.public_id], "reason": "belt", "minutes": 30}))
    request = asked["items"][0]["request"]
    file = {"name": "photo.txt", "base64": base64.b64encode(b"torn").decode()}
    entry = ok(technician.post(f"/requests/{request}/job", {"text": "", "file": file}))["entry"]
    assert items(owner.get(f"/requests/{request}/job"))[0]["file"] == "photo.txt"
    taken = ok(owner.post(f"/requests/{request}/files/{entry}"))
    assert base64.b64decode(taken["base64"]) == b"torn"
    assert code(owner.post(f"/requests/{request}/job", {"text": "", "file": {**file, "base64": "!"}})) == "field.file"
    # Asked for alone: there is nothing to say yes to together.
    assert owner.post(f"/requests/{request}/approve-all", {"seen": {request: ""}}).status_code == 404


def test_privacy_providers_and_what_is_one_s_own(world: World) -> None:
    owner, own = Browser(world.owner), world.organisation
    shown = ok(owner.get(f"/privacy/{own}/notice"))["answers"]
    assert ok(owner.post(f"/privacy/{own}/notice", shown))["notice"] >= 1
    terms = {"records_staff": True, "records_suppliers": True, "records_agents": False, "recordings_days": None}
    assert {**terms, "organisation": own}.items() <= ok(owner.post(f"/privacy/{own}/terms", terms)).items()
    named = ok(owner.post(f"/privacy/{own}/duties", {"person": world.approver.public_id, "duty": "guardian"}))
    assert [one["duty"] for one in named["duties"]] == ["guardian"]
    assert ok(owner.post(f"/program-contents/{world.supplier}", {"keeps": True}))["owner"]
    assert ok(owner.get("/program-contents"))["items"][0]["supplied"] is False
    assert ok(owner.get("/recording-holds"))["items"] == ok(owner.get("/playbacks"))["items"] == []

    added = {"organisation": own, "name": "SSO", "address": "http://login.example", "client_id": "x"}
    assert owner.post("/openid-providers", added).status_code in (422, 503)  # nobody is asked who is no https address
    group = ok(owner.post("/groups", {"organisation": own, "name": "Night"}))["group"]
    assert owner.post(f"/groups/{group}/sources", {"provider": "idp_x", "claimed": "g"}).status_code == 404

    search = {"organisation": own, "name": "Access", "search": {"person": world.owner.name}, "shared": True}
    saved = ok(owner.post("/saved-searches", search))
    assert saved["query"] == f"person={world.owner.name}"
    assert items(Browser(world.operator).get("/saved-searches"))[0]["search"] == saved["search"]
    assert Browser(world.operator).post(f"/saved-searches/{saved['search']}/remove").status_code == 403
    ok(owner.post(f"/saved-searches/{saved['search']}/remove"))

    assert ok(owner.post("/notification-choices", {"ways": {"held": ["mail"]}}))["ways"]["held"] == ["mail"]
    assert code(owner.post("/notification-webhook", {"address": "https://x.example/"})) == "notification.webhook.host"
    assert ok(owner.post("/notifications/read"))["unread"] == 0
    changed = ok(owner.post("/me", {"name": "Owner", "language": "it", "time_zone": "Europe/Rome"}))
    assert changed["language"] == "it"
    assert ok(owner.get("/me/ways-in")) == {"offers": [], "connectors": [], "providers": []}
    assert code(owner.post("/lock-everything", {"organisation": own, "reason": "fire"})) == "api.prove-again"
    offered = ok(owner.post(f"/plants/{world.plant}/enrolment-codes"))
    assert offered["code"] in offered["command"]
    assert offered["code"].encode() not in b"".join(bytes(row.answer) for row in KeptAnswer.objects.all())

    assert ok(owner.get(f"/templates/{own}"))["content"] == ""
    assert owner.post(f"/templates/{own}/compare").status_code == 404
    faulty = owner.post(f"/templates/{own}", {"content": "[organisation"})
    assert code(faulty) == "declaration.faulty"
    assert faulty.json()["faults"][0].startswith("not a TOML file")
    nobody = owner.post("/saved-searches", {**search, "search": {"since": "2026-02-01", "session": "x"}})
    assert code(nobody) == "field.sought"
