# SPDX-License-Identifier: Apache-2.0
"""Consent signals at the control plane: what a report is worth, how old a value may be, and what rests on it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from portineria.bus.message import Deliver, FromGateway
from portineria.control.access import services as access
from portineria.control.access.consent import NoSuchSignal, SignalSettable
from portineria.control.access.models import Grant, Rule, Signal
from portineria.control.access.profiles import set_profile
from portineria.control.access.rules import Conditions
from portineria.control.access.signals import Where, add_signal, remove_signal
from portineria.control.audit.queries import events
from portineria.control.estate import services as estate
from portineria.control.estate.models import Device, Machine, Service
from portineria.control.identity.services import BadField, NameTaken
from portineria.control.remote_sessions import services as sessions
from portineria.control.remote_sessions.inbox import Inbox
from portineria.control.remote_sessions.refusals import NotPermitted
from portineria.control.remote_sessions.signal_desk import STALE_S, STEADY_S, SignalDesk, is_signals
from portineria.core.errors import Denied, NotFound
from portineria.policy.function_profile import Clause, Place
from portineria.protocols.operation import Kind
from portineria.wire.report import SIGNALS_SEQ, SignalValue, SignalValues
from portineria.wire.statement import ReadSignals
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.calling import Program
from tests.integration.control.declared import applied, proposal
from tests.integration.control.sessions import accepted, again, started
from tests.integration.control.world import World, fresh

FILE, COIL = Where("file", place="button"), Where("modbus-coil", "192.168.10.5", 502, 1, 17)


def added(world: World, name: str = "Shift leader", kind: str = "button", where: Where = FILE, **on: str) -> Signal:
    place = on or {"machine": world.machine.public_id}
    return add_signal(actor=world.owner, organisation=world.organisation, kind=kind, name=name, where=where, **place)


def asking(world: World, **more: Any) -> None:
    access.change_rule(
        actor=world.owner, rule=world.rule, conditions=Conditions(signals=more.pop("signals", "button")), **more
    )


class Plant:
    """The desk with a clock that the test moves, and a gateway that reports to it."""

    def __init__(self, world: World) -> None:
        self.world, self.at, self.part, self.wall = world, 100.0, 0, timezone.now()
        self.desk = SignalDesk(lambda: self.at, lambda: self.wall)
        self.desk.open()
        self.letter: ReadSignals | None = None

    def asked(self) -> ReadSignals | None:
        self.letter = None
        for message in self.desk.due():
            assert isinstance(message, Deliver)
            [self.letter] = self.world.gateway.read(message.sealed)  # type: ignore[assignment]
        return self.letter

    def report(
        self, on: bool | None, *, part: int = 0, nonce: bytes = b"", boot: bytes = b"", fault: str = ""
    ) -> bytes:
        self.part += not part
        assert self.letter is not None
        values = [SignalValue(source.signal, on, fault) for source in self.letter.signals]
        gateway = self.world.gateway
        body = SignalValues(boot or gateway.boot, nonce or self.letter.nonce, part or self.part, values)
        return gateway.write(body, gateway.context(SIGNALS_SEQ, bytes(32)))[0]

    def second(self, on: bool | None, *, late_s: float = 0.0) -> str:
        """Asked, answered, a second over; what the signal is then."""
        self.asked()
        report = self.report(on)
        self.at += late_s
        self.desk.receive(self.world.gateway.id, [report])
        self.at += 1
        return Signal.objects.get().state

    def seconds(self, count: int, on: bool | None = True) -> list[str]:
        return [self.second(on) for _ in range(count)]


def test_a_yes_is_steady_a_no_counts_at_once_and_silence_is_a_no(linked: World) -> None:
    signal = added(linked)
    plant = Plant(linked)
    asking(linked)
    linked.grant()
    with pytest.raises(NotPermitted) as refused:
        started(linked)
    assert refused.value.code == "access.presence"
    assert plant.seconds(4) == ["off", "off", "off", "on"]
    session = accepted(linked, started(linked))
    assert sessions.enforce(timezone.now()) == 0
    assert plant.seconds(2, None) == ["on", "on"]  # not read for a moment
    assert Signal.objects.get().fault == ""
    assert sessions.enforce(timezone.now()) == 0
    plant.at += STALE_S - 1
    plant.asked()
    assert Signal.objects.get().state == "lost"
    assert sessions.enforce(timezone.now()) == 1
    assert (again(session).state, again(session).end_why) == ("draining", "presence")
    assert plant.seconds(4)[-1] == "on"
    flaps = [plant.second(second % 2 == 0) for second in range(8)]
    assert flaps[1:] == ["off"] * 7  # the first second said yes as before
    told = events(linked.owner, code="access.signal.changed")
    assert len(told) == 6  # off, on, lost, off, on, off: never one for each flap
    assert signal.public_id in shown(signed_in(linked.owner), f"/machines/{linked.machine.public_id}/")
    assert "/signals/" not in shown(signed_in(linked.operator), f"/machines/{linked.machine.public_id}/")


@pytest.mark.sqlite
def test_a_report_counts_once_fresh_and_of_the_gateway_that_was_asked(linked: World) -> None:
    added(linked)
    plant = Plant(linked)
    plant.seconds(2)
    old = plant.report(True)  # a yes that a relay keeps: within its time, and older than the no
    plant.seconds(2)
    assert plant.second(False) == "off"
    for bad in (
        plant.report(True, nonce=bytes(32)),  # to no letter of ours
        plant.report(True, part=1),  # played again
        old,
        b"\x00" * 80,
        linked.gateway.say("gateway.started", ""),
    ):
        plant.desk.receive(linked.gateway.id, [bad])
        plant.at += 0.1
    assert Signal.objects.get().state == "off"
    plant.asked()
    no = plant.report(False)
    assert plant.seconds(4)[-1] == "on"
    plant.desk.receive(linked.gateway.id, [no])  # within its time, and older than what was said since
    assert Signal.objects.get().state == "on"
    assert plant.second(False, late_s=STALE_S + 0.1) == "on"  # a no that a relay kept back says nothing either
    plant.asked()
    assert Signal.objects.get().state == "lost"
    plant.desk.receive("gw_aaaaaaaaaaaaaaaa", [plant.report(True)])
    assert plant.seconds(4) == ["off", "off", "off", "on"]  # what was said before the silence is no part of it
    assert [plant.second(False), plant.second(True)] == ["off", "off"]
    first = plant.asked()
    plant.wall -= timedelta(hours=1)  # somebody sets the clock
    second = plant.asked()
    assert first is not None
    assert second is not None
    assert second.number > first.number
    plant.at += STEADY_S  # nobody hears of it, not for long enough that it is lost
    assert plant.seconds(4) == ["off", "off", "off", "on"]


@pytest.mark.sqlite
def test_after_a_start_nothing_new_begins_before_it_was_heard_and_what_runs_goes_on(linked: World) -> None:
    added(linked)
    plant = Plant(linked)
    plant.seconds(5)
    asking(linked)
    linked.grant()
    session = accepted(linked, started(linked))
    begun = Plant(linked)  # the server is started again
    assert Signal.objects.get().state == "unheard"
    assert sessions.enforce(timezone.now()) == 0
    with pytest.raises(NotPermitted):
        started(linked)
    assert begun.second(True) == "on"
    assert sessions.enforce(timezone.now()) == 0
    again_begun = Plant(linked)
    again_begun.at += STALE_S + 0.1
    again_begun.asked()
    assert Signal.objects.get().state == "lost"
    assert sessions.enforce(timezone.now()) == 1
    assert again(session).state == "draining"


def test_what_the_work_could_set_itself_is_refused_with_the_reason(linked: World) -> None:
    added(linked, "Guard", "guard", COIL)
    with pytest.raises(SignalSettable) as refused:
        asking(linked, signals="guard")
    assert refused.value.values["why"] == "uninspected"
    assert Rule.objects.get(public_id=linked.rule).signals == ""
    with pytest.raises(NoSuchSignal):
        asking(linked, signals="key")
    with pytest.raises(SignalSettable):
        asking(linked, signals="guard", profile="engineer")
    asking(linked, signals="guard", profile="observe")
    write = Clause((Kind.WRITE,), targets=(Place("coil", 10, 20),))
    set_profile(actor=linked.owner, organisation=linked.organisation, name="coils", clauses=[write])
    browser = signed_in(linked.owner)
    form = {"machines": "Press 3", "max_minutes": "480", "approvals": "1", "profile": "coils", "signals": ["guard"]}
    said = browser.post(f"/rules/{linked.rule}/change/", form).content.decode()
    assert "is no consent here" in said
    rule = Rule.objects.get(public_id=linked.rule)
    assert (rule.profile.name if rule.profile else "", rule.signals) == ("observe", "guard")
    # A profile that grows afterwards, or a service that comes: it counts for nothing from then on.
    request = linked.request()
    Signal.objects.update(state="on")
    access.approve(actor=linked.owner, request=request)
    device = linked.machine.devices.get()
    estate.add_service(actor=linked.owner, device=device.public_id, name="opcua", protocol="opcua", port=4840)
    Rule.objects.filter(public_id=linked.rule).update(profile=None)
    Grant.objects.update(profile=None)
    with pytest.raises(NotPermitted):
        started(linked)
    assert "counts for nothing here" in shown(browser, f"/requests/{linked.request(30, in_days=1)}/")


@pytest.mark.sqlite
def test_beyond_observing_presence_is_asked_by_default_and_its_absence_is_said(linked: World) -> None:
    added(linked)
    added(linked, "Guard", "guard", COIL)
    page = shown(signed_in(linked.approver), f"/requests/{linked.request()}/")
    assert "although nobody there has to agree" in page
    asking(linked)
    page = shown(signed_in(linked.approver), f"/requests/{linked.request(30, in_days=1)}/")
    assert "although nobody there has to agree" not in page
    assert "Shift leader" in page
    assert "nothing heard of it" in page
    technician = signed_in(linked.technician)  # is told what it takes, and not how it stands there
    for address in (f"/machines/{linked.machine.public_id}/ask/", "/requests/", "/work/"):
        assert "nothing heard of it" not in (page := shown(technician, address)), address
        assert "Shift leader<" not in page
    assert "button" in shown(technician, f"/machines/{linked.machine.public_id}/ask/")
    mine = shown(technician, f"/requests/{linked.request(20, in_days=2)}/")
    assert "button" in mine
    assert "nothing heard of it" not in mine
    assert "a consent signal of the plant does not say yes" in shown(
        signed_in(linked.owner),
        "/rules/simulate/?person=technician@example.com&machine=Press 3",
    )
    new: dict[str, Any] = {"actor": linked.owner, "organisation": linked.organisation, "supplier": linked.supplier}
    here, both = [linked.machine.public_id], [linked.machine.public_id, linked.rivals_machine.public_id]
    assert access.create_rule(**new, machines=here).signals == "button"  # the guard could be set: not asked
    assert access.create_rule(**new, machines=here, profile="observe").signals == ""
    assert access.create_rule(**new, machines=both).signals == ""  # one of them has none
    assert access.create_rule(**new, machines=here, conditions=Conditions(signals="")).signals == ""


@pytest.mark.sqlite
def test_who_adds_a_signal_what_fits_and_what_is_shown(linked: World) -> None:
    estate.create_line(actor=linked.owner, plant=linked.plant, name="Line 1", zone="")
    owner, machine = signed_in(linked.owner), linked.machine.public_id
    form = {"kind": "button", "name": "<script>alert(1)</script>", "source": "opcua-node", "address": "192.168.10.9",
            "node": "ns=02;s=Shift leader"}  # fmt: skip
    assert owner.post(f"/machines/{machine}/signals/add/", form).status_code == 302
    row = Signal.objects.get()
    assert (row.place, row.port) == ("ns=2;s=Shift leader", 4840)
    assert "&lt;script&gt;alert(1)" in shown(owner, f"/machines/{machine}/")
    for who, status in ((linked.operator, 403), (linked.technician, 404), (linked.stranger, 404)):
        assert signed_in(who).post(f"/machines/{machine}/signals/add/", form).status_code == status
    for bad in (
        Where("file", place="../keys"), Where("file", place=""), Where("modbus-coil", "plc.example", 502),
        Where("modbus-coil", "192.168.10.9", 0), Where("modbus-coil", "192.168.10.9", 502, 1, 70000),
        Where("opcua-node", "192.168.10.9", 4840, place="Objects/Guard"), Where("shell", place="reboot"),
    ):  # fmt: skip
        with pytest.raises(BadField):
            added(linked, "Bad", where=bad)
    with pytest.raises(NameTaken):
        added(linked, "<script>alert(1)</script>")
    with pytest.raises(Denied):
        add_signal(actor=linked.operator, organisation=linked.organisation, kind="key", name="x", where=FILE,
                   machine=machine)  # fmt: skip
    with pytest.raises(NotFound):
        added(linked, "Line", line=f"{linked.plant}/Line 1")  # no gateway named
    program = Program(linked)
    body = {"organisation": linked.organisation, "line": f"{linked.plant}/Line 1", "gateway": linked.gateway.id,
            "kind": "key", "name": "Key", "source": "file", "place": "key"}  # fmt: skip
    assert program.post("/signals", body).status_code == 403  # a token never administers
    added(linked, "Key", "key", Where("file", place="key"), line=f"{linked.plant}/Line 1", gateway=linked.gateway.id)
    assert {one["kind"]: one["state"] for one in program.get("/signals").json()["items"]} == {
        "button": "lost", "key": "lost",
    }  # fmt: skip
    answer = owner.post(f"/signals/{row.public_id}/remove/?machine={machine}", {"reason": "gone"})
    assert answer.headers["Location"] == f"/machines/{machine}/"
    with pytest.raises(NotFound):
        remove_signal(actor=linked.stranger, signal=row.public_id, reason="x")
    for change in ({"state": "maybe"}, {"kind": "voice"}, {"machine": None, "line": None}, {"unit": 300}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Signal.objects.filter(pk=row.pk).update(**change)


@pytest.mark.sqlite
def test_signals_are_declared_and_reports_of_them_go_first(linked: World) -> None:
    added(linked)
    rule = '[[rule]]\nsupplier = "Presses & Co"\nmachines = ["Press 3"]\n'
    [change] = proposal(rule + 'signals = ["button"]\n').changed
    assert change.endswith("only while button say yes")
    applied(rule + 'signals = ["button"]\n')
    assert proposal(rule).empty
    assert Rule.objects.get(public_id=linked.rule).signals == "button"
    owner = signed_in(linked.owner)
    assert "shift leader&#x27;s button" in shown(owner, f"/rules/{linked.rule}/")
    plant, inbox = Plant(linked), Inbox()
    plant.asked()
    event = linked.gateway.say("gateway.started", "")
    inbox.put(FromGateway(linked.relay, linked.gateway.id, [event, plant.report(True)]))
    first, second = inbox.take(), inbox.take()
    assert isinstance(first, FromGateway)
    assert isinstance(second, FromGateway)
    assert [is_signals(first.sealed[0]), is_signals(second.sealed[0])] == [True, False]
    assert STEADY_S < STALE_S


def test_another_permission_of_the_same_person_that_reaches_the_device_makes_it_settable(linked: World) -> None:
    """The signal of one machine is read at the controller that another machine's permission opens."""
    w = linked
    there = Where("modbus-coil", "192.168.10.9", 502, 1, 17)
    added(w, where=there)
    asking(w)
    Signal.objects.update(state="on")
    session = accepted(w, started(w))
    assert sessions.enforce(timezone.now()) == 0

    def may_reach(plant: str, name: str, profile: str) -> Rule:
        """A machine of whose controller the address is the same."""
        where = w.machine.plant.organisation.plants.get_or_create(name=plant, defaults={"time_zone": "UTC"})[0]
        row = Machine.objects.create(plant=where, gateway=w.machine.gateway, name=name)
        controller = Device.objects.create(machine=row, name="PLC", address=there.address)
        Service.objects.create(device=controller, name="modbus", protocol="modbus", port=502)
        rule = access.create_rule(
            actor=w.owner, organisation=w.organisation, machines=[row.public_id], supplier=w.supplier, profile=profile,
            needs_approval=False,
        )  # fmt: skip
        access.make_request(actor=fresh(w.technician), machine=name, reason="look", minutes=30)
        return rule

    beside = may_reach(w.machine.plant.name, "Feeder", "observe")
    may_reach("South", "Saw", "")
    assert sessions.enforce(timezone.now()) == 0  # who only reads sets nothing; elsewhere it is another device
    Grant.objects.filter(rule=beside).update(profile=None)
    access.change_rule(actor=w.owner, rule=beside.public_id, profile="")
    assert sessions.enforce(timezone.now()) == 1
    ended = again(session)
    assert (ended.state, ended.ending_class, ended.end_why) == ("draining", "administrative", "presence-settable")
    page = shown(signed_in(w.owner), f"/requests/{session.grant.request.public_id}/")
    assert "another permission or rule for the same people reaches the device" in page
    with pytest.raises(SignalSettable, match="other-permission"):
        asking(w, max_minutes=60)
    access.end_rule(actor=w.owner, rule=beside.public_id, reason="apart now")
    asking(w, max_minutes=60)
