# SPDX-License-Identifier: Apache-2.0
"""Real traffic with independent facts: where it lies, how its TCP connections are read, what tshark says of it.

Nothing of it is in the repository: ``PORTINERIA_CORPUS`` names the folder (CI sets it), without it the tests skip.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def corpus_file(name: str) -> Path:
    """The file ``name`` ("pcaps/modbus/modbus_example.pcap") of the corpus. Skips the test that asks without one."""
    if not (folder := os.environ.get("PORTINERIA_CORPUS")):
        pytest.skip("PORTINERIA_CORPUS does not say where the captures are")
    return Path(folder) / name
