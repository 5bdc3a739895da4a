# SPDX-License-Identifier: Apache-2.0
"""What a gateway may open without us: switched on by the owner, told with locks and machines, reviewed afterwards."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from portineria.bus.message import Deliver
from portineria.control.access.emergency import sign_review
from portineria.control.access.emergency_queries import reviews
from portineria.control.access.locks import lift, lock
from portineria.control.access.services import OwnRequest
from portineria.control.estate.emergency import NoEmergencies, set_emergency
from portineria.control.estate.models import Gateway
from portineria.control.remote_sessions.emergency_terms import Spread
from portineria.control.remote_sessions.reports import receive
from portineria.core.errors import Denied, NotFound
from portineria.core.ids import Kind, new_id
from portineria.policy.ending import Locked
from portineria.wire.statement import EmergencyTerms, mark_of
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.world import World


def asks(w: World, emergency: bytes | None) -> list[EmergencyTerms]:
    """What a question that names these terms is answered with."""
    letters = receive(w.gateway.id, [w.gateway.ask(emergency=emergency)]).letters
    return [letter for letter in letters if isinstance(letter, EmergencyTerms)]


def test_a_gateway_hears_what_it_may_open_from_when_an_owner_wants_it_and_of_every_lock(linked: World) -> None:
    w = linked
    assert asks(w, None) == []
    with pytest.raises(NoEmergencies):
        set_emergency(actor=w.owner, gateway=w.gateway.id, allowed=True)
    assert asks(w, b"") == []  # off by default, and nothing to say
    for who, refused in ((w.approver, Denied), (w.technician, NotFound), (w.stranger, NotFound)):
        with pytest.raises(refused):
            set_emergency(actor=who, gateway=w.gateway.id, allowed=True)
    owner = signed_in(w.owner)
    page = f"/gateways/{w.gateway.id}/"
    assert "Switch on" in shown(owner, f"{page}emergency/")
    assert owner.post(f"{page}emergency/", {"allowed": "yes"}).headers["Location"] == page
    assert "may be opened at its console" in shown(owner, page)

    [terms] = asks(w, b"")
    assert (terms.allowed, terms.minutes, [one.name for one in terms.machines]) == (True, 60, ["Press 3", "Press 4"])
    [service] = terms.machines[0].services
    assert (service.name, service.address, service.port) == ("modbus", "192.168.10.5", 502)
    assert terms.recording_recipients
    assert asks(w, mark_of(terms)) == []

    locked = lock(actor=w.owner, organisation=w.organisation, kind=Locked.PLANT, thing=w.plant, reason="smoke")
    said = [letter for message in Spread().due() for letter in read(w, message)]
    [after] = [letter for letter in said if isinstance(letter, EmergencyTerms)]
    assert [one.locked for one in after.machines] == [True, True]
    assert after.number > terms.number
    assert asks(w, mark_of(after)) == []
    assert Spread().due() == []  # it keeps what holds
    lift(actor=w.owner, lock=locked.public_id, reason="out")
    ahead = after.number + 86_400_000  # of a server whose clock was set back by a day since
    Gateway.objects.filter(public_id=w.gateway.id).update(emergency_number=ahead)
    set_emergency(actor=w.owner, gateway=w.gateway.id, allowed=False)
    [none] = asks(w, mark_of(after))
    assert (none.allowed, none.machines, none.number) == (False, [], ahead + 1)
    assert Gateway.objects.get(public_id=w.gateway.id).emergency_number == ahead + 1


def read(w: World, message: Any) -> list[Any]:
    assert isinstance(message, Deliver)
    return w.gateway.read(message.sealed)


def test_what_was_opened_without_us_waits_here_for_somebody_who_typed_no_pin(linked: World) -> None:
    w = linked
    opening = new_id(Kind.SESSION)
    said: dict[str, Any] = {
        "machine": w.machine.public_id, "service": "srv", "address": "192.168.10.5", "port": 502, "seconds": 600,
        "linked": False, "holder": "Nobody@example.com", "second": w.approver.email.upper(),
        "client": "192.168.10.77/32", "reason": "press <b> runs away",
    }  # fmt: skip
    receive(w.gateway.id, [w.gateway.say("emergency.opened", opening, **said)])
    receive(w.gateway.id, [w.gateway.say("emergency.ended", opening, how="expired", to_device=3, from_device=4)])
    [row] = reviews(w.owner).unsigned()
    assert (row.person, row.second, row.machine, row.opening) == (w.approver, None, w.machine, opening)
    assert row.opened_at <= timezone.now()
    page = shown(signed_in(w.owner), "/")
    assert "press &lt;b&gt; runs away" in page
    assert "opened without the server, at gateway" in page
    with pytest.raises(OwnRequest):
        sign_review(actor=w.approver, review=row.public_id, note="fine")
    sign_review(actor=w.owner, review=row.public_id, note="fine")
    # Said once more under another number, for a machine of somebody else: no second row, nothing undone.
    receive(w.gateway.id, [w.gateway.say("emergency.opened", opening, **said | {"machine": "mac_other"})])
    assert not reviews(w.owner).unsigned().exists()
    receive(w.gateway.id, [w.gateway.say("emergency.opened", new_id(Kind.SESSION), machine="mac_other")])
    [bare] = reviews(w.owner).unsigned()
    assert (bare.machine, bare.person, bare.reason) == (None, None, "—")
    assert shown(signed_in(w.owner), f"/emergencies/{bare.public_id}/sign/")
    assert Gateway.objects.get(public_id=w.gateway.id).admitted
