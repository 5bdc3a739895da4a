# SPDX-License-Identifier: Apache-2.0
"""Rules with a function profile: what may be set up, what an order says of it, and what follows when it changes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from django.utils import timezone

from portineria.control.access import services as access
from portineria.control.access.models import FunctionProfile, Grant, Rule
from portineria.control.access.profiles import NothingDecoded, OpaqueServices, set_profile
from portineria.control.estate import services as estate
from portineria.control.estate.models import Gateway, Service
from portineria.control.identity.services import NameTaken
from portineria.control.remote_sessions import services
from portineria.control.remote_sessions.models import Session
from portineria.control.remote_sessions.reports import receive
from portineria.control.remote_sessions.scope import CannotInspect
from portineria.core.errors import Denied, NotFound
from portineria.policy.function_profile import OBSERVE, OBSERVING, Profile, decode_profile, encode_profile
from portineria.policy.profile_text import parse_clause
from portineria.wire.statement import Order, Withdrawal
from tests.integration.control.sessions import accepted, again, report, said_to, session_key, started
from tests.integration.control.world import World, fresh

pytestmark = pytest.mark.sqlite  # nothing here depends on which database it is


def with_service(world: World, name: str, protocol: str, port: int, own_routes: Sequence[str] = ()) -> Service:
    device = world.machine.devices.get().public_id
    return estate.add_service(
        actor=world.owner, device=device, name=name, protocol=protocol, port=port, own_routes=own_routes
    )


def under(world: World, profile: str, *, only_decoded: bool = True) -> None:
    access.change_rule(actor=world.owner, rule=world.rule, profile=profile, only_decoded=only_decoded)
    receive(world.gateway.id, [world.gateway.ask(inspects=["modbus"])])


def order_of(world: World, session: Session) -> Order:
    [order] = said_to(world, session)
    assert isinstance(order, Order)
    return order


def names(order: Order) -> list[str]:
    return [decode_profile(profile).name for profile in order.profiles]


@pytest.fixture
def decoded(linked: World) -> World:
    """The press has one service that is decoded, and others that are not."""
    linked.machine.devices.get().services.all().delete()
    with_service(linked, "Modbus", "Modbus/TCP", 502, own_routes=["unit 1", "unit 2"])
    with_service(linked, "Shell", "ssh", 22)
    return linked


def test_a_rule_without_a_profile_inspects_nothing(decoded: World) -> None:
    order = order_of(decoded, started(decoded))
    assert (order.profile, order.profiles) == ("any", [])
    assert {(asset.port, asset.protocol) for asset in order.assets} == {(502, ""), (22, "")}


def test_an_order_under_a_profile_opens_only_what_can_be_decoded(decoded: World) -> None:
    under(decoded, "observe")
    session = started(decoded)
    order = order_of(decoded, session)
    [asset] = order.assets
    assert (asset.port, asset.protocol, asset.own_routes) == (502, "modbus", [["unit 1"], ["unit 2"]])
    assert order.profiles == [encode_profile(OBSERVE)]
    assert order.profile == "observe"


def test_a_service_that_is_added_later_and_cannot_be_decoded_stays_closed(decoded: World) -> None:
    under(decoded, "observe")
    with_service(decoded, "Panel", "vnc", 5900)
    assert {asset.port for asset in order_of(decoded, started(decoded)).assets} == {502}


def test_a_profile_over_what_nobody_can_decode_is_refused_at_set_up_with_the_reason(decoded: World) -> None:
    with pytest.raises(OpaqueServices) as caught:
        under(decoded, "observe", only_decoded=False)
    assert caught.value.values == {"services": "Press 3: Shell (ssh)"}
    assert Rule.objects.get(public_id=decoded.rule).profile is None
    decoded.machine.devices.get().services.filter(protocol="Modbus/TCP").delete()
    with pytest.raises(NothingDecoded):
        under(decoded, "observe")


def test_a_rule_may_refuse_metadata_only_without_a_profile(decoded: World) -> None:
    access.change_rule(actor=decoded.owner, rule=decoded.rule, only_decoded=True)
    order = order_of(decoded, started(decoded))
    assert [(asset.port, asset.protocol) for asset in order.assets] == [(502, "")]


def test_a_gateway_that_cannot_inspect_gets_no_such_session(decoded: World) -> None:
    access.change_rule(actor=decoded.owner, rule=decoded.rule, profile="observe", only_decoded=True)
    decoded.grant()
    with pytest.raises(CannotInspect):
        services.start_session(actor=decoded.technician, machine="Press 3", key=session_key(), address="192.0.2.7")
    assert Session.objects.count() == 0


def test_a_narrower_profile_supersedes_the_order_of_what_runs(decoded: World) -> None:
    under(decoded, "engineer")
    session = accepted(decoded, started(decoded))
    under(decoded, "observe")
    assert services.enforce(timezone.now()) == 1
    order = order_of(decoded, session)
    assert (order.order_seq, names(order)) == (2, ["engineer", "observe"])
    assert again(session).state == "opening"
    assert accepted(decoded, session).state == "live"
    assert services.enforce(timezone.now()) == 0


def test_a_wider_profile_gives_nothing_to_what_was_approved_before(decoded: World) -> None:
    under(decoded, "observe")
    session = accepted(decoded, started(decoded))
    under(decoded, "firmware")
    services.enforce(timezone.now())
    assert names(order_of(decoded, session)) == ["observe", "firmware"]
    under(decoded, "")
    services.enforce(timezone.now())
    assert names(order_of(decoded, session)) == ["observe"]


def test_a_profile_that_comes_over_a_session_without_one_holds_there_too(decoded: World) -> None:
    session = accepted(decoded, started(decoded))
    under(decoded, "observe")
    assert services.enforce(timezone.now()) == 1
    order = order_of(decoded, session)
    assert ([asset.port for asset in order.assets], names(order)) == ([502], ["observe"])


def test_where_the_gateway_cannot_hold_the_new_profile_the_session_drains(decoded: World) -> None:
    session = accepted(decoded, started(decoded))
    under(decoded, "observe")
    Gateway.objects.update(inspects="")
    assert services.enforce(timezone.now()) == 1
    [withdrawal] = said_to(decoded, session)
    assert isinstance(withdrawal, Withdrawal)
    assert (withdrawal.ending, withdrawal.reason) == ("drain", "not-inspectable")


def test_a_gateway_that_refuses_the_new_order_leaves_the_session_draining(decoded: World) -> None:
    under(decoded, "engineer")
    session = accepted(decoded, started(decoded))
    under(decoded, "observe")
    services.enforce(timezone.now())
    after = report(decoded, "order.refused", session, order_seq=2, reason="profile.unreadable")
    assert after.state == "draining"


def test_a_change_of_an_own_profile_is_a_new_version_and_holds_at_once(decoded: World) -> None:
    clause = parse_clause("write on holding 100-119 between 0 and 500")
    first = _set(decoded, clause)
    assert _set(decoded, clause) == first
    under(decoded, "setpoints")
    session = accepted(decoded, started(decoded))
    second = _set(decoded, parse_clause("write on holding 100-109 between 0 and 500"))
    assert (first.version, second.version) == (1, 2)
    assert first.profile.clauses[-1] == clause  # the old version is what it was
    assert Rule.objects.get(public_id=decoded.rule).profile == second
    assert Grant.objects.get().profile == first
    services.enforce(timezone.now())
    assert order_of(decoded, session).profiles == [bytes(first.content), bytes(second.content)]


def _set(world: World, *clauses: object) -> FunctionProfile:
    organisation = world.machine.plant.organisation.public_id
    return set_profile(actor=world.owner, organisation=organisation, name="setpoints", clauses=[*OBSERVING, *clauses])  # type: ignore[list-item]


def test_a_built_in_profile_cannot_be_written_over_and_an_unknown_one_not_be_named(decoded: World) -> None:
    organisation = decoded.machine.plant.organisation.public_id
    with pytest.raises(NameTaken):
        set_profile(actor=decoded.owner, organisation=organisation, name="observe", clauses=[])
    with pytest.raises(NotFound):
        under(decoded, "setpoints")


@pytest.mark.parametrize("who", ["approver", "technician", "stranger"])
def test_only_who_administers_sets_profiles(decoded: World, who: str) -> None:
    organisation = decoded.machine.plant.organisation.public_id
    with pytest.raises((Denied, NotFound)):
        set_profile(actor=fresh(getattr(decoded, who)), organisation=organisation, name="mine", clauses=[])


def test_a_built_in_profile_of_a_later_version_of_the_program_is_a_new_version_of_its_row(decoded: World) -> None:
    under(decoded, "observe")
    row = Rule.objects.get(public_id=decoded.rule).profile
    assert row is not None
    FunctionProfile.objects.filter(pk=row.pk).update(content=encode_profile(Profile("observe")))
    under(decoded, "observe")
    after = Rule.objects.get(public_id=decoded.rule).profile
    assert after is not None
    assert (after.version, after.profile) == (2, OBSERVE)
