# SPDX-License-Identifier: Apache-2.0
"""``ledger.*``: durable events of one and of sixteen writers, and checking a long register without its server.

``python -m tests.bench.ledger`` measures the three alone. Writers use ``record_alone``, as denied attempts do; SQLite
with ``synchronous=FULL``, PostgreSQL with ``fsync``, on this machine's disk.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from portineria.ledger.export import EndLine, write_line
from tests.bench import report
from tests.bench.report import Found, figure
from tests.integration.postgresql_server import Server
from tests.unit.ledger.register import Register

WRITERS, SECONDS = 16, 8.0
EVENTS, SEALED_EVERY = 1_000_000, 1000


def append_rates(database: str, writers: int, seconds: float) -> float:
    """Events a second, in a process of its own."""
    with tempfile.TemporaryDirectory() as state:
        Path(state, "portineria.toml").write_text(f'database = "{database}"\n')
        command = [sys.executable, "-m", "tests.bench.ledger", "append", state, str(writers), str(seconds)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return float(json.loads(done.stdout.splitlines()[-1]))


def _append(state: str, writers: int, seconds: float) -> float:
    from portineria.control.operations import initialise

    initialise(Path(state))
    from django.db import connections

    from portineria.control.audit.drafts import draft
    from portineria.control.audit.grouping import record_alone

    organisation, counts, together = "org_aaaaaaaaaaaaaaaa", [0] * writers, threading.Barrier(writers + 1)

    def write(number: int) -> None:
        together.wait()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            record_alone(
                [draft("identity.attempt.denied", organisation=organisation, actor="per_a", person="per_a", why="role")]
            )
            counts[number] += 1
        connections.close_all()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    together.wait()
    began = time.monotonic()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.monotonic() - began)


def _lines(events: int) -> Iterator[bytes]:
    register = Register()
    yield write_line(register.header())
    for number in range(1, events + 1):
        yield write_line(register.event())
        if not number % SEALED_EVERY:
            register.seal()
            yield write_line(register.lines[-1])
        register.lines.clear()
    yield write_line(EndLine(events))


def verify_seconds(events: int) -> float:
    """Of `portineria ledger verify FILE` as a whole."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "register.jsonl")
        with file.open("wb") as out:
            out.writelines(_lines(events))
        began = time.monotonic()
        command = [sys.executable, "-m", "portineria.cli.main", "ledger", "verify", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        took = time.monotonic() - began
    assert f"events 1 to {events} fit" in done.stdout
    return took


def ledger(rounds: int = 3) -> Found:
    server = Server(("max_connections=50",))  # durable, unlike the tests'
    server.start()
    try:
        figures = {}
        for name, database in (("sqlite", lambda: ""), ("postgres", server.new_database)):
            alone = [append_rates(database(), 1, SECONDS) for _ in range(rounds)]
            many = [append_rates(database(), WRITERS, SECONDS) for _ in range(rounds)]
            print(f"  {name}: {alone} alone, {many} by {WRITERS} writers", flush=True)
            figures[f"ledger.append.{name}"] = figure(many, "events/s", ("one writer", alone))
    finally:
        server.close()
    figures["ledger.verify"] = figure([verify_seconds(EVENTS)], "s")
    bars = {name.rpartition(".")[2]: found.value for name, found in figures.items() if "append" in name}
    return Found(figures, {"Durable events a second, 16 writers": bars})


if __name__ == "__main__":
    if sys.argv[1:2] == ["append"]:
        os.environ.pop("DJANGO_SETTINGS_MODULE", None)
        sys.stdout.write(json.dumps(_append(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))) + "\n")
    else:
        report.write("ledger", ledger(), "python -m tests.bench ledger")
