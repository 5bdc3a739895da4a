# SPDX-License-Identifier: Apache-2.0
"""How long ago somebody proved a second factor: asked where a session begins, of the connector that begins it."""

from __future__ import annotations

import secrets
import time
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from portineria.control.access import services as access
from portineria.control.access.models import Rule
from portineria.control.access.rules import Conditions
from portineria.control.identity.connector import base64url
from portineria.control.identity.models import ConnectorToken
from portineria.control.identity.services import BadField
from portineria.control.remote_sessions import services
from portineria.control.remote_sessions.models import Session
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.calling import Browser
from tests.integration.control.declared import applied, proposal
from tests.integration.control.sessions import accepted, again
from tests.integration.control.test_connector_sign_in import asked, browser
from tests.integration.control.test_sight import session_key
from tests.integration.control.world import PASSWORD, TOTP_SECRET, ConnectorEnd, World

METHODS = "account_authentication_methods"  # the sign-in library's


def within(world: World, minutes: int) -> None:
    access.change_rule(actor=world.owner, rule=world.rule, conditions=Conditions(factor_minutes=minutes))


def begun(end: ConnectorEnd, world: World) -> Any:
    return end.call("POST", "/sessions", {"machine": world.machine.public_id, "key": base64url(session_key())})


def proven(minutes_ago: float | None) -> None:
    at = None if minutes_ago is None else timezone.now() - timedelta(minutes=minutes_ago)
    ConnectorToken.objects.update(factor_at=at)


def test_a_session_begins_with_a_second_factor_that_is_young_enough_and_goes_on_with_it(linked: World) -> None:
    linked.grant()
    within(linked, 15)
    end = ConnectorEnd(linked.technician)
    for minutes_ago in (None, 15.1):
        proven(minutes_ago)
        refused = begun(end, linked)
        assert (refused.status_code, refused.json()["code"]) == (403, "access.second-factor-old")
        assert "portineria login --fresh" in refused.json()["detail"]
    assert not Session.objects.exists()
    proven(14.9)
    assert begun(end, linked).status_code == 200
    session = accepted(linked, Session.objects.get())
    proven(600)
    assert services.enforce(timezone.now()) == 0
    assert again(session).state == "live"
    services.renew_tickets(actor=linked.technician, session=session.public_id)
    assert begun(end, linked).status_code == 403
    assert "portineria login --fresh" in shown(signed_in(linked.technician), f"/machines/{linked.machine.public_id}/")
    # Another rule that wants nothing of the kind, though its permission is over earlier: that one opens.
    other = access.create_rule(
        actor=linked.owner, organisation=linked.organisation, machines=[linked.machine.public_id],
        supplier=linked.supplier, max_minutes=30, needs_approval=False,
    )  # fmt: skip
    access.make_request(actor=linked.technician, machine=linked.machine.public_id, reason="x", minutes=30)
    assert begun(end, linked).status_code == 200
    assert Session.objects.order_by("-pk")[0].grant.rule == other


def aged(client: Client) -> None:
    """As if all that was proved in this browser had been ten minutes ago."""
    session = client.session
    session[METHODS] = [entry | {"at": entry["at"] - 600} for entry in session[METHODS]]
    session.save()


def next_code() -> str:
    """The one that was used to sign in counts once."""
    return str(format_hotp_value(hotp_value(TOTP_SECRET, int(time.time()) // 30 + 1)))


def test_a_connector_s_sign_in_can_ask_for_the_second_factor_anew(world: World) -> None:
    client, end, verifier = browser(world.technician), ConnectorEnd(world.technician), secrets.token_urlsafe(32)
    end.key = Ed25519PrivateKey.generate()
    fields = asked(end.key, verifier) | {"fresh": "1"}
    assert client.get("/connect/authorize", fields).status_code == 200  # proved a moment ago
    aged(client)
    assert client.get("/connect/authorize", asked(end.key, verifier)).status_code == 200  # nobody wants it anew
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})  # is no second factor
    sent = client.get("/connect/authorize", fields)
    assert sent["Location"].startswith("/accounts/2fa/reauthenticate/?next=%2Fconnect%2Fauthorize%3F")
    there = parse_qs(urlsplit(sent["Location"]).query)["next"][0]
    assert client.post("/accounts/2fa/reauthenticate/", {"code": "000000", "next": there}).status_code == 200
    assert client.get("/connect/authorize", fields).status_code == 302
    back = client.post("/accounts/2fa/reauthenticate/", {"code": next_code(), "next": there})
    assert back["Location"] == there
    assert client.get(there).status_code == 200
    given = client.post("/connect/authorize", asked(end.key, verifier))
    code = parse_qs(urlsplit(given["Location"]).query)["code"][0]
    assert end.redeem(code, verifier).status_code == 200
    row = ConnectorToken.objects.order_by("-pk")[0]
    assert row.factor_at is not None
    assert timezone.now() - row.factor_at < timedelta(minutes=2)


def test_forms_files_and_rest_carry_it(world: World) -> None:
    page, change = signed_in(world.owner), f"/rules/{world.rule}/change/"
    terms = {"machines": "Press 3", "max_minutes": "480", "approvals": "1", "factor_minutes": "15"}
    assert page.post(change, terms).status_code == 302
    assert "at most 15 minutes before" in shown(page, f"/rules/{world.rule}/")
    assert '<option value="15" selected>' in shown(page, change)
    end, terms_ = Browser(world.owner), {"machines": [world.machine.public_id]}
    assert end.post(f"/rules/{world.rule}/change", terms_ | {"factor_minutes": 4}).status_code == 422
    assert end.post(f"/rules/{world.rule}/change", terms_ | {"factor_minutes": 60}).json()["factor_minutes"] == 60
    assert end.post(f"/rules/{world.rule}/change", terms_).json()["factor_minutes"] is None
    rule = '[[rule]]\nsupplier = "Presses & Co"\nmachines = ["Press 3"]\n'
    [said] = proposal(rule + "factor_minutes = 30\n").changed
    assert said.endswith("second factor at most 30 minutes old")
    applied(rule + "factor_minutes = 30\n")
    assert proposal(rule).empty
    assert Rule.objects.get(public_id=world.rule).factor_minutes == 30
    with pytest.raises(BadField):
        within(world, 721)
    with pytest.raises(IntegrityError), transaction.atomic():
        Rule.objects.filter(public_id=world.rule).update(factor_minutes=4)
