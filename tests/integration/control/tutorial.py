# SPDX-License-Identifier: Apache-2.0
"""The tutorial's own server, typed as it stands there; only the ports are others, as somebody may use those."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from tests.integration.control.commands import surroundings
from tests.integration.process import as_a_child_of_a_test, free_port

ROOT = Path(__file__).resolve().parents[3]
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
LIMIT_S = 120


def typed() -> str:
    """And besides: the relay tells its figures too, and both are kept."""
    console, metrics, relay = free_port(), free_port(), free_port()
    blocks = BLOCK.findall((ROOT / "docs/tutorial.md").read_text())
    assert len(blocks) >= 5
    # Before the first start, as whoever has another server on 8443 would write.
    toml = f"""cat > my-server/portineria.toml <<'END'
public_url = "http://localhost:{console}"
relay_metrics = ["127.0.0.1:{relay}"]
END
"""
    keep = (
        f"curl -sf http://127.0.0.1:{relay}/metrics > relay.txt; curl -sf http://127.0.0.1:9464/metrics > server.txt\n"
    )
    text = "".join([blocks[0], toml, *blocks[1:-1], keep, blocks[-1]])
    text = text.replace("8443", str(console)).replace("9464", str(metrics))
    return text.replace("$PWD/.venv/bin", str(Path(sys.executable).parent))


def end(group: int, folder: Path) -> None:
    """What a failure in the middle left behind."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
    for lock in folder.glob("my-server/relays/*/lock"):
        with contextlib.suppress(ProcessLookupError, ValueError):
            os.kill(int(lock.read_text()), signal.SIGKILL)


def follow(folder: Path) -> str:
    """Type it all in ``folder``, where ``my-server`` has its tables already, as making them takes longest. Return what
    was printed; raise AssertionError when a command failed.
    """
    (folder / "docs").symlink_to(ROOT / "docs")
    log = folder / "log"
    with log.open("wb") as out:
        shell = subprocess.Popen(
            ["bash", "-e", "-u", "-o", "pipefail", "-c", typed()], cwd=folder, env=surroundings(),
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True, preexec_fn=as_a_child_of_a_test,
        )  # fmt: skip
    status = None
    try:
        status = shell.wait(LIMIT_S)
    finally:
        if status != 0:
            end(shell.pid, folder)
    assert status == 0, log.read_text()
    return log.read_text()
