# SPDX-License-Identifier: Apache-2.0
"""AI agents: programs that work at machines as a technician does, and for which a named person answers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import IntegrityError, transaction
from django.utils import timezone

from portineria.control import administration_accounts
from portineria.control.access import emergency, locks, trainings
from portineria.control.access import services as access
from portineria.control.access.answerable import decidable_requests
from portineria.control.access.rules import Conditions
from portineria.control.audit.queries import events, views
from portineria.control.estate import services as estate
from portineria.control.identity import services as identity
from portineria.control.identity.connector import base64url
from portineria.control.identity.models import Membership, Person, Role
from portineria.control.identity.service_accounts import Powers, create_service_account, issue_token
from portineria.control.identity.services import BadField
from portineria.control.privacy import services as privacy
from portineria.control.privacy.services import set_terms
from portineria.control.remote_sessions import services
from portineria.control.remote_sessions.models import Session
from portineria.core.errors import Denied, NotFound
from portineria.policy.ending import Locked
from portineria.wire.statement import Order
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.calling import Browser, Program
from tests.integration.control.sessions import accepted, again, said_to, session_key
from tests.integration.control.test_trainings import published
from tests.integration.control.world import ConnectorEnd, World, fresh


class AgentEnd(ConnectorEnd):
    """A connector that an agent signs in by its token, whose key it made itself."""

    def __init__(self, w: World, answering: Person | None = None) -> None:
        self.key = Ed25519PrivateKey.generate()
        self.agent = create_service_account(
            actor=w.owner, organisation=w.organisation, name="Tuner", answered_by=(answering or w.operator).public_id
        )
        self.token, self.row = issue_token(
            actor=w.owner, account=self.agent.public_id, name="cell 4", days=30, powers=Powers(operates=True),
            key=self.key.public_key().public_bytes_raw(),
        )  # fmt: skip

    def asks(self, status: int = 200) -> str:
        answer = self.call("POST", "/requests", {"machine": "Press 3", "reason": "tune it", "minutes": 30})
        assert answer.status_code == status, answer.content
        found: str = answer.json().get("request", "")
        return found


@pytest.fixture
def agent(linked: World) -> AgentEnd:
    return let_in(linked, AgentEnd(linked))


def let_in(w: World, end: AgentEnd, **asked: Any) -> AgentEnd:
    access.create_rule(
        actor=w.owner, organisation=w.organisation, machines=[w.machine.public_id], person=end.agent.public_id,
        conditions=Conditions(**asked),
    )  # fmt: skip
    return end


def begun(w: World, end: AgentEnd) -> Session:
    access.approve(actor=w.owner, request=end.asks())
    answer = end.call("POST", "/sessions", {"machine": "Press 3", "key": base64url(session_key())})
    assert answer.status_code == 200, answer.content
    return Session.objects.get(public_id=answer.json()["session"])


def test_an_agent_works_under_a_rule_that_names_it_and_every_act_names_who_answers(
    linked: World, agent: AgentEnd
) -> None:
    w = linked
    assert agent.call("GET", "/me").json()["name"] == "Tuner"
    assert [one["name"] for one in agent.call("GET", "/machines").json()] == ["Press 3"]
    request = agent.asks()
    assert views(events(w.owner)[:1])[0].fields["answered_by"] == w.operator.public_id
    browser = signed_in(w.owner)
    assert "AI agent, Operator answers for it" in shown(browser, f"/requests/{request}/")
    access.cancel(actor=fresh(agent.agent), request=request)
    session = begun(w, agent)
    told = {event.code: views([event])[0].fields for event in events(w.owner)[:6]}
    made = told["remote_sessions.session.requested"]
    assert (made["person"], made["answered_by"]) == (agent.agent.public_id, w.operator.public_id)
    for address in (f"/sessions/{session.public_id}/", "/sessions/"):
        assert "AI agent" in shown(browser, address)
    assert "Operator answers for it" in shown(browser, f"/sessions/{session.public_id}/")
    program = Browser(w.owner)
    assert program.get(f"/sessions/{session.public_id}").json()["agent"] is True
    [account] = program.get("/service-accounts").json()["items"]
    assert account["answered_by"] == w.operator.public_id
    assert agent.call("POST", f"/sessions/{session.public_id}/end").status_code == 200


@pytest.mark.parametrize("kind", [Locked.PERSON, Locked.SUPPLIER])
def test_whoever_is_locked_has_no_agent_that_works_either(linked: World, kind: Locked) -> None:
    w = linked
    agent = let_in(w, AgentEnd(w, w.technician))
    session = accepted(w, begun(w, agent))
    thing = w.supplier if kind is Locked.SUPPLIER else w.technician.public_id
    locks.lock(actor=w.owner, organisation=w.organisation, kind=kind, thing=thing, reason="x")
    services.enforce(timezone.now())
    assert again(session).state == "cutting"
    answer = agent.call("POST", "/sessions", {"machine": "Press 3", "key": base64url(session_key())})
    assert answer.status_code == 403


def test_whoever_answers_confirms_a_training_and_the_agent_does_not(linked: World) -> None:
    w, training = linked, published(linked)
    agent = let_in(w, AgentEnd(w), trainings=(training,))
    access.approve(actor=w.owner, request=agent.asks())
    asked = {"machine": "Press 3", "key": base64url(session_key())}
    said = agent.call("POST", f"/trainings/{training}/confirm", {"number": 1, "language": "en"})
    assert (said.status_code, agent.call("POST", "/sessions", asked).status_code) == (403, 403)
    trainings.confirm_training(actor=w.operator, training=training, number=1, language="en")
    assert agent.call("POST", "/sessions", asked).status_code == 200


@pytest.mark.parametrize("gone", ["agent", "answering", "membership"])
def test_where_agent_or_whoever_answers_is_gone_its_sessions_are_cut(linked: World, agent: AgentEnd, gone: str) -> None:
    w = linked
    session = accepted(w, begun(w, agent))
    assert services.enforce(timezone.now()) == 0
    if gone == "membership":
        identity.end_membership(actor=w.owner, person=w.operator.public_id, organisation=w.organisation, reason="x")
    else:
        whom = agent.agent if gone == "agent" else w.operator
        identity.set_person_enabled(actor=w.owner, person=whom.public_id, enabled=False, reason="x")
    assert services.enforce(timezone.now()) == 1
    after = again(session)
    assert (after.state, after.ending_class) == ("cutting", "security")
    assert after.end_why == ("person-disabled" if gone == "agent" else "nobody-answers")
    if gone == "membership":  # it may still say who it is, and reach nothing
        assert (
            agent.call("POST", "/sessions", {"machine": "Press 3", "key": base64url(session_key())}).status_code == 403
        )
    else:
        assert agent.call("GET", "/me").status_code == 401


@pytest.mark.sqlite
def test_no_agent_approves_administers_or_is_let_in_by_a_rule_for_others(linked: World, agent: AgentEnd) -> None:
    w = linked
    member = Membership.objects.get(person=agent.agent)
    assert (member.role, member.supplier) == (Role.TECHNICIAN, None)
    request = agent.asks()
    for who in (agent.agent, w.operator):
        with pytest.raises((Denied, NotFound)):
            access.approve(actor=fresh(who), request=request)
    # Whoever answers for it is no other person than it, whatever their role.
    Membership.objects.filter(person=w.operator).update(role=Role.APPROVER)
    assert [row.public_id for row in decidable_requests(fresh(w.approver))] == [request]
    assert not decidable_requests(fresh(w.operator))
    with pytest.raises(access.OwnRequest):
        access.approve(actor=fresh(w.operator), request=request)
    with pytest.raises(NotFound):
        emergency.give_role(
            actor=w.owner, organisation=w.organisation, person=agent.agent.public_id, plant=w.plant
        )  # fmt: skip
    with pytest.raises(NotFound):
        access.change_rule(actor=w.owner, rule=w.rule, conditions=Conditions(watcher=agent.agent.public_id))
    other = AgentEnd(w)
    assert other.call("GET", "/machines").json() == []
    other.asks(404)


@pytest.mark.sqlite
def test_its_token_is_worth_nothing_without_its_key_and_other_programs_stay_out(linked: World, agent: AgentEnd) -> None:
    w = linked
    with pytest.raises(BadField):
        issue_token(actor=w.owner, account=agent.agent.public_id, name="x", days=1, powers=Powers())
    assert (agent.row.asks, agent.row.operates) == (True, False)
    stolen = AgentEnd.__new__(AgentEnd)
    stolen.key, stolen.token = Ed25519PrivateKey.generate(), agent.token
    assert stolen.call("GET", "/me").status_code == 401
    program, outsider = Program(w, bound=True), ConnectorEnd.__new__(ConnectorEnd)
    assert program.key is not None
    outsider.key, outsider.token = program.key, program.token
    assert outsider.call("GET", "/machines").status_code == 401
    for who, wrong in ((w.operator, Denied), (w.technician, (Denied, NotFound)), (w.stranger, NotFound)):
        with pytest.raises(wrong):
            create_service_account(
                actor=who, organisation=w.organisation, name="x", answered_by=w.operator.public_id
            )  # fmt: skip
    for answering in (w.stranger, agent.agent, program.account):
        with pytest.raises(NotFound):
            create_service_account(
                actor=w.owner, organisation=w.organisation, name="x", answered_by=answering.public_id
            )  # fmt: skip
    with pytest.raises(IntegrityError), transaction.atomic():
        Person.objects.filter(pk=w.technician.pk).update(answered_by=w.owner)


@pytest.mark.sqlite
def test_what_is_told_and_recorded_of_agents(linked: World, agent: AgentEnd) -> None:
    w = linked
    estate.change_machine(actor=w.owner, machine=w.machine.public_id, recording="full")
    number = privacy.publish_notice(actor=w.owner, organisation=w.organisation).number
    access.approve(actor=w.owner, request=agent.asks())
    start = {"machine": "Press 3", "key": base64url(session_key())}
    assert "notice" in json.dumps(agent.call("POST", "/sessions", start).json())
    privacy.acknowledge(actor=w.operator, organisation=w.organisation, number=number, language="en")
    modes = []
    for records in (True, False):
        set_terms(
            actor=w.owner, organisation=w.organisation, records_staff=False, records_suppliers=False,
            recordings_days=90, records_agents=records,
        )  # fmt: skip
        start["key"] = base64url(session_key())
        made = Session.objects.get(public_id=agent.call("POST", "/sessions", start).json()["session"])
        [order] = said_to(w, made)
        assert isinstance(order, Order)
        modes.append(order.recording)
    assert modes == ["full", "none"]


@pytest.mark.sqlite
def test_an_agent_is_made_and_named_in_the_console(linked: World) -> None:
    browser = signed_in(linked.owner)
    form = {"name": "Tuner", "organisation": linked.organisation, "answered_by": "nobody@example.com"}
    assert "Nobody here has this address." in browser.post("/service-accounts/add/", form).content.decode()
    answer = browser.post("/service-accounts/add/", form | {"answered_by": "operator@example.com"})
    made = Person.objects.get(name="Tuner")
    assert answer.headers["Location"] == f"/service-accounts/{made.public_id}/"
    assert made.answered_by == linked.operator
    on_server = administration_accounts.add("Watcher", organisation="Owner's plant", answered_by="operator@example.com")
    assert on_server.answered_by == linked.operator
    with pytest.raises(NotFound):
        administration_accounts.add("Watcher 2", organisation="Owner's plant", answered_by="nobody@example.com")
    for address in ("/service-accounts/", f"/service-accounts/{made.public_id}/"):
        assert "AI agent, Operator answers for it" in shown(browser, address)
    rule = {"person": "Tuner", "machines": "Press 3", "max_minutes": "60", "approvals": "1"}
    assert browser.post("/rules/add/", rule).status_code == 302
    assert made.rules.get().machines.get() == linked.machine
