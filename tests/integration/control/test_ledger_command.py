# SPDX-License-Identifier: Apache-2.0
"""`portineria ledger verify`, as whoever has a shell on the server runs it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from portineria.control import administration
from portineria.control.audit.models import Event, Head, PersonalValue
from tests.integration.control.commands import run
from tests.integration.control.world import World


@pytest.mark.sqlite  # commands with a database of their own
def test_the_operator_verifies_the_register_and_learns_which_event_was_changed(tmp_path: Path) -> None:
    owner = ("--organisation", "Presses", "--name", "Ada", "--email", "ada@example.com")
    made = run(tmp_path, "setup", *owner)
    assert made.returncode == 0, made.stderr
    good = run(tmp_path, "ledger", "verify")
    assert (good.returncode, good.stderr) == (0, "")
    assert "Presses: 4 events fit." in good.stdout
    [database] = tmp_path.glob("*.sqlite3")
    with sqlite3.connect(database) as tables:
        tables.execute("UPDATE audit_event SET at = '2020-01-01 00:00:00' WHERE code = 'identity.person.created'")
    bad = run(tmp_path, "ledger", "verify")
    assert bad.returncode == 1
    assert "/2: not what was hashed: at" in bad.stderr
    assert "events fit" in bad.stdout  # the installation's own


@pytest.mark.django_db
def test_a_register_that_was_emptied_is_noticed(world: World) -> None:
    assert [found.fault for found in administration.verify_ledger() if found.fault] == []
    PersonalValue.objects.filter(event__organisation=world.organisation).delete()
    Event.objects.filter(organisation=world.organisation).delete()
    Head.objects.filter(organisation=world.organisation).delete()
    [found] = [found for found in administration.verify_ledger() if found.fault]
    assert (found.name, "missing" in found.fault) == ("Owner's plant", True)
