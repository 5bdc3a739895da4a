# SPDX-License-Identifier: Apache-2.0
"""Company devices: a computer that the owner knows by its key, proved where a session begins."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import IntegrityError, transaction
from django.utils import timezone

from portineria.control.access import services as access
from portineria.control.access.company_device import CompanyDevice
from portineria.control.access.company_devices import DeviceKnown, add_company_device, revoke_company_device
from portineria.control.access.models import Rule
from portineria.control.access.rules import Conditions
from portineria.control.audit.queries import events, views
from portineria.control.identity.connector import base64url
from portineria.control.identity.services import BadField
from portineria.control.remote_sessions import services
from portineria.control.remote_sessions.models import Session
from portineria.core.errors import Denied, NotFound
from portineria.dataplane.connector.company_device import proof, public_text
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.calling import Browser
from tests.integration.control.declared import applied, proposal
from tests.integration.control.sessions import accepted, again
from tests.integration.control.test_sight import session_key
from tests.integration.control.world import ConnectorEnd, World


def enrolled(world: World, key: Ed25519PrivateKey, **of: Any) -> CompanyDevice:
    given: dict[str, Any] = {"person": world.technician.public_id, "name": "Laptop 7", "days": 30} | of
    raw = key.public_key().public_bytes_raw()
    return add_company_device(actor=world.owner, organisation=world.organisation, key=raw, **given)


def begun(end: ConnectorEnd, world: World, **proved: str) -> Any:
    wanted = {"machine": world.machine.public_id, "key": base64url(session_key())}
    return end.call("POST", "/sessions", wanted | proved)


def from_device(end: ConnectorEnd, world: World, device: Ed25519PrivateKey) -> Any:
    """As a connector asks that has a device key."""
    key = base64url(session_key())
    return end.call("POST", "/sessions", {"machine": world.machine.public_id, "key": key, **proof(device, key)})


def test_a_session_begins_from_a_device_that_proves_its_key_and_is_cut_when_that_is_revoked(linked: World) -> None:
    linked.grant()
    access.change_rule(actor=linked.owner, rule=linked.rule, conditions=Conditions(needs_device=True))
    end, device, other = ConnectorEnd(linked.technician), Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    row = enrolled(linked, device)
    enrolled(linked, other, person=linked.rival.public_id)  # somebody else's
    key, another = base64url(session_key()), base64url(session_key())
    of_another_session = proof(device, another)
    signed_by_another = {"device_key": public_text(device), "device_signature": proof(other, key)["device_signature"]}
    bare = base64url(device.sign(hashlib.sha256(b"").digest()))
    unknown, bare_one = Ed25519PrivateKey.generate(), {"device_key": public_text(device), "device_signature": bare}
    tried = [{}, of_another_session, signed_by_another, proof(other, key), proof(unknown, key), bare_one]
    for proved in tried:
        wanted = {"machine": linked.machine.public_id, "key": key}
        refused = end.call("POST", "/sessions", wanted | proved)
        assert (refused.status_code, refused.json()["code"]) == (403, "access.company-device")
    assert end.call("POST", "/sessions", wanted | {"device_key": "AAAA"}).status_code == 422
    assert from_device(end, linked, device).status_code == 200
    session = accepted(linked, Session.objects.get())
    assert session.company_device == row
    assert services.enforce(timezone.now()) == 0
    for who, error in ((linked.approver, Denied), (linked.technician, NotFound), (linked.stranger, NotFound)):
        with pytest.raises(error):
            revoke_company_device(actor=who, device=row.public_id, reason="x")
    revoke_company_device(actor=linked.owner, device=row.public_id, reason="stolen")
    assert services.enforce(timezone.now()) == 1
    assert (again(session).state, again(session).end_why) == ("cutting", "device-revoked")
    access.change_rule(actor=linked.owner, rule=linked.rule, conditions=Conditions())
    assert from_device(end, linked, device).json()["code"] == "access.device-revoked"  # whatever the rule asks
    assert begun(end, linked).status_code == 200
    with pytest.raises(DeviceKnown):  # and it does not come back
        enrolled(linked, device)
    told = [(event.code, event.fields.get("company_device")) for event in views(events(linked.owner)[:40])]
    assert ("access.device.added", row.public_id) in told
    assert ("access.device.revoked", row.public_id) in told


def test_administrators_enrol_and_revoke_in_the_console(world: World) -> None:
    page, key = signed_in(world.owner), public_text(Ed25519PrivateKey.generate())
    form = {"person": "technician@example.com", "name": "Laptop <b>7", "key": key, "days": "30"}
    for wrong in ({"key": "x"}, {"key": key[:-4]}, {"person": "stranger@example.com"}, {"days": "1096"}):
        assert page.post("/devices/add/", form | wrong).status_code == 200
    assert not CompanyDevice.objects.exists()
    assert page.post("/devices/add/", form)["Location"] == "/devices/"
    assert page.post("/devices/add/", form).status_code == 200  # known already
    row = CompanyDevice.objects.get()
    assert "Laptop &lt;b&gt;7" in shown(page, "/devices/")
    assert page.post(f"/devices/{row.public_id}/revoke/", {"reason": "lost"}).status_code == 302
    assert "revoked" in shown(page, "/devices/")
    assert signed_in(world.approver).get("/devices/add/").status_code == 403
    assert signed_in(world.technician).get("/devices/").status_code == 404
    change = f"/rules/{world.rule}/change/"
    terms = {"machines": "Press 3", "max_minutes": "480", "approvals": "1", "needs_device": "on"}
    assert page.post(change, terms).status_code == 302
    assert "Work is done from company devices only." in shown(page, f"/rules/{world.rule}/")


def test_rest_and_declared_files_carry_them(world: World) -> None:
    end, key = Browser(world.owner), public_text(Ed25519PrivateKey.generate())
    new = {
        "organisation": world.organisation, "person": world.technician.public_id, "name": "x", "public_key": key,
    }  # fmt: skip
    assert end.post("/company-devices", new | {"public_key": "AAAA"}).status_code == 422
    made = end.post("/company-devices", new).json()
    assert (made["public_key"], made["standing"]) == (key, "known")
    assert (
        end.post(f"/company-devices/{made['company_device']}/revoke", {"reason": "x"}).json()["standing"] == "revoked"
    )
    terms = {"machines": [world.machine.public_id], "needs_device": True}
    assert end.post(f"/rules/{world.rule}/change", terms).json()["needs_device"] is True
    rule = '[[rule]]\nsupplier = "Presses & Co"\nmachines = ["Press 3"]\n'
    assert proposal(rule).empty
    [said] = proposal(rule + "needs_device = false\n").changed
    assert said.endswith("from any computer")
    applied(rule + "needs_device = false\n")
    assert not Rule.objects.get(public_id=world.rule).needs_device


def test_who_enrols_and_what(world: World) -> None:
    key = Ed25519PrivateKey.generate()
    given: dict[str, Any] = {
        "organisation": world.organisation, "person": world.technician.public_id, "name": "x", "days": 1,
        "key": key.public_key().public_bytes_raw(),
    }  # fmt: skip
    for who, error in ((world.approver, Denied), (world.technician, NotFound), (world.stranger, NotFound)):
        with pytest.raises(error):
            add_company_device(actor=who, **given)
    for wrong in ({"key": b"x"}, {"days": 0}, {"days": 1096}, {"name": " "}):
        with pytest.raises(BadField):
            add_company_device(actor=world.owner, **given | wrong)
    with pytest.raises(NotFound):
        add_company_device(actor=world.owner, **given | {"person": world.stranger.public_id})
    add_company_device(actor=world.owner, **given)
    with pytest.raises(IntegrityError), transaction.atomic():
        CompanyDevice.objects.update(expires_at=timezone.now() - timedelta(days=2))
