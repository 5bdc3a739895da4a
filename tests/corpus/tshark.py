# SPDX-License-Identifier: Apache-2.0
"""What tshark says of a capture: somebody else's eyes on the same bytes."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


def rows(path: Path, fields: tuple[str, ...], shown: str, *options: str) -> Iterator[list[list[str]]]:
    """For each frame that the display filter ``shown`` lets through: the occurrences of each field, in order.

    A frame with several messages has several occurrences. ``options``: more of tshark's, as ``-d`` or ``-o``.
    """
    if not shutil.which("tshark"):
        pytest.skip("tshark is missing: sudo apt-get install tshark")
    wanted = [part for name in fields for part in ("-e", name)]
    command = ["tshark", "-n", "-r", str(path), "-Y", shown, "-T", "fields", "-E", "occurrence=a", "-E", "aggregator=;"]
    done = subprocess.run([*command, *options, *wanted], capture_output=True, text=True, check=True)
    for line in done.stdout.splitlines():
        yield [cell.split(";") if cell else [] for cell in line.split("\t")]
