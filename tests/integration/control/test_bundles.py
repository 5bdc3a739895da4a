# SPDX-License-Identifier: Apache-2.0
"""One piece of work on several machines, and a yes to less than was asked for."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from portineria.control.access import bundles, locks, queries
from portineria.control.access import services as access
from portineria.control.access.closing import LockedNow
from portineria.control.access.models import AccessRequest, Approval, Grant
from portineria.control.access.profiles import NothingDecoded
from portineria.control.access.rules import Conditions
from portineria.control.access.services import NarrowedOtherwise, ProfileChanged
from portineria.control.estate.models import Machine
from portineria.control.identity.services import BadField
from portineria.control.remote_sessions.reports import receive
from portineria.core.errors import Denied, NotFound
from portineria.policy.ending import Locked
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.sessions import accepted, started
from tests.integration.control.test_function_profiles import decoded, names, order_of, under
from tests.integration.control.world import World, machine_with_service

__all__ = ["decoded"]


def two_machines(world: World) -> tuple[Machine, Machine]:
    other = machine_with_service(world.owner, world.plant, world.gateway.id, "Press 9")
    access.create_rule(
        actor=world.owner, organisation=world.organisation, machines=[other.public_id], supplier=world.supplier,
        profile="observe", only_decoded=True,
    )  # fmt: skip
    return world.machine, other


def asked(world: World, *machines: Machine) -> list[AccessRequest]:
    return bundles.make_requests(
        actor=world.technician, machines=[row.public_id for row in machines], reason="belt change", minutes=60
    )


def seen(rows: list[AccessRequest]) -> dict[str, str]:
    return {row.public_id: row.rule.profile.public_id if row.rule.profile else "" for row in rows}


def test_several_machines_are_asked_for_at_once_or_not_at_all(world: World) -> None:
    first, second = two_machines(world)
    with pytest.raises((NotFound, Denied)):
        asked(world, first, world.rivals_machine)
    with pytest.raises(BadField):
        asked(world, *[])
    assert not AccessRequest.objects.exists()
    rows = asked(world, first, second, first)
    assert len(rows) == 2
    assert len({row.bundle for row in rows}) == 1
    assert {row.public_id for row in queries.bundled(world.owner, rows[0])} == {row.public_id for row in rows}
    assert queries.bundled(world.rival, rows[0]) == queries.bundled(world.stranger, rows[0]) == []
    [alone] = bundles.make_requests(actor=world.rival, machines=[world.rivals_machine.public_id], reason="x", minutes=5)
    assert alone.bundle == ""


def test_all_are_approved_together_or_none_and_each_may_be_decided_alone(world: World) -> None:
    rows = asked(world, *two_machines(world))
    bundle = rows[0].bundle
    for who in (world.technician, world.operator):
        with pytest.raises(Denied):
            bundles.agree_to_all(actor=who, bundle=bundle, seen=seen(rows))
    with pytest.raises(NotFound):
        bundles.agree_to_all(actor=world.stranger, bundle=bundle, seen=seen(rows))
    with pytest.raises(ProfileChanged):
        bundles.agree_to_all(actor=world.owner, bundle=bundle, seen=dict.fromkeys(seen(rows), ""))
    lock = locks.lock(actor=world.owner, organisation=world.organisation, kind=Locked.MACHINE,
                      thing=world.machine.public_id, reason="smoke")  # fmt: skip
    with pytest.raises(LockedNow):
        bundles.agree_to_all(actor=world.owner, bundle=bundle, seen=seen(rows))
    assert not Approval.objects.exists()
    locks.lift(actor=world.owner, lock=lock.public_id, reason="x")
    access.refuse(actor=world.owner, request=rows[0].public_id, reason="not this one")
    bundles.agree_to_all(actor=world.owner, bundle=bundle, seen=seen(rows), minutes=30)
    assert [row.machine.pk for row in Grant.objects.all()] == [rows[1].machine.pk]
    assert not bundles.refuse_all(actor=world.owner, bundle=bundle, reason="x")


@pytest.mark.sqlite
def test_the_form_offers_other_machines_and_the_page_one_button_for_all(world: World) -> None:
    first, second = two_machines(world)
    technician, owner = signed_in(world.technician), signed_in(world.owner)
    page = shown(technician, f"/machines/{first.public_id}/ask/")
    assert second.name in page
    assert world.rivals_machine.name not in page
    answer = technician.post(f"/machines/{first.public_id}/ask/", {
        "reason": "belt change", "minutes": "60", "also": [second.public_id],
    })  # fmt: skip
    assert answer.status_code == 302
    rows = list(AccessRequest.objects.order_by("pk"))
    page = shown(owner, f"/requests/{rows[0].public_id}/")
    assert "Approve all that wait, as asked" in page
    assert "Approve all that wait" not in shown(technician, f"/requests/{rows[0].public_id}/")
    pairs = [f"{public_id}/{profile}" for public_id, profile in seen(rows).items()]
    assert all(f'value="{pair}"' in page for pair in pairs)
    assert signed_in(world.stranger).post(f"/requests/{rows[0].public_id}/approve-all/").status_code == 404
    assert owner.post(f"/requests/{rows[0].public_id}/approve-all/", {"seen": pairs}).status_code == 302
    assert Grant.objects.count() == 2


def test_a_yes_to_less_holds_beside_the_rules_profile_in_the_order(decoded: World) -> None:
    under(decoded, "engineer")
    request = decoded.request()
    assert queries.narrower_profiles(decoded.technician, AccessRequest.objects.get()) == []
    assert "trial" not in queries.narrower_profiles(decoded.owner, AccessRequest.objects.get())
    with pytest.raises(BadField):
        access.agree(actor=decoded.owner, request=request, narrower="trial")
    with pytest.raises(NotFound):
        access.agree(actor=decoded.owner, request=request, narrower="everything")
    access.agree(actor=decoded.owner, request=request, narrower="observe")
    session = accepted(decoded, started(decoded))
    assert names(order_of(decoded, session)) == ["engineer", "observe"]
    access.change_rule(actor=decoded.owner, rule=decoded.rule, profile="firmware", only_decoded=True)
    assert Grant.objects.get().narrower is not None
    assert "observe" in shown(signed_in(decoded.owner), f"/requests/{request}/")
    with pytest.raises(IntegrityError), transaction.atomic():
        Approval.objects.update(approved=False)


def test_without_a_rule_s_profile_a_narrower_one_leaves_out_what_nobody_decodes(decoded: World) -> None:
    receive(decoded.gateway.id, [decoded.gateway.ask(inspects=["modbus"])])
    access.agree(actor=decoded.owner, request=decoded.request(), narrower="observe")
    order = order_of(decoded, accepted(decoded, started(decoded)))
    assert names(order) == ["observe"]
    assert [asset.port for asset in order.assets] == [502]
    decoded.machine.devices.get().services.filter(port=502).delete()
    request = decoded.request(31)
    with pytest.raises(NothingDecoded):
        access.agree(actor=decoded.owner, request=request, narrower="observe")


def test_two_approvers_narrow_to_the_same_or_one_of_them_to_nothing(decoded: World) -> None:
    access.change_rule(actor=decoded.owner, rule=decoded.rule, conditions=Conditions(approvals=2))
    request = decoded.request()
    assert access.agree(actor=decoded.owner, request=request, narrower="observe") is None
    with pytest.raises(NarrowedOtherwise):
        access.agree(actor=decoded.approver, request=request, narrower="engineer")
    grant = access.agree(actor=decoded.approver, request=request)
    assert grant is not None
    assert grant.narrower is not None
    assert grant.narrower.name == "observe"
