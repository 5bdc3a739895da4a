# SPDX-License-Identifier: Apache-2.0
"""The command line on the server itself, as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_LONGEST_S = 240  # of a bringing up to date from the first version: 27 s of the processor, beside three other workers


def surroundings() -> dict[str, str]:
    """Nothing of what this run was told reaches the command."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("PORTINERIA", "DJANGO"))}


def run(state: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "portineria.cli.main", *words, "--state", str(state)]
    return subprocess.run(
        command,
        env=surroundings(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=_LONGEST_S,
    )
