# SPDX-License-Identifier: Apache-2.0
"""From the first version's tables to those of now, with rows in them; and what stands in the way is said."""

from __future__ import annotations

import sqlite3
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from portineria.control.tables import LOCK_S
from tests.integration.database.conftest import Place, on
from tests.integration.database.shape import shape
from tests.integration.postgresql_server import Server, server

VERBS = (("serve",), ("setup", "--bare"), ("ledger", "verify"))
BEARABLE_S = 90  # beside other tests; who waited for the lock itself would wait for ever


@pytest.fixture
def old(place: Place) -> Place:
    assert place.act("first_tables") == 9
    return place


@contextmanager
def in_use(place: Place) -> Iterator[None]:
    """Somebody is in the middle of a long transaction that touches a table which has to change."""
    if place.postgresql is not None:
        with psycopg.connect(place.url) as somebody:
            somebody.execute("SELECT * FROM remote_sessions_stream")
            yield
        return
    somebody_else = sqlite3.connect(place.state / "portineria.sqlite3", isolation_level=None)
    somebody_else.execute("BEGIN IMMEDIATE")
    yield
    somebody_else.execute("ROLLBACK")
    somebody_else.close()


def refused_while_in_use(old: Place) -> None:
    with in_use(old):
        began = time.monotonic()
        refused = old.portineria("setup", "--bare")
        assert time.monotonic() - began < LOCK_S + BEARABLE_S
    assert refused.returncode == 3, refused.stderr
    assert f"could not be brought up to date within {LOCK_S} s" in refused.stderr
    assert "`portineria setup`, `upgrade` or `serve`" in refused.stderr
    assert "Start again when that is over" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_first_versions_rows_are_carried_into_the_tables_of_now(old: Place, tmp_path: Path) -> None:
    """Tables in use make it fail soon, and it is repeated."""
    refused_while_in_use(old)
    made = old.portineria("setup", "--bare")
    assert made.returncode == 0, made.stderr
    assert old.act("rows") == {
        "language": "it",
        "mark": "",
        "relay": 443,
        "gateway": [[], False],
        "request": ["pending", ""],
        "session": ["opening", None],
        "streams": [[502, None], [None, None], [None, None]],
    }
    again = old.portineria("setup", "--bare")
    assert again.returncode == 0, again.stderr
    state = tmp_path / "new"
    state.mkdir()
    new = on(old.postgresql, state) if old.postgresql else Place(state)
    assert new.portineria("setup", "--bare").returncode == 0
    assert shape(new) == shape(old)  # made at once, without a step of the way
    assert new.act("steps") == old.act("steps")


def test_two_that_start_at_once_bring_it_up_to_date_once(state: Path) -> None:
    place = on(server(), state)
    assert place.act("late_tables") == 20
    with ThreadPoolExecutor(2) as threads:
        both = list(threads.map(lambda _: place.portineria("setup", "--bare"), range(2)))
    assert all(done.returncode == 0 or "tart again" in done.stderr for done in both), [done.stderr for done in both]
    assert any(done.returncode == 0 for done in both)
    assert place.act("relays_and_missing") == [[443, 8443], []]


def refused(place: Place, *words: str) -> subprocess.CompletedProcess[str]:
    done = place.portineria(*words)
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_a_database_of_a_later_version_is_left_alone(place: Place) -> None:
    assert place.portineria("setup", "--bare").returncode == 0
    place.sql(
        "INSERT INTO django_migrations (app, name, applied) VALUES ('estate', '0999_later', '2030-01-01 00:00:00')"
    )
    for words in VERBS:
        said = refused(place, *words).stderr
        assert "belongs to a later version of Portineria (it has estate 0999_later)" in said
        assert "nothing changed" in said
        assert "backup" in said


@pytest.mark.parametrize("words", VERBS)
def test_a_database_that_is_away_is_said(state: Path, words: tuple[str, ...]) -> None:
    (state / "portineria.toml").write_text(f'database = "postgresql://portineria@/portineria?host={state}"\n')
    began = time.monotonic()
    said = refused(Place(state), *words).stderr
    assert time.monotonic() - began < BEARABLE_S
    assert "the database cannot be reached" in said
    assert str(state) in said
    assert "portineria.toml" in said


def test_the_password_comes_from_a_file_or_from_libpqs_own_means(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guarded = Server(authentication="scram-sha-256", password="spring water")
    guarded.start()
    try:
        wanted = guarded.url()
        assert "password" in refused(_reaching(state, wanted), "setup", "--bare").stderr
        (state / "password").write_text("spring water\n")
        by_file = _reaching(state, wanted, f'database_password_file = "{state / "password"}"\n')
        assert by_file.portineria("setup", "--bare").returncode == 0
        (state / "passfile").write_text("*:*:*:postgres:spring water\n")
        (state / "passfile").chmod(0o600)
        by_passfile = _reaching(state, f"{wanted}&passfile={state / 'passfile'}")
        assert by_passfile.portineria("ledger", "verify").returncode == 0
        service = f"[gate]\nhost={guarded.folder}\nuser=postgres\ndbname=postgres\npassword=spring water\n"
        (state / "service").write_text(service)
        monkeypatch.setenv("PGSERVICEFILE", str(state / "service"))
        done = _reaching(state, "postgresql:///?service=gate").portineria("ledger", "verify")
        assert done.returncode == 0, done.stderr
    finally:
        guarded.close()


def _reaching(state: Path, url: str, more: str = "") -> Place:
    (state / "portineria.toml").write_text(f'database = "{url}"\n{more}')
    return Place(state)


@pytest.mark.sqlite
def test_who_starts_while_the_first_tables_are_made_is_told_that_and_nothing_else(tmp_path: Path) -> None:
    """Whoever makes the file has it alone for a moment; another start comes into the middle of it."""
    place = Place(tmp_path)
    making = sqlite3.connect(place.state / "portineria.sqlite3", isolation_level=None)
    making.execute("BEGIN IMMEDIATE")
    making.execute("CREATE TABLE first (id INTEGER)")
    refused = place.portineria("serve")
    assert refused.returncode == 3, refused.stderr
    assert "somebody else is writing to the database just now (database is locked)" in refused.stderr
    assert "`portineria setup`, `upgrade` or `serve`" in refused.stderr
    assert "portineria.toml" not in refused.stderr  # nothing is wrong with that
    making.execute("ROLLBACK")
    making.close()
    assert place.portineria("setup", "--bare").returncode == 0
