# SPDX-License-Identifier: Apache-2.0
"""An organisation becomes what a file declares: all of it or nothing, once, and nothing is deleted."""

from __future__ import annotations

import pytest

from portineria.control.access.models import Rule
from portineria.control.audit.models import Event
from portineria.control.audit.verification import verify_chain
from portineria.control.declaration.document import parse_declaration
from portineria.control.declaration.operation import ChangedMeanwhile, carry_out, propose
from portineria.control.declaration.present import NobodyToActAs, NoOrganisation
from portineria.control.estate.models import Machine, Plant, Service
from portineria.control.identity import services as identity
from portineria.control.identity.authority import Operator
from portineria.control.identity.models import Person
from tests.integration.control.declared import ADDED, PERSON, PLC, PRESS, applied, counts, faults, proposal
from tests.integration.control.world import World


def test_what_is_declared_is_there_afterwards(world: World) -> None:
    invitations = applied(ADDED)

    robot = Machine.objects.get(name="Robot 1")
    assert (robot.plant.name, robot.drain_s, robot.hold_s, robot.answering) == ("North", 0, 60, world.approver)
    assert sorted(Service.objects.filter(device__machine=robot).values_list("device__address", "port")) == [
        ("192.168.10.9", 22),
        ("192.168.10.9", 80),
    ]
    south = Plant.objects.get(name="South")
    assert (south.time_zone, [line.name for line in south.lines.all()]) == ("Asia/Tokyo", ["Line 9"])
    newcomer = Person.objects.get(email="newcomer@example.com")
    membership = newcomer.memberships.get()
    assert (membership.role, membership.supplier and membership.supplier.name) == ("technician", "Robots & Co")
    assert (newcomer.language, newcomer.has_usable_password()) == ("ja", False)
    shared, own = Rule.objects.get(supplier__name="Robots & Co"), Rule.objects.get(person=newcomer)
    assert {machine.name for machine in shared.machines.all()} == {"Robot 1", "Press 3"}
    assert (shared.max_minutes, shared.needs_approval, own.max_minutes, own.needs_approval) == (60, True, 480, False)
    assert list(invitations) == ["newcomer@example.com"]
    verify_chain(world.organisation)


def test_the_ledger_names_the_operator_and_the_administrator(world: World) -> None:
    applied(ADDED)
    assert Event.objects.filter(code="identity.person.created").latest("seq").actor == "operator"
    assert Event.objects.filter(code="estate.machine.created").latest("seq").actor == world.owner.public_id


def test_applying_twice_changes_nothing(world: World) -> None:
    applied(ADDED)
    before = counts()
    again = proposal(ADDED)
    assert again.empty
    assert carry_out(again) == {}
    assert counts() == before


def test_looking_changes_nothing(world: World) -> None:
    before = counts()
    assert not proposal(ADDED).empty
    assert counts() == before


def test_what_is_not_in_the_file_is_listed_and_left(world: World) -> None:
    seen = proposal('[[plant]]\nname = "North"\ntime_zone = "Europe/Rome"\n')
    assert seen.empty
    assert {"supplier Rival presses", "person rival@example.com", "machine North/Press 4"} <= set(seen.untouched)
    assert f"rule {world.rule} for Presses & Co: North/Press 3, at most 480 minutes, with approval" in seen.untouched
    inside = proposal(PRESS + '[[machine.device]]\nname = "panel"\naddress = "192.168.10.6"\n')
    assert "device North/Press 3/PLC" in inside.untouched
    assert "service North/Press 3/PLC/modbus" in proposal(PRESS + PLC).untouched


def test_the_diff_says_in_words_what_is_added(world: World) -> None:
    assert proposal(ADDED).added == (
        "supplier Robots & Co",
        "person newcomer@example.com: Newcomer, technician of Robots & Co",
        "plant South, Asia/Tokyo",
        "line Line 9 of plant South",
        "machine North/Robot 1, behind gateway cabinet 4",
        "device North/Robot 1/arm at 192.168.10.9",
        "service North/Robot 1/arm/ssh: ssh on port 22",
        "service North/Robot 1/arm/web: http on port 80",
        "rule for Robots & Co: North/Press 3, North/Robot 1, at most 60 minutes, with approval, NO inspection",
        "rule for newcomer@example.com: North/Robot 1, at most 480 minutes, WITHOUT approval, NO inspection",
    )


def test_all_or_nothing_when_something_changed_since_it_was_shown(world: World) -> None:
    shown = proposal(ADDED)
    identity.create_supplier(actor=Operator(), organisation=world.organisation, name="Robots & Co")
    before = counts()
    with pytest.raises(ChangedMeanwhile):
        carry_out(shown)
    assert counts() == before


def test_who_acts_has_to_administer_this_very_organisation(world: World) -> None:
    for email in ("approver@example.com", "stranger@example.com", "nobody@example.com"):
        with pytest.raises(NobodyToActAs, match="does not administer"):
            proposal(ADDED, administrator=email)
    applied(PERSON.format("second", "administrator"))
    with pytest.raises(NobodyToActAs, match=r"owner@example\.com, second@example\.com"):
        proposal(ADDED)
    assert proposal(ADDED, administrator="Second@example.com").administrator == "second@example.com"


def test_an_organisation_that_does_not_exist_is_not_made(world: World) -> None:
    with pytest.raises(NoOrganisation, match="portineria setup"):
        propose(parse_declaration(b'organisation = { name = "Nowhere" }'))


ASKED = """
[[training]]
name = "Safety"
days = 30
words = { en = { text = "Wear a helmet." } }
[[reasons]]
reasons = ["Fault", "Planned  work"]
[[signal]]
plant = "North"
machine = "Press 3"
kind = "key"
name = "Key"
source = "file"
place = "key"
[[rule]]
supplier = "Presses & Co"
machines = ["Press 3"]
trainings = ["Safety"]
signals = ["key"]
needs_listed_reason = true
"""


@pytest.mark.sqlite
def test_what_rules_ask_for_is_declared_with_them(world: World) -> None:
    first = proposal(ASKED)
    assert first.added == (
        "training Safety", "reasons: Fault, Planned work", "signal Key of Press 3: key, file",
    )  # fmt: skip
    carry_out(first)
    again = proposal(ASKED)
    assert again.empty
    assert again.kept == ()
    rule = Rule.objects.get(public_id=world.rule)
    assert (bool(rule.trainings), rule.signals, rule.needs_listed_reason) == (True, "key", True)
    other = ASKED.replace("helmet", "hat").replace('["Fault", "Planned  work"]', '["Fault"]').replace(
        'source = "file"', 'source = "opcua-node"\naddress = "192.0.2.7"\nport = 4840'
    ).replace('place = "key"', 'place = "ns=2;s=key"')  # fmt: skip
    differs = proposal(other)
    assert differs.changed == ("training Safety: version 2, which everybody confirms anew", "reasons: Fault")
    assert differs.kept == ("signal Key of Press 3: it is another one by now",)
    assert faults(ASKED.replace('machine = "Press 3"', 'machine = "Press 9"')) == [
        "signal[0].machine: there is no machine North/Press 9"
    ]
    assert faults(ASKED.replace('place = "key"', 'place = "../key"'))[0].startswith("signal[0]")
