# SPDX-License-Identifier: Apache-2.0
"""Backup while others write, and restore: into an empty place, proven, and with nothing open that was shut since."""

from __future__ import annotations

import json
import os
import re
import shlex
import sqlite3
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import transaction
from pyrage.x25519 import Identity

from portineria.backup.archive import BackupRuns
from portineria.cli.backup import NoRecipient, recipients_of
from portineria.cli.main import VERBS, parser
from portineria.cli.upgrade import NoWayBack
from portineria.control.administration import newest_note
from portineria.control.audit.models import Event
from portineria.control.audit.services import record
from portineria.control.backing_up import LOCK, WORKPLACE, back_up
from portineria.control.estate.introduction import root_fingerprint
from portineria.control.identity.models import Organisation
from portineria.control.own_connection import given_back
from portineria.control.remote_sessions import recordings
from portineria.control.restoring import PlaceTaken, check_empty
from portineria.control.settings.start import current
from portineria.control.sinks.models import Sink
from portineria.process.lock import take
from portineria.recording.chunk import BadRecipient
from portineria.recording.seal import About
from portineria.recording.upload import Upload
from portineria.wire.statement import sha256
from tests.integration import postgresql_server
from tests.integration.control.browsing import signed_in
from tests.integration.control.commands import surroundings
from tests.integration.control.engine import on_postgresql
from tests.integration.control.sessions import accepted, started
from tests.integration.control.world import World
from tests.integration.process import free_port
from tests.unit.recording.recorded import ABOUT, conversation

MASTER_KEY = "PORTINERIA_MASTER_KEY"


@dataclass
class Elsewhere:
    """Another computer, on which nothing is yet."""

    folder: Path
    database: str = ""

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def portineria(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        given = {"PORTINERIA_SERVER_DATABASE": self.database} if self.database else {}
        return subprocess.run(
            [sys.executable, "-m", "portineria.cli.main", *words], env=surroundings() | given | more, cwd=self.folder,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    def count(self, organisation: str) -> int:
        rows = self.ask("SELECT organisation FROM audit_event")
        return rows.count((organisation,))

    def ask(self, question: str) -> list[tuple[Any, ...]]:
        if self.database:
            with psycopg.connect(self.database) as client:
                return client.execute(question.encode()).fetchall()
        with sqlite3.connect(self.state / "portineria.sqlite3") as tables:
            return tables.execute(question).fetchall()


@pytest.fixture
def elsewhere(tmp_path: Path) -> Elsewhere:
    url = postgresql_server.server().new_database() if on_postgresql() else ""
    return Elsewhere(tmp_path, url)


@contextmanager
def writers(world: World) -> Iterator[None]:
    """People who go on working: each transaction is of two registers."""
    stop = threading.Event()

    @given_back
    def write(number: int) -> None:
        turn = 0
        while not stop.wait(0.005):  # SQLite lets nobody in turn: whoever never pauses locks the others out
            turn += 1
            with transaction.atomic():
                for organisation in sorted([world.organisation, "org_elsewhere"]):
                    fields = {"actor": "per_a", "person": "per_a", "why": f"{number}/{turn}", "what": "GET"}
                    record("identity.attempt.denied", organisation=organisation, **fields)

    with ThreadPoolExecutor(2) as threads:
        working = [threads.submit(write, number) for number in range(2)]
        try:
            yield
        finally:
            stop.set()
            for one in working:
                one.result()


def recorded(world: World) -> bytes:
    """One chunk of a recording that the gateway brought; return its bytes."""
    world.link()
    session = accepted(world, started(world))
    about = About(ABOUT.recording, session.public_id, world.organisation, world.gateway.id, bytes(32))
    [data, *_] = conversation(about=about, key=world.gateway.event).chunks
    recordings.keep(Upload(world.gateway.id, ABOUT.recording, 1, len(data), sha256(data)), data)
    return data


def events_of(world: World) -> int:
    return Event.objects.filter(organisation=world.organisation).count()


def progress(_what: str, _done: int, _every: int) -> None:
    """Nobody watches."""


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    made = Identity.generate()
    (tmp_path / "identity.txt").write_text(f"# kept apart\n{made}\n")
    return made


def when(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_backup_of_a_working_server_is_restored_whole_and_locked(
    committed_world: World, elsewhere: Elsewhere, identity: Identity
) -> None:
    world, file = committed_world, elsewhere.folder / "backup.age"
    chunk = recorded(world)
    assert signed_in(world.owner).get("/").status_code == 200
    sealed = newest_note(world.organisation)
    organisation = Organisation.objects.get(public_id=world.organisation)
    mail = {"host": "127.0.0.1", "port": str(free_port())}
    Sink.objects.create(organisation=organisation, name="mail", kind="mail", settings=mail, wrapped=b"", failures=3)
    with writers(world):
        before = events_of(world)
        when(lambda: events_of(world) > before + 5)
        made = back_up(file, [str(identity.to_public())], recordings=None, progress=progress)
        at_the_end = events_of(world)
    assert (made.manifest.recordings.inside, made.manifest.recordings.chunks) == (True, 1)
    assert sealed in [one.note for one in made.manifest.checkpoints]
    assert not (current().state / WORKPLACE).exists()
    (elsewhere.folder / "safe.note").write_text(sealed)
    (elsewhere.folder / "newer.note").write_text(newest_note(world.organisation))

    words = ("restore", "backup.age", "-i", "identity.txt", "--root", root_fingerprint())
    done = elsewhere.portineria(*words, "--state", "state", "--known", "safe.note", "--known", "newer.note")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    restored, end = elsewhere.count(world.organisation), elsewhere.count("org_elsewhere")
    assert before <= restored - 1 <= at_the_end  # one more: everything was locked
    assert f"Owner's plant: {restored - 1} events fit" in done.stdout
    assert f"org_elsewhere: {end} events fit" in done.stdout
    lost = f"events {restored} to {events_of(world)}"
    assert (lost in done.stdout) == (restored <= events_of(world))
    [[name]] = elsewhere.ask("SELECT public_id FROM remote_sessions_session")
    kept = elsewhere.state / "recordings" / world.organisation / name / ABOUT.recording / "00000001.chunk"
    assert kept.read_bytes() == chunk
    assert (elsewhere.state / "master.key").read_bytes() == (current().state / "master.key").read_bytes()
    assert (elsewhere.state / "master.key").stat().st_mode & 0o777 == 0o600

    # Nothing that was shut since the backup is open again.
    assert elsewhere.ask("SELECT count(*) FROM django_session") == [(0,)]
    assert elsewhere.ask("SELECT count(*) FROM identity_connectortoken WHERE revoked_at IS NULL") == [(0,)]
    locks = elsewhere.ask("SELECT public_id FROM access_lock WHERE lifted_at IS NULL")
    assert len(locks) == len(elsewhere.ask("SELECT public_id FROM identity_organisation"))
    assert all(lock in done.stdout for [lock] in locks)
    codes = [code for [code] in elsewhere.ask("SELECT code FROM audit_event ORDER BY id")]
    assert ("identity.installation.backed-up" in codes, codes.count("identity.installation.restored")) == (True, 1)

    if on_postgresql():
        _the_doctor_asks_what_the_rows_name(elsewhere)
    taken = elsewhere.portineria(*words, "--state", "another" if on_postgresql() else "state")
    assert taken.returncode == 1
    assert ("has tables already" if on_postgresql() else "is not empty, and nothing was changed") in taken.stderr


def _the_doctor_asks_what_the_rows_name(elsewhere: Elsewhere) -> None:
    """Once, here, where it has another clock to look at too."""
    looked = elsewhere.portineria("doctor", "--state", "state", "--json")
    assert (looked.returncode, "Traceback" in looked.stderr) == (1, False)
    found = json.loads(looked.stdout)
    assert {one["check"] for one in found if one["level"] != "ok"} == {"process", "reach", "sink"}
    clocks = [one["seen"] for one in found if one["check"] == "clock"]
    assert ["of the database" in seen for seen in clocks] == [True]


@pytest.mark.sqlite  # what differs by database is in the first test
def test_the_commands_of_the_how_tos_restore_and_write_a_bundle_without_the_plant(
    committed_world: World, elsewhere: Elsewhere, identity: Identity
) -> None:
    back_up(elsewhere.folder / "today.age", [str(identity.to_public())], recordings=None, progress=progress)
    whole, restore = commands("backup.md", "restore", "")
    assert "Whole: " in elsewhere.portineria(*whole).stdout
    done = elsewhere.portineria(*restore)
    assert done.returncode == 0, done.stderr
    (elsewhere.folder / "again").rename(elsewhere.state)
    (elsewhere.folder / "portineria.log").write_text('{"event": "session.opened", "machine": "Press 3"}\n')
    [look] = [words for words in commands("doctor.md", "doctor", "") if "--bundle" in words]
    assert elsewhere.portineria(*look).returncode == 1  # it does not run
    _holds_nothing_of_the_plant(elsewhere)


def _holds_nothing_of_the_plant(elsewhere: Elsewhere) -> None:
    """Of what people typed into any table, nothing is in the bundle; how many rows there are is."""
    typed = [
        *elsewhere.ask("SELECT name FROM identity_organisation UNION SELECT name FROM estate_machine"),
        *elsewhere.ask("SELECT name FROM identity_person UNION SELECT email FROM identity_person"),
        *elsewhere.ask("SELECT address FROM estate_device UNION SELECT name FROM estate_plant"),
    ]
    with zipfile.ZipFile(elsewhere.folder / "support.zip") as archive:
        members = {name: archive.read(name).decode() for name in archive.namelist()}
    counts = json.loads(members["counts.json"])
    assert counts["identity_person"] >= 4
    del members["counts.json"]  # names of tables, of our own making, and numbers
    assert len(typed) > 8
    assert [one for (one,) in typed for text in members.values() if len(one) > 3 and one in text] == []


@pytest.mark.sqlite  # what differs by database is in the first test
def test_what_does_not_fit_is_not_put_into_its_place(
    committed_world: World, elsewhere: Elsewhere, identity: Identity
) -> None:
    """Whole as a file, and yet not what it should be: a changed register, another installation, another master key."""
    world, file = committed_world, elsewhere.folder / "backup.age"
    newest_note(world.organisation)
    Event.objects.filter(organisation=world.organisation, code="estate.plant.created").update(actor="per_mallory")
    beside = take(current().state / LOCK)
    assert beside is not None
    with pytest.raises(BackupRuns):  # two would write into one place
        back_up(file, [str(identity.to_public())], recordings=False, progress=progress)
    os.close(beside)
    made = back_up(file, [str(identity.to_public())], recordings=False, progress=progress)
    assert made.manifest.recordings.inside is False
    words = ("restore", "backup.age", "-i", "identity.txt", "--state", "state")
    bad = elsewhere.portineria(*words)
    assert bad.returncode == 1
    assert "not what was hashed: actor" in bad.stderr
    assert not elsewhere.state.exists()
    assert (elsewhere.folder / "state.restoring" / "master.key").exists()
    with pytest.raises(PlaceTaken, match="left from a restore"):
        check_empty(elsewhere.state)
    (elsewhere.folder / "state.restoring").rename(elsewhere.folder / "looked-into")
    for more, surrounding, why in (
        (("--root", "0" * 64), {}, "another one was expected"),
        ((), {MASTER_KEY: "A" * 43 + "="}, "the master key is not the one of this backup"),
    ):
        refused = elsewhere.portineria(*words, *more, **surrounding)
        assert (refused.returncode, why in refused.stderr) == (1, True), refused.stderr
        assert not elsewhere.state.exists()
        (elsewhere.folder / "state.restoring").rename(elsewhere.folder / f"refused-{len(surrounding)}")


def commands(page: str, verb: str, recipient: str) -> list[list[str]]:
    """What a how-to says to type after ``portineria``, in blocks of its own, for places that a test has."""
    text = (Path(__file__).resolve().parents[3] / "docs/howto" / page).read_text()
    places = {"/var/lib/portineria-again": "again", "/var/lib/portineria": "state", "RECIPIENT": recipient}
    lines = [line for block in text.split("```")[1::2] for line in block.splitlines()]
    found = [shlex.split(line)[1:] for line in lines if line.startswith(f"portineria {verb} ")]
    return [[places.get(word, re.sub("^/(backup|media/key|tmp)/", "", word)) for word in words] for words in found]


@pytest.mark.sqlite  # no database
def test_every_command_of_the_how_tos_is_one() -> None:
    found = [words for page in ("backup.md", "doctor.md") for verb in VERBS for words in commands(page, verb, "age1")]
    assert len(found) == 11
    for words in found:
        assert parser().parse_args(words).verb == words[0]


@pytest.mark.sqlite  # no database
def test_nobody_upgrades_or_backs_up_without_saying_who_opens_the_way_back() -> None:
    bare = parser().parse_args(["upgrade"])
    with pytest.raises(NoWayBack, match="nothing was changed"):
        bare.run(bare)
    with pytest.raises(NoRecipient):
        recipients_of(parser().parse_args(["upgrade", "--backup", "before.age"]))
    with pytest.raises(BadRecipient):
        recipients_of(parser().parse_args(["backup", "x.age", "--recipient", "age1notme"]))
