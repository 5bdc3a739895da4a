# SPDX-License-Identifier: Apache-2.0
"""Power fails while the newest file is being written: cut anywhere, what remains is whole up to some moment."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from portineria.dataplane.gateway import seen, spool
from portineria.dataplane.gateway.clock import TrustedClock
from portineria.dataplane.gateway.spool import Spool
from portineria.dataplane.gateway.store import Store
from portineria.ledger.leaf import decode
from portineria.ledger.merkle import leaf_hash
from portineria.wire.statement import OpeningKey
from tests.integration.control.commands import run

DEEP = bool(os.environ.get("PORTINERIA_DEEP"))
WAL_HEAD, FRAME = 32, 24 + 4096  # https://www.sqlite.org/fileformat2.html#walformat
EVENTS = 4
# Appends, seals in the middle, says what is committed, and dies without closing anything.
WRITER = f"""
import os, sys
from pathlib import Path
from portineria.control.operations import open_state
open_state(Path(sys.argv[1]))
from django.db import connection, transaction
from portineria.control.audit.services import record
from portineria.control.identity.register import seal_to_the_end
with connection.cursor() as cursor:
    cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
for number in range({EVENTS}):
    with transaction.atomic():
        event = record("identity.person.erased", organisation="org_a", actor="per_a", person="per_a", values=number)
    print(event.seq, flush=True)
    if number == {EVENTS} // 2:
        seal_to_the_end("org_a")
os._exit(0)
"""


def offsets(size: int, step: int) -> list[int]:
    """Every one in `make deep`; else around each frame's edges and some inside."""
    if DEEP:
        return list(range(size + 1))
    edges = range(WAL_HEAD, size + 1, FRAME)
    near = {edge + by for edge in edges for by in (-1, 0, 1, 24)}
    return sorted({0, 1, WAL_HEAD - 1, size, *near, *range(0, size, step)} & set(range(size + 1)))


def cut(source: Path, offset: int, place: Path) -> Path:
    """A copy of the database whose write-ahead log ends there."""
    target = place / source.name
    for old in place.glob(f"{source.name}*"):
        old.unlink()
    shutil.copy(source, target)
    target.with_name(f"{source.name}-wal").write_bytes(source.with_name(f"{source.name}-wal").read_bytes()[:offset])
    return target


def whole_chain(database: Path) -> tuple[int, int]:
    """How many events there are and how many are sealed, every link of them checked."""
    with sqlite3.connect(database) as db:
        rows = db.execute(
            "SELECT seq, leaf, leaf_sha256, prev_sha256 FROM audit_event WHERE organisation = 'org_a' ORDER BY seq"
        )
        prev, count = bytes(32), 0
        for seq, leaf, digest, before in rows:
            count += 1
            assert (seq, digest, before) == (count, leaf_hash(leaf), prev)
            assert decode(leaf)["seq"] == count
            prev = digest
        head = db.execute("SELECT seq, leaf_sha256 FROM audit_head WHERE organisation = 'org_a'").fetchone()
        assert head is None or head == (count, prev)
        sealed = db.execute("SELECT max(size) FROM audit_checkpoint WHERE organisation = 'org_a'").fetchone()[0] or 0
    db.close()
    assert sealed <= count
    return count, sealed


def test_a_register_cut_anywhere_is_whole_up_to_some_event(tmp_path: Path) -> None:
    state, place = tmp_path / "state", tmp_path / "place"
    place.mkdir()
    assert run(state, "setup", "--bare").returncode == 0
    done = subprocess.run([sys.executable, "-c", WRITER, str(state)], capture_output=True, text=True, check=False)
    assert done.stdout.split() == [str(number) for number in range(1, EVENTS + 1)], done.stderr
    database = state / "portineria.sqlite3"
    size = database.with_name(f"{database.name}-wal").stat().st_size
    found = [whole_chain(cut(database, offset, place)) for offset in offsets(size, 1021)]
    assert found[-1][0] == EVENTS  # what was acknowledged, when nothing is missing
    assert found == sorted(found)  # a longer file never holds less
    assert {count for count, _ in found} == set(range(EVENTS + 1))


@pytest.fixture
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


async def opened(path: Path, key: Ed25519PrivateKey) -> tuple[Store, Spool]:
    recipient = OpeningKey("sig_aaaaaaaaaaaaaaaa", X25519PrivateKey.generate().public_key().public_bytes_raw())
    store = Store(path)
    store.open(spool.SCHEMA + seen.SCHEMA)
    made = Spool(
        store, gateway="gw_aaaaaaaaaaaaaaaa", key=key, opening_key=lambda: recipient,
        clock=TrustedClock(answer_s=30), limit_bytes=1 << 20,
    )  # fmt: skip
    await made.open()
    return store, made


async def test_a_spool_cut_anywhere_goes_on_where_it_is_whole(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    """No number is given twice for two events that were both kept, and none is left out."""
    place, path = tmp_path / "place", tmp_path / "spool.sqlite3"
    place.mkdir()
    store, first = await opened(path, key)
    for number in range(EVENTS):
        assert await first.record("gateway.stopped", reason=str(number)) == number + 1
    size = path.with_name(f"{path.name}-wal").stat().st_size
    kept = []
    for offset in offsets(size, 4099 if not DEEP else 1):
        copy = cut(path, offset, place)
        again, second = await opened(copy, key)
        had = second.count
        assert await second.record("gateway.started", reason="start") == had + 1
        rows = await second.unsent(0, 100)
        assert [seq for seq, _ in rows] == list(range(1, had + 2))
        await again.close()
        kept.append(had)
    await store.close()
    assert kept[-1] == EVENTS
    assert kept == sorted(kept)
