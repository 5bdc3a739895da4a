# SPDX-License-Identifier: Apache-2.0
"""`make deep`: what takes too long for every change. Each result goes into docs/deep.json with its date and commit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs/deep.json"

# id -> arguments for pytest. PORTINERIA_DEEP=1 makes hypothesis try 50,000 examples per property (tests/conftest.py).
# The same variable makes the frozen ones sleep for the real ten minutes instead of seconds.
RUNS = {
    "power": ["tests/integration/database/test_power_loss.py", "--timeout", "7200"],
    "frozen": ["tests/integration/gateway/test_frozen.py", "--timeout", "1200"],
    "protocols": ["tests/unit/protocols", "tests/integration/protocols", "--timeout", "7200"],
    "api": ["tests/integration/control/test_rest_schema.py", "--timeout", "7200"],
    # Of Modbus and OPC UA every change has a part of the ten thousand operations.
    "refusals": ["tests/integration/protocols", "-k", "refused_write_leaves_the_client_working", "-n", "0"],
    "fuzz": ["tests/fuzz", "-n", "2", "--dist", "loadfile", "--timeout", "7200"],
}

# id -> module and its arguments; the last line that it prints, JSON, is kept. Groups of the bench write docs too.
MEASURED = {
    "wan": ["tests.bench", "wan", "--full"],
    "relay": ["tests.bench", "relay"],
    "sinks": ["tests.bench.sinks", os.environ.get("PORTINERIA_SINK_EVENTS", "1000000")],
    "mutation": ["tests.mutation"],
    "decoders": ["tests.fuzz.decoders"],
    "deployment": ["tests.deployment"],
    "soak": ["tests.bench", "soak", "--minutes", os.environ.get("PORTINERIA_SOAK_MINUTES", "60")],
}


def commit() -> str:
    """The commit this ran on, marked when files differ from it."""
    described = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    return subprocess.run(described, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def run(arguments: list[str]) -> dict[str, object]:
    started = time.monotonic()
    command = [sys.executable, "-m", "pytest", *arguments]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "PORTINERIA_DEEP": "1"}, check=False)
    return {
        "passed": done.returncode == 0,
        "seconds": round(time.monotonic() - started),
        "command": "pytest " + " ".join(arguments),
        "commit": commit(),
        "date": datetime.now(UTC).date().isoformat(),
    }


def measure(arguments: list[str]) -> dict[str, object]:
    started = time.monotonic()
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    print(done.stdout)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return {
        "passed": done.returncode == 0 and bool(lines),
        "seconds": round(time.monotonic() - started),
        "command": "python -m " + " ".join(arguments),
        "commit": commit(),
        "date": datetime.now(UTC).date().isoformat(),
        "result": json.loads(lines[-1]) if lines else None,
    }


def main() -> int:
    results = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    wanted = sys.argv[1:] or [*RUNS, *MEASURED]
    for name in wanted:
        results[name] = run(RUNS[name]) if name in RUNS else measure(MEASURED[name])
        RESULTS.write_text(json.dumps(results, indent=2, sort_keys=True) + "\n", "utf-8")
    return 0 if all(results[name]["passed"] for name in wanted) else 1


if __name__ == "__main__":
    sys.exit(main())
