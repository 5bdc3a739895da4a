# SPDX-License-Identifier: Apache-2.0
"""An organisation becomes what a file declares: all of it or nothing, once, and nothing is deleted."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from django.test import Client

from portineria.control.access.models import Rule
from portineria.control.audit import leaf
from portineria.control.audit.models import Event
from portineria.control.audit.services import verify_chain
from portineria.control.declaration.document import Faulty, parse_declaration, read_declaration
from portineria.control.declaration.operation import ChangedMeanwhile, Proposal, carry_out, propose
from portineria.control.declaration.present import NobodyToActAs, NoOrganisation
from portineria.control.estate import services as estate
from portineria.control.estate.enrolment import revoke_gateway
from portineria.control.estate.models import Gateway, Machine, Plant, Service
from portineria.control.identity import first_run, offers
from portineria.control.identity import services as identity
from portineria.control.identity.authority import Operator
from portineria.control.identity.first_run import HasPassword, NobodyThere
from portineria.control.identity.models import Membership, Organisation, Person, Role, Supplier
from tests.integration.control.world import World, admitted_gateway, fresh

EXAMPLE = Path(__file__).resolve().parents[3] / "docs/howto/example-plant.toml"
HEAD = 'organisation = { name = "Owner\'s plant" }\n'
PRESS = '[[machine]]\nplant = "North"\nname = "Press 3"\ngateway = "cabinet 4"\n'
PLC = '[[machine.device]]\nname = "PLC"\naddress = "192.168.10.5"\n'
MODBUS = '{ name = "modbus", protocol = "modbus", port = 502 }'
ADDED = """
[[plant]]
name = "South"
time_zone = "Asia/Tokyo"
lines = ["Line 9"]
[[supplier]]
name = "Robots & Co"
[[person]]
name = "Newcomer"
email = "newcomer@example.com"
role = "technician"
supplier = "Robots & Co"
language = "ja"
[[machine]]
plant = "North"
name = "Robot 1"
gateway = "cabinet 4"
answering = "approver@example.com"
drain_s = 0
[[machine.device]]
name = "arm"
address = "192.168.10.9"
services = [{ name = "ssh", protocol = "ssh", port = 22 }, { name = "web", protocol = "http", port = 80 }]
[[rule]]
supplier = "Robots & Co"
machines = ["Robot 1", "North/Press 3"]
max_minutes = 60
[[rule]]
person = "newcomer@example.com"
machines = ["Robot 1"]
needs_approval = false
"""
COUNTED = (Plant, Machine, Service, Supplier, Person, Membership, Rule, Event)


def proposal(text: str, **how: object) -> Proposal:
    return propose(parse_declaration((HEAD + text).encode()), **how)  # type: ignore[arg-type]


def applied(text: str, **how: object) -> dict[str, str]:
    return carry_out(proposal(text, **how))


def faults(text: str, **how: object) -> list[str]:
    with pytest.raises(Faulty) as refused:
        proposal(text, **how)
    return list(refused.value.faults)


def counts() -> list[int]:
    return [model._default_manager.count() for model in COUNTED]


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


def test_the_invitation_opens_the_page_where_a_password_is_set(world: World) -> None:
    (address,) = applied(ADDED).values()
    page = Client().get(address.removeprefix("http://localhost:8443"), follow=True)
    assert page.status_code == 200
    assert b'type="password"' in page.content


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
        "rule for Robots & Co: North/Press 3, North/Robot 1, at most 60 minutes, with approval",
        "rule for newcomer@example.com: North/Robot 1, at most 480 minutes, WITHOUT approval",
    )


# -- changes ------------------------------------------------------------------------------------------------------


def test_only_what_the_file_says_of_a_machine_is_changed(world: World) -> None:
    seen = proposal(PRESS + 'drain_s = 30\nhold_s = 60\nanswering = "approver@example.com"\n')
    assert seen.added == ()
    assert seen.changed == (
        "machine North/Press 3: drain_s 600 → 30, answering owner@example.com → approver@example.com",
    )
    carry_out(seen)
    press = Machine.objects.get(pk=world.machine.pk)
    assert (press.drain_s, press.hold_s, press.answering, press.on_silence) == (30, 60, world.approver, "drain")


def test_a_machine_moves_behind_another_gateway_of_its_plant(world: World) -> None:
    other = admitted_gateway(world.owner, world.plant).id
    applied(PRESS.replace("cabinet 4", other))
    assert Machine.objects.get(pk=world.machine.pk).gateway.public_id == other


def test_two_services_exchange_their_ports(world: World) -> None:
    device = world.machine.devices.get()
    estate.add_service(actor=world.owner, device=device.public_id, name="s7", protocol="s7", port=102)
    applied(
        PRESS + PLC + 'services = [{ name = "modbus", protocol = "modbus", port = 102 },'
        ' { name = "s7", protocol = "s7", port = 502 }, { name = "web", protocol = "http", port = 80 }]'
    )
    assert dict(device.services.values_list("name", "port")) == {"modbus": 102, "s7": 502, "web": 80}


def test_a_rule_is_found_again_by_whom_and_which_machines(world: World) -> None:
    rule = '[[rule]]\nsupplier = "Presses & Co"\nmachines = ["Press 3"]\n'
    assert proposal(rule).empty
    seen = proposal(rule + "max_minutes = 30\nneeds_approval = false\n")
    assert seen.changed == (f"rule {world.rule} for Presses & Co: 480 → 30 minutes, no longer needs approval",)
    carry_out(seen)
    row = Rule.objects.get(public_id=world.rule)
    assert (row.max_minutes, row.needs_approval) == (30, False)


def test_a_rule_whose_machines_change_is_changed_and_not_doubled(world: World) -> None:
    wide = '[[rule]]\nsupplier = "Presses & Co"\nmachines = ["Press 3", "Press 4"]\n'
    assert proposal(wide).changed == (f"rule {world.rule} for Presses & Co: also North/Press 4",)
    applied(wide)
    narrow = wide.replace('"Press 3", ', "")
    assert proposal(narrow).changed == (f"rule {world.rule} for Presses & Co: no longer North/Press 3",)
    applied(narrow)
    assert [m.name for m in Rule.objects.get(supplier__public_id=world.supplier).machines.all()] == ["Press 4"]
    assert proposal(narrow).empty


def test_a_rule_divided_in_two_keeps_one_and_adds_one(world: World) -> None:
    applied('[[rule]]\nsupplier = "Presses & Co"\nmachines = ["Press 3", "Press 4"]\n')
    two = '[[rule]]\nsupplier = "Presses & Co"\nmachines = ["Press 3"]\n'
    two += '[[rule]]\nsupplier = "Presses & Co"\nmachines = ["Press 4"]\nneeds_approval = false\n'
    applied(two)
    rules = Rule.objects.filter(supplier__public_id=world.supplier).order_by("pk")
    assert [([m.name for m in rule.machines.all()], rule.needs_approval) for rule in rules] == [
        (["Press 3"], True),
        (["Press 4"], False),
    ]
    assert proposal(two).empty


PERSON = '[[person]]\nname = "{0}"\nemail = "{0}@example.com"\nrole = "{1}"\n'


def test_a_changed_role_ends_one_membership_and_begins_another(world: World) -> None:
    seen = proposal(PERSON.format("operator", "approver"))
    assert seen.changed == ("person operator@example.com: operator → approver",)
    assert carry_out(seen) == {}
    assert fresh(world.operator).role_in(Organisation.objects.get(public_id=world.organisation).pk) is Role.APPROVER
    codes = list(Event.objects.order_by("-pk").values_list("code", flat=True)[:2])
    assert codes == ["identity.membership.added", "identity.membership.removed"]


def test_an_administrator_hands_over_but_never_changes_their_own_role(world: World) -> None:
    handing = PERSON.format("owner", "operator") + PERSON.format("approver", "administrator")
    assert faults(handing) == [
        "person[0].role: whoever acts does not change their own; name somebody else with --as",
    ]
    applied(PERSON.format("approver", "administrator"))
    applied(handing, administrator="approver@example.com")
    assert propose(parse_declaration(HEAD.encode())).administrator == "approver@example.com"


def test_a_person_of_another_organisation_is_asked_and_joins_without_an_invitation(world: World) -> None:
    seen = proposal(PERSON.format("stranger", "operator"))
    assert seen.added[0].endswith("is known here already and asked first, under My account")
    assert carry_out(seen) == {}
    assert fresh(world.stranger).memberships.count() == 1
    again = proposal(PERSON.format("stranger", "operator"))
    assert (again.empty, again.waiting) == (True, ("person stranger@example.com was asked and has not answered",))
    offers.accept(actor=world.stranger, organisation=world.organisation)
    assert fresh(world.stranger).memberships.count() == 2


def test_a_person_keeps_what_is_their_own(world: World) -> None:
    identity.set_person_enabled(actor=Operator(), person=world.operator.public_id, enabled=False, reason="left")
    seen = proposal(PERSON.format("operator", "operator") + 'language = "it"\n')
    assert seen.empty
    assert seen.kept == (
        "person operator@example.com keeps the name, language and time zone of their own account",
        "person operator@example.com stays disabled",
    )


# -- refusals -----------------------------------------------------------------------------------------------------


def test_a_gateway_of_another_plant_is_refused(world: World) -> None:
    south = estate.create_plant(actor=world.owner, organisation=world.organisation, name="South", time_zone="UTC")
    there = admitted_gateway(world.owner, south.public_id).id
    Gateway.objects.filter(public_id=there).update(name="cabinet 9")
    for gateway in ("cabinet 9", there):
        (fault,) = faults(PRESS.replace("cabinet 4", gateway))
        assert fault.startswith(
            f"machine[0].gateway: no gateway of plant North is called {gateway}; one of plant South"
        )
    new = '[[machine]]\nplant = "North"\nname = "Press 5"\ngateway = "' + there + '"\n'
    assert faults(new, before_gateways=True)[0].startswith("machine[0].gateway: no gateway of plant North")


def test_a_gateway_of_another_organisation_does_not_exist(world: World) -> None:
    other = Organisation.objects.get(name="Somebody else's").public_id
    plant = estate.create_plant(actor=world.stranger, organisation=other, name="Theirs", time_zone="UTC").public_id
    theirs = admitted_gateway(world.stranger, plant).id
    (fault,) = faults(PRESS.replace("cabinet 4", theirs))
    assert "Theirs" not in fault
    assert fault.startswith(f"machine[0].gateway: no gateway of plant North is called {theirs}. Enrol it first")


def test_two_gateways_of_one_name_are_told_apart_by_id(world: World) -> None:
    other = admitted_gateway(world.owner, world.plant).id
    (fault,) = faults(PRESS)
    assert fault.startswith("machine[0].gateway: several of plant North are called cabinet 4; write an id: ")
    revoke_gateway(actor=world.owner, gateway=other, reason="stolen")
    assert proposal(PRESS).empty


def test_everything_that_does_not_exist_is_reported_at_once(world: World) -> None:
    text = PRESS.replace("North", "West") + '[[machine]]\nplant = "North"\nname = "Press 5"\ngateway = "cabinet 4"\n'
    text += 'line = "Line 7"\nanswering = "technician@example.com"\n'
    text += PERSON.format("newcomer", "technician") + 'supplier = "Nobody & Co"\n'
    text += '[[rule]]\nsupplier = "Nobody & Co"\nmachines = ["Press 9"]\n'
    text += '[[rule]]\nperson = "stranger@example.com"\nmachines = ["Press 3"]\n'
    assert faults(text) == [
        "person[0].supplier: there is no supplier Nobody & Co",
        "machine[0].plant: there is no plant West",
        "machine[1].line: plant North has no line Line 7",
        "machine[1].answering: technician@example.com is nobody of Owner's plant's staff",
        "rule[0].supplier: there is no supplier Nobody & Co",
        "rule[0].machines[0]: there is no machine Press 9",
        "rule[1].person: there is no person stranger@example.com",
        "rule[1].machines[0]: several are called Press 3; write one of North/Press 3, West/Press 3",
    ]


MOVED = '[[plant]]\nname = "North"\ntime_zone = "UTC"\nlines = ["Line 1"]\n' + PRESS
MOVED += 'line = "Line 1"\ntag = "P3"\n' + PLC.replace(".5", ".6")


def test_what_was_written_wrong_at_first_is_put_right_by_the_same_file(world: World) -> None:
    assert list(proposal(MOVED).changed) == [
        "plant North: time zone Europe/Rome → UTC",
        "machine North/Press 3: line none → Line 1, tag none → P3",
        "device North/Press 3/PLC, sessions that reach it are ended: 192.168.10.5 → 192.168.10.6",
    ]
    applied(MOVED)
    press = Machine.objects.get(name="Press 3")
    assert (press.line and press.line.name, press.tag, press.plant.time_zone) == ("Line 1", "P3", "UTC")
    assert [device.address for device in press.devices.all()] == ["192.168.10.6"]
    noted = {event.code: leaf.decode(bytes(event.leaf))["fields"] for event in Event.objects.order_by("seq")}
    assert noted["estate.plant.changed"]["previous_time_zone"] == "Europe/Rome"
    assert noted["estate.machine.changed"]["changed"] == "line tag"
    assert noted["estate.device.changed"]["device"] == press.devices.get().public_id
    assert proposal(MOVED).empty
    applied(PRESS + 'line = ""\ntag = ""\n')
    press.refresh_from_db()
    assert (press.line, press.tag) == (None, "")


def test_a_line_that_does_not_exist_is_refused(world: World) -> None:
    assert faults(PRESS + 'line = "Line 8"\n') == ["machine[0].line: plant North has no line Line 8"]


def test_an_invitation_that_is_made_again_ends_the_one_before(world: World) -> None:
    (first,) = (address.removeprefix("http://localhost:8443") for address in applied(ADDED).values())
    second = first_run.invite_address(actor=Operator(), email=" Newcomer@example.com ")
    assert b'type="password"' not in Client().get(first, follow=True).content
    assert b'type="password"' in Client().get(second, follow=True).content
    invited = Event.objects.filter(code="identity.person.invited").order_by("seq")
    assert [event.actor for event in invited] == ["operator", "operator"]
    newcomer = Person.objects.get(email="newcomer@example.com")
    first_run.set_password(actor=Operator(), person=newcomer.public_id, password="a long enough pass phrase")
    with pytest.raises(HasPassword):
        first_run.invite_address(actor=Operator(), email="newcomer@example.com")
    with pytest.raises(NobodyThere):
        first_run.invite_address(actor=Operator(), email="nobody@example.com")


def test_a_port_of_a_service_outside_the_file_is_not_taken(world: World) -> None:
    text = PRESS + PLC + 'services = [{ name = "other", protocol = "modbus", port = 502 }]'
    assert faults(text) == [
        "machine[0].device[0].services[0].port: 502 belongs to modbus, which is there already",
    ]


def test_a_refusal_of_a_service_names_its_place_and_takes_everything_back(world: World) -> None:
    """The 257th service: only the service that adds it counts those which are not in the file."""
    many = ", ".join(f"{{ name = 's{port}', protocol = 'tcp', port = {port} }}" for port in range(1000, 1256))
    before = counts()
    assert faults(ADDED + PRESS + PLC + f"services = [{many}]") == [
        "machine[1].device[0].services[255]: device: a machine has at most 256 services",
    ]
    assert counts() == before


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


# -- from nothing -------------------------------------------------------------------------------------------------


def test_the_example_is_applied_before_and_after_its_gateway_is_enrolled(world: World) -> None:
    first_run.create_owner(actor=Operator(), organisation="Example Presses", name="Owner", email="first@example.com")
    example = read_declaration(EXAMPLE)
    with pytest.raises(Faulty, match="--before-gateways"):
        propose(example)
    early = propose(example, before_gateways=True)
    assert early.waiting == (
        "machine North/Press 3 waits for gateway cabinet 4",
        "rule for Drive Works: North/Press 3 waits for its machines",
    )
    assert list(carry_out(early)) == ["shift-leader@example.com"]  # the technician has an account already
    plant = Plant.objects.get(organisation__name="Example Presses")
    admitted_gateway(Person.objects.get(email="first@example.com"), plant.public_id)
    assert carry_out(propose(example)) == {}
    assert Service.objects.filter(device__machine__plant=plant).count() == 3
    assert Rule.objects.filter(organisation=plant.organisation).count() == 1
    assert propose(example).empty


def run(state: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "portineria.cli.main", *words, "--state", str(state)]
    surroundings = {k: v for k, v in os.environ.items() if not k.startswith(("PORTINERIA", "DJANGO"))}
    return subprocess.run(
        command, env=surroundings, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60
    )


def test_the_command_shows_applies_and_says_what_is_wrong(tmp_path: Path) -> None:
    state, wrong = tmp_path / "state", tmp_path / "wrong.toml"
    words = ("apply", str(EXAMPLE), "--before-gateways")
    absent = run(state, *words)
    assert absent.returncode == 3
    assert not state.exists()
    name = tomllib.loads(EXAMPLE.read_text())["organisation"]["name"]
    owner = ("--organisation", name, "--name", "Owner", "--email", "owner@example.com")
    assert run(state, "setup", *owner).returncode == 0

    asked = run(state, *words)
    assert (asked.returncode, "plant North, Europe/Rome" in asked.stdout) == (2, True)
    done = run(state, *words, "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("http://localhost:8443/accounts/password/reset/key/") == 2
    again = run(state, *words)
    assert (again.returncode, again.stdout.splitlines()[-1]) == (0, "Nothing to change.")
    invited = run(state, "invite", "technician@example.com")
    assert (invited.returncode, "/accounts/password/reset/key/" in invited.stdout) == (0, True)
    unknown = run(state, "invite", "nobody@example.com")
    assert (unknown.returncode, "nobody@example.com" in unknown.stderr) == (1, True)

    wrong.write_text(EXAMPLE.read_text().replace("192.168.10.12", "panel.local"))
    refused = run(state, "apply", str(wrong), "--yes")
    assert refused.returncode == 2
    assert "wrong.toml: machine[0].device[1].address: an IPv4 or IPv6 address" in refused.stderr
