# SPDX-License-Identifier: Apache-2.0
"""A database that is locked or full: nothing hangs, nothing is half done, the message says what to do."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial

import pytest
from django.test import Client as Browser

from portineria.control.access.models import AccessRequest
from portineria.control.audit.verification import verify_chain
from portineria.control.identity.authority import Operator
from portineria.control.identity.first_run import set_totp
from tests.integration.control.engine import full_disk, impatience, writers_held_up
from tests.integration.control.world import ConnectorEnd, World

Client = partial(Browser, HTTP_HOST="localhost")


@pytest.fixture
def impatient(committed_world: World) -> Iterator[World]:
    """Waits a third of a second for the lock instead of ten."""
    with impatience():
        yield committed_world


@pytest.fixture
def locked(impatient: World) -> Iterator[World]:
    with writers_held_up():
        yield impatient


@pytest.fixture
def connector(impatient: World) -> ConnectorEnd:
    return ConnectorEnd(impatient.technician)


def test_a_locked_database_is_a_clear_503_and_the_retry_works(connector: ConnectorEnd, impatient: World) -> None:
    asked = {"machine": "Press 3", "reason": "x", "minutes": 10}
    with writers_held_up():
        began = time.monotonic()
        answer = connector.call("POST", "/requests", asked)
        assert time.monotonic() - began < 15
        assert (answer.status_code, answer.json()["code"]) == (503, "database.busy")
        assert answer.headers["Retry-After"]
        assert connector.call("GET", "/machines").status_code == 200  # readers are not held up
    assert not AccessRequest.objects.exists()
    assert connector.call("POST", "/requests", asked).status_code == 200
    assert verify_chain(impatient.organisation) > 0


def test_a_denial_that_cannot_be_recorded_is_still_a_denial(connector: ConnectorEnd, locked: World) -> None:
    machine = {"machine": locked.rivals_machine.public_id, "reason": "x", "minutes": 10}
    assert connector.call("POST", "/requests", machine).status_code in (404, 503)
    assert connector.call("GET", f"/machines/{locked.rivals_machine.public_id}").status_code == 404


def test_a_page_says_that_the_server_is_busy(locked: World) -> None:
    answer = Client().post("/accounts/login/", {"login": "x@example.com", "password": "x"})
    assert answer.status_code == 503
    assert b"<h1" in answer.content


def at_the_console(world: World) -> Browser:
    """The owner, signed in with a second factor."""
    set_totp(actor=Operator(), person=world.owner.public_id, secret="JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")
    client = Client()
    client.force_login(world.owner, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


def test_everything_can_be_looked_at_while_the_database_is_locked(impatient: World) -> None:
    """But the register: looking at it is an event, and what cannot be recorded is not shown."""
    request, owner = impatient.request(), at_the_console(impatient)
    with writers_held_up():
        for path in ("/", "/machines/", "/approvals/", f"/requests/{request}/"):
            assert owner.get(path).status_code == 200, path
        assert owner.get("/events/").status_code == 503


def test_an_approval_into_a_locked_database_keeps_what_was_typed(impatient: World) -> None:
    request, owner = impatient.request(), at_the_console(impatient)
    with writers_held_up():
        page = owner.post(f"/requests/{request}/approve/", {"reason": "Only with the shift lead"}).content.decode()
    assert "The server is busy. Nothing was changed" in page
    assert "Only with the shift lead" in page
    assert AccessRequest.objects.get().state == "pending"
    owner.post(f"/requests/{request}/approve/", {"reason": "Only with the shift lead"})
    assert AccessRequest.objects.get().state == "approved"


def test_a_full_disk_is_told_from_a_busy_server_and_loses_nothing(impatient: World) -> None:
    requests, owner = [impatient.request(in_days=days) for days in range(10)], at_the_console(impatient)
    with full_disk():
        for request in requests:
            page = owner.post(f"/requests/{request}/approve/", {"reason": "x" * 500})
            if page.status_code != 302:
                break
        assert "disk is full. Nothing was changed" in page.content.decode()
        assert AccessRequest.objects.get(public_id=request).state == "pending"
        assert owner.get(f"/requests/{request}/").status_code == 200
    assert owner.post(f"/requests/{request}/approve/", {"reason": "There is room again"}).status_code == 302
    assert AccessRequest.objects.get(public_id=request).state == "approved"
    assert verify_chain(impatient.organisation) > 0
