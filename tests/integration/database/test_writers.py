# SPDX-License-Identifier: Apache-2.0
"""Many who write the same ledgers at once: every number once, every chain whole; and a crash in the middle of it."""

from __future__ import annotations

import re
from pathlib import Path

from tests.integration.database.act import THREADS
from tests.integration.database.conftest import Place, on
from tests.integration.postgresql_server import Server, server

TURNS = 30
LEDGERS = ("org_a", "org_b", "org_c")
_DONE = re.compile(r"^done \S+ \[(\d+), (\d+)\]$", re.MULTILINE)


def test_processes_and_threads_write_the_same_ledgers_without_a_gap_or_a_deadlock(place: Place) -> None:
    assert place.portineria("setup", "--bare").returncode == 0
    names = ",".join(LEDGERS)
    writers = [place.start("write", names, str(TURNS)) for _ in range(2)]
    said = [writer.communicate(timeout=200) for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0], said
    done = [pair for out, _ in said for pair in _DONE.findall(out)]
    assert len(done) == 2 * THREADS * TURNS, said  # nobody was turned away
    assert sum(place.act("chains", names)) == 2 * len(done)  # verified, so numbered from 1 without a gap
    assert place.postgresql is None or server().deadlocks() == []


def test_what_was_committed_survives_a_killed_writer(place: Place) -> None:
    assert place.portineria("setup", "--bare").returncode == 0
    writer = place.start("write", "org_a,org_b", "100000")
    assert writer.stdout is not None
    said = [writer.stdout.readline() for _ in range(20)]
    writer.kill()
    said.append(writer.communicate()[0])
    assert_all_there(place, "".join(said))


def test_what_was_committed_survives_a_killed_postgresql_and_writing_goes_on(state: Path) -> None:
    own = Server(())  # as careful as PostgreSQL is by itself
    own.start()
    try:
        place = on(own, state)
        assert place.portineria("setup", "--bare").returncode == 0
        writer = place.start("write", "org_a,org_b", "1000000")
        assert writer.stdout is not None
        said = [writer.stdout.readline() for _ in range(20)]
        own.kill()
        own.start()
        while not (line := writer.stdout.readline()).startswith("failed"):  # what was under way was not acknowledged
            said.append(line)
        while not (line := writer.stdout.readline()).startswith("done"):
            assert line.startswith("failed"), writer.communicate()
        said += [line, *(writer.stdout.readline() for _ in range(20))]
        writer.kill()
        said.append(writer.communicate()[0])
        assert_all_there(place, "".join(said))
    finally:
        own.close()


def assert_all_there(place: Place, said: str) -> None:
    """Each acknowledged number is in a chain that verifies; none was given twice."""
    done = [int(number) for pair in _DONE.findall(said) for number in pair[:1]]
    assert len(done) >= 20
    assert len(set(done)) == len(done)
    assert min(place.act("chains", "org_a,org_b")) >= max(done)
