# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

TRESPASSES = {
    "core/clock.py": ("import time\n", "Pure rooms do no I/O"),
    "policy/question.py": ("from portineria.bus import subjects\n", "Rooms only look downwards"),
    "protocols/modbus/frame.py": ("import portineria.protocols.dnp3\n", "Protocols do not know each other"),
    "dataplane/gateway/rows.py": ("from django.db import models\n", "The data plane never meets Django"),
    "sinks/cef/message.py": ("import socket\n", "What writes an event for a sink does no I/O"),
    "sinks/cef/rows.py": ("from django.db import models\n", "Sinks never meet Django or the database"),
    "control/audit/judge.py": ("import portineria.control.access\n", "Apps only look downwards"),
}


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    program = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    python = Path(sys.prefix) / "linter/bin/python"
    command = [str(python), "-c", program, "--no-cache", "--config", str(ROOT / "pyproject.toml")]
    environment = {**os.environ, "PYTHONPATH": str(root / "src")}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


def test_rooms_keep_their_import_contracts() -> None:
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("place", "text", "contract"), [(k, *v) for k, v in TRESPASSES.items()], ids=TRESPASSES)
def test_a_trespass_breaks_its_contract(tmp_path: Path, place: str, text: str, contract: str) -> None:
    """The same contracts over a bare copy of the rooms in which one module reaches too far."""
    rooms = ("bus", "cli", "core", "demo", "dataplane/gateway", "ledger", "policy", "process", "wire", "witness")
    for room in (*rooms, "backup", "doctor", "recording", "protocols/dnp3", "protocols/modbus", "sinks/cef"):
        (tmp_path / "src/portineria" / room).mkdir(parents=True)
    apps = (
        "rest",
        "console",
        "notification",
        "remote_sessions",
        "access",
        "estate",
        "sinks",
        "privacy",
        "identity",
        "audit",
    )
    for app in apps:
        (tmp_path / "src/portineria/control" / app).mkdir(parents=True)
    for folder in [tmp_path / "src/portineria", *(tmp_path / "src/portineria").rglob("*")]:
        (folder / "__init__.py").touch()
    for file in ("bus/subjects.py", "sinks/outgoing.py", "sinks/record.py", "sinks/setting.py", "sinks/cef/message.py"):
        (tmp_path / "src/portineria" / file).touch()
    (tmp_path / "src/portineria" / place).write_text(text)

    done = lint_imports(tmp_path)

    assert done.returncode == 1, done.stdout + done.stderr
    broken = [line for line in done.stdout.splitlines() if line.endswith("BROKEN")]
    assert broken == [f"{contract} BROKEN"]
