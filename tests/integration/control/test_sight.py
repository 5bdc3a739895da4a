# SPDX-License-Identifier: Apache-2.0
"""What one may not see does not exist: the same answer, byte for byte, in every operation."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from django.utils import timezone

from portineria.control.access import services as access
from portineria.control.access.models import Grant
from portineria.control.identity import services as identity
from portineria.control.identity.connector import base64url
from portineria.control.remote_sessions.services import start_session
from portineria.wire.certificate import spki
from tests.integration.control.world import ConnectorEnd, World, fresh

pytestmark = pytest.mark.sqlite  # nothing here depends on which database it is

ABSENT = "aaaaaaaaaaaaaaaa"


def session_key() -> bytes:
    return spki(ec.generate_private_key(ec.SECP256R1()).public_key())


def operations(machine: str, name: str, request: str, session: str) -> list[tuple[str, str, dict[str, Any] | None]]:
    return [
        ("GET", f"/machines/{machine}", None),
        ("GET", f"/machines/{name}", None),
        ("POST", "/requests", {"machine": machine, "reason": "x", "minutes": 5}),
        ("POST", "/requests", {"machine": name, "reason": "x", "minutes": 5}),
        ("GET", f"/requests/{request}", None),
        ("POST", f"/requests/{request}/cancel", None),
        ("POST", "/sessions", {"machine": machine, "key": base64url(session_key())}),
        ("GET", f"/sessions/{session}", None),
        ("POST", f"/sessions/{session}/tickets", None),
        ("POST", f"/sessions/{session}/cut", {"reason": "x"}),
        ("POST", f"/sessions/{session}/end", None),
    ]


@pytest.mark.parametrize("who", ["rival", "stranger"])
def test_existing_and_missing_things_are_answered_byte_for_byte_alike(world: World, who: str) -> None:
    world.link()
    request = world.request()
    access.approve(actor=world.owner, request=request)
    opened = start_session(actor=world.technician, machine=world.machine.public_id, key=session_key(), address="")
    end = ConnectorEnd(getattr(world, who))
    real = operations(world.machine.public_id, "Press%203", request, opened.session.public_id)
    missing = operations(f"mac_{ABSENT}", "Press%209", f"req_{ABSENT}", f"ses_{ABSENT}")
    for there, nowhere in zip(real, missing, strict=True):
        one, other = end.call(*there), end.call(*nowhere)
        assert one.status_code == 404, there
        assert one.content == other.content, there
        assert dict(one.headers) == dict(other.headers), there


def test_lists_hold_no_trace_of_what_is_absent(world: World) -> None:
    world.grant()
    for who in (world.rival, world.stranger):
        end = ConnectorEnd(who)
        machines = end.call("GET", "/machines")
        assert b"Press 3" not in machines.content
        assert world.machine.public_id.encode() not in machines.content
        assert end.call("GET", "/requests").json() == []
        assert end.call("GET", "/sessions").json() == []


def test_an_askable_machine_shows_its_name_and_whom_to_ask_and_nothing_else(world: World) -> None:
    [machine] = ConnectorEnd(world.technician).call("GET", "/machines").json()
    assert machine == {
        "machine": world.machine.public_id,
        "name": "Press 3",
        "owner": "Owner",
        "sight": "askable",
        "plant": None,
        "line": None,
        "services": [],
        "grant": None,
        "ends_at": None,
        "begin_by": None,
        "lasts_minutes": None,
        "max_minutes": 480,
        "notice": None,
        "trainings": [],
        "reasons": [],
    }


def test_a_live_grant_makes_it_reachable_with_its_services_but_no_address(world: World) -> None:
    grant = world.grant()
    response = ConnectorEnd(world.technician).call("GET", "/machines/Press%203")
    machine = response.json()
    assert (machine["sight"], machine["grant"], machine["plant"]) == ("reachable", grant, "North")
    assert [(s["protocol"], s["port"]) for s in machine["services"]] == [("modbus", 502)]
    assert b"192.168.10.5" not in response.content


def test_a_machine_is_askable_again_when_the_grant_is_over(world: World) -> None:
    past = timezone.now() - timedelta(hours=2)
    Grant.objects.filter(public_id=world.grant()).update(starts_at=past, ends_at=past + timedelta(hours=1))
    [machine] = ConnectorEnd(world.technician).call("GET", "/machines").json()
    assert (machine["sight"], machine["services"]) == ("askable", [])


def test_a_rule_that_ends_takes_even_the_name_away(world: World) -> None:
    world.grant()
    access.end_rule(actor=world.owner, rule=world.rule, reason="contract over")
    assert ConnectorEnd(world.technician).call("GET", "/machines").json() == []


def test_a_disabled_supplier_sees_nothing_from_the_same_moment(world: World) -> None:
    world.grant()
    end = ConnectorEnd(world.technician)
    identity.set_supplier_enabled(actor=world.owner, supplier=world.supplier, enabled=False, reason="breach")
    assert end.call("GET", "/machines").json() == []
    assert end.call("GET", f"/machines/{world.machine.public_id}").status_code == 404
    assert end.call("GET", "/requests").json() == []


def test_a_disabled_person_is_signed_out_everywhere(world: World) -> None:
    end = ConnectorEnd(world.technician)
    identity.set_person_enabled(actor=world.owner, person=world.technician.public_id, enabled=False, reason="left")
    assert end.call("GET", "/me").status_code == 401
    identity.set_person_enabled(actor=world.owner, person=world.technician.public_id, enabled=True, reason="back")
    assert end.call("GET", "/me").status_code == 401


def test_the_owners_people_see_the_plant_but_reach_nothing_without_a_grant(world: World) -> None:
    world.link()
    end = ConnectorEnd(world.operator)
    assert {m["name"]: m["sight"] for m in end.call("GET", "/machines").json()} == {
        "Press 3": "askable",
        "Press 4": "askable",
    }
    denied = end.call("POST", "/sessions", {"machine": "Press 3", "key": base64url(session_key())})
    assert (denied.status_code, denied.json()["code"]) == (403, "access.no-grant")


def test_two_machines_of_one_name_have_to_be_told_apart_by_id(world: World) -> None:
    from portineria.control.estate.models import Machine
    from portineria.control.estate.services import create_plant

    south = create_plant(actor=world.owner, organisation=world.organisation, name="South", time_zone="UTC")
    Machine.objects.filter(pk=world.rivals_machine.pk).update(plant=south, name="Press 3")
    answer = ConnectorEnd(fresh(world.owner)).call("GET", "/machines/Press%203")
    assert (answer.status_code, answer.json()["code"]) == (409, "access.machine.ambiguous")
