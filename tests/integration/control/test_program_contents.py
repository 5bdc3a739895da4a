# SPDX-License-Identifier: Apache-2.0
"""Contents of programs are kept in recordings only while owner and supplier both agree."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from portineria.control.access import services as access
from portineria.control.audit.queries import events, views
from portineria.control.estate.models import Service
from portineria.control.estate.services import change_machine
from portineria.control.identity.models import Role, Supplier
from portineria.control.privacy.contents import agree
from portineria.control.privacy.models import ContentsAgreement
from portineria.control.remote_sessions.models import Session
from portineria.control.remote_sessions.reports import receive
from portineria.control.remote_sessions.scope import CannotKeep
from portineria.control.remote_sessions.services import enforce
from portineria.core.errors import Denied, NotFound
from portineria.wire.feature import FREE_READS, PROGRAM_CONTENTS
from portineria.wire.statement import Order
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.sessions import accepted, said_to, started
from tests.integration.control.world import World, person


def order_of(world: World, session: Session) -> Order:
    [order] = said_to(world, session)
    assert isinstance(order, Order)
    return order


def ordered(world: World) -> str:
    return order_of(world, started(world)).program_contents


def test_contents_are_kept_while_both_sides_agree_and_no_longer(linked: World) -> None:
    receive(linked.gateway.id, [linked.gateway.ask()])
    owner, technician = signed_in(linked.owner), signed_in(linked.technician)
    assert "hash and size" in shown(technician, "/program-contents/")
    assert ordered(linked) == "hash"
    owner.post(f"/program-contents/{linked.supplier}/", {"answer": "yes"})
    assert ordered(linked) == "hash"
    technician.post(f"/program-contents/{linked.supplier}/", {"answer": "yes"})
    technician.post(f"/program-contents/{linked.supplier}/", {"answer": "yes"})
    assert ordered(linked) == "kept"
    assert shown(owner, "/program-contents/").count("not agreed") == 2  # of the rival
    technician.post(f"/program-contents/{linked.supplier}/", {"answer": "no"})
    assert ordered(linked) == "hash"
    told = [
        (view.code, view.actor, view.fields["side"])
        for view in reversed(views(events(linked.owner)))
        if view.code.startswith("privacy.contents.")
    ]
    assert told == [
        ("privacy.contents.agreed", linked.owner.public_id, "owner"),
        ("privacy.contents.agreed", linked.technician.public_id, "supplier"),
        ("privacy.contents.withdrawn", linked.technician.public_id, "supplier"),
    ]
    assert ContentsAgreement.objects.count() == 2  # what was withdrawn stays a row


@pytest.mark.sqlite
def test_a_gateway_from_before_never_refuses_an_order_nor_records_less_than_was_agreed(linked: World) -> None:
    """What only helps is left out of its orders; where less would be kept than was agreed, no session begins."""
    service = linked.machine.devices.get().services.get(port=502)
    Service.objects.filter(pk=service.pk).update(protocol="Modbus/TCP", free_reads="holding 100-119")
    access.change_rule(actor=linked.owner, rule=linked.rule, profile="observe", only_decoded=True)

    def asks(*understands: str) -> None:
        receive(linked.gateway.id, [linked.gateway.ask(inspects=["modbus"], understands=understands)])

    asks()
    session = accepted(linked, started(linked))
    assert [asset.free_reads for asset in order_of(linked, session).assets] == [[]]
    asks(FREE_READS)  # it was updated: what it can do now it is told
    assert enforce(timezone.now()) == 1
    assert [asset.free_reads for asset in order_of(linked, session).assets] == [[("holding", 100, 119)]]

    agree(actor=linked.owner, supplier=linked.supplier, keeps=True)
    agree(actor=linked.technician, supplier=linked.supplier, keeps=True)
    assert ordered(linked) == "hash"  # nothing is recorded: nothing less
    change_machine(actor=linked.owner, machine=linked.machine.public_id, recording="full")
    with pytest.raises(CannotKeep):
        started(linked)
    asks(FREE_READS, PROGRAM_CONTENTS)
    assert ordered(linked) == "kept"


@pytest.mark.sqlite
def test_nobody_speaks_for_the_other_side_or_for_another_supplier(linked: World) -> None:
    operator = person("guard", linked.organisation, Role.OPERATOR)
    with pytest.raises(Denied):
        agree(actor=operator, supplier=linked.supplier, keeps=True)
    for stranger in (linked.rival, linked.stranger):
        with pytest.raises(NotFound):
            agree(actor=stranger, supplier=linked.supplier, keeps=True)
        assert signed_in(stranger).post(f"/program-contents/{linked.supplier}/", {"answer": "?"}).status_code == 404
    assert "Presses &amp; Co" not in shown(signed_in(linked.rival), "/program-contents/")
    agree(actor=linked.owner, supplier=linked.supplier, keeps=True)
    row = Supplier.objects.get(public_id=linked.supplier)
    for faulty in ({"side": "owner"}, {"side": "third"}, {"side": "supplier", "withdrawn_by": linked.rival}):
        with pytest.raises(IntegrityError), transaction.atomic():
            ContentsAgreement.objects.create(supplier=row, agreed_by=linked.rival, **faulty)


def test_of_thousands_of_suppliers_the_list_shows_a_part_and_an_answer_comes_back_to_it(world: World) -> None:
    owner, one = signed_in(world.owner), Supplier.objects.get(public_id=world.supplier)
    Supplier.objects.bulk_create(Supplier(organisation=one.organisation, name=f"A{number:02}") for number in range(30))
    first, second = shown(owner, "/program-contents/"), shown(owner, "/program-contents/?page=2")
    address = f"/program-contents/{one.public_id}/"
    assert (first.count("<section"), address in first, address in second) == (25, False, True)
    answer = owner.post(address, {"answer": "yes", "page": "2"})
    assert answer.headers["Location"] == "/program-contents/?page=2"
    hostile = owner.post(address, {"answer": "no", "page": "2&x=//evil.example"})
    assert hostile.headers["Location"] == "/program-contents/?page=2%26x%3D%2F%2Fevil.example"
