# SPDX-License-Identifier: Apache-2.0
"""`portineria doctor` on a server where everything is wrong that newcomers get wrong, and what goes into a bundle."""

from __future__ import annotations

import json
import socket
import zipfile
from pathlib import Path

from portineria.doctor.bundle import log_tail
from tests.integration.control.commands import run
from tests.integration.doctor.answering import certificate
from tests.integration.process import free_port

# Each stands somewhere where a person would put it; none may reach support.
CANARIES = (
    "canary-host.example", "Canary Press 7", "ada.canary@example.com", "198.51.100.77", "CANARY-SECRET", "CanaryPath",
    "canary_table",
)  # fmt: skip


def test_a_server_where_much_is_wrong_is_told_all_of_it_and_the_bundle_holds_nothing_of_the_plant(
    tmp_path: Path,
) -> None:
    state = tmp_path / "CanaryPath"
    state.mkdir(mode=0o700)
    (state / "master.key").write_text("A" * 43 + "=\n")
    (state / "master.key").chmod(0o644)
    shown = certificate(state, "canary-host.example", days=-3)
    log = tmp_path / "log"
    log.write_text(
        "Nov 26 10:00:00 canary-host.example portineria[7]: "
        '{"event": "session.opened", "level": "info", "timestamp": "2030-01-01T10:00:00.000001Z", "port": 502, '
        '"machine": "Canary Press 7", "session": "ses_abcdefghijklmnop", "why": "198.51.100.77 refused"}\n'
        '{"event": "Canary Press 7 started", "code": "ada.canary@example.com", "level": "canary_table"}\n'
        '{"event": "cli.broken", "exception": "Traceback:\\n  File \\"/opt/CanaryPath/src/portineria/cli/main.py\\", '
        'line 115, in main\\nValueError: CANARY-SECRET"}\n'
        "a line of Canary Press 7 that is not ours\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as taken:
        (state / "portineria.toml").write_text(
            f'public_url = "https://localhost:{free_port()}"\n'
            f'relays = ["127.0.0.1:{taken.getsockname()[1]}=canary-host.example:443"]\n'
            f'console_certificate = "{shown.chain}"\nconsole_key = "{shown.key}"\n'
            f'database = "postgresql://ada.canary:CANARY-SECRET@127.0.0.1:{free_port()}/canary_table"\n'
            f'bus = "tls://127.0.0.1:{free_port()}"\nlease_s = 41\nbalancers = ["198.51.100.77"]\n'
        )
        done = run(state, "doctor", "--json", "--bundle", str(tmp_path / "bundle.zip"), "--log", str(log))
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    faults = {one["check"] for one in json.loads(done.stdout) if one["level"] == "fault"}
    assert faults == {"permissions", "port", "certificate.time", "certificate.name", "reach", "database.away"}
    with zipfile.ZipFile(tmp_path / "bundle.zip") as archive:
        members = {name: archive.read(name).decode() for name in archive.namelist()}
    assert (tmp_path / "bundle.zip").stat().st_mode & 0o777 == 0o600
    for name, text in members.items():
        assert [canary for canary in CANARIES if canary in text] == [], name
        assert "canary" not in text.lower(), name
    settings = json.loads(members["settings.json"])
    assert (settings["lease_s"], settings["database"], settings["balancers"]) == (41, "set", "1 entries")
    assert {one["check"] for one in json.loads(members["findings.json"])} >= faults
    first, second, third = json.loads(members["log.json"])["lines"]
    assert (first["event"], first["port"], first["session"]) == ("session.opened", 502, "ses_abcdefghijklmnop")
    assert set(second.values()) == {"…"}
    assert third["exception"] == ["portineria/cli/main.py:115 main"]
    assert log_tail(log)["not ours"] == 1


def test_a_misspelt_setting_is_found_and_nothing_else_is_tried(tmp_path: Path) -> None:
    (tmp_path / "portineria.toml").write_text('publik_url = "https://x.example"\n')
    done = run(tmp_path, "doctor")
    assert done.returncode == 1
    assert "did you mean public_url?" in done.stdout
    assert "-> Correct what is named." in done.stdout
