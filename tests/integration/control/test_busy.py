# SPDX-License-Identifier: Apache-2.0
"""A database that is locked or full: nothing hangs, nothing is half done, the message says what to do."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator

import pytest
from django.db import connection, connections
from django.test import Client

from portineria.control.access.models import AccessRequest
from portineria.control.audit.services import verify_chain
from tests.integration.control.world import ConnectorEnd, World


@pytest.fixture
def impatient(committed_world: World) -> Iterator[World]:
    """Waits a third of a second for the lock instead of ten."""
    options = connections.settings["default"]["OPTIONS"]
    before, options["timeout"] = options["timeout"], 0.3
    connections.close_all()
    yield committed_world
    options["timeout"] = before
    connections.close_all()


@pytest.fixture
def locked(impatient: World) -> Iterator[World]:
    holder = sqlite3.connect(str(connection.settings_dict["NAME"]), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    yield impatient
    holder.execute("ROLLBACK")
    holder.close()


@pytest.fixture
def connector(impatient: World) -> ConnectorEnd:
    return ConnectorEnd(impatient.technician)


def test_a_locked_database_is_a_clear_503_and_the_retry_works(connector: ConnectorEnd, impatient: World) -> None:
    asked = {"machine": "Press 3", "reason": "x", "minutes": 10}
    holder = sqlite3.connect(str(connection.settings_dict["NAME"]), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    answer = connector.call("POST", "/requests", asked)
    assert time.monotonic() - began < 15
    assert (answer.status_code, answer.json()["code"]) == (503, "database.busy")
    assert answer.headers["Retry-After"]
    assert connector.call("GET", "/machines").status_code == 200  # readers are not held up
    holder.execute("ROLLBACK")
    holder.close()
    assert not AccessRequest.objects.exists()
    assert connector.call("POST", "/requests", asked).status_code == 200
    assert verify_chain(impatient.organisation) > 0


def test_a_denial_that_cannot_be_recorded_is_still_a_denial(connector: ConnectorEnd, locked: World) -> None:
    machine = {"machine": locked.rivals_machine.public_id, "reason": "x", "minutes": 10}
    assert connector.call("POST", "/requests", machine).status_code in (404, 503)
    assert connector.call("GET", f"/machines/{locked.rivals_machine.public_id}").status_code == 404


def test_a_page_says_that_the_server_is_busy(locked: World) -> None:
    answer = Client(HTTP_HOST="localhost").post("/accounts/login/", {"login": "x@example.com", "password": "x"})
    assert answer.status_code == 503
    assert b"<h1" in answer.content
