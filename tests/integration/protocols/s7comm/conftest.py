# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.protocols.controlled import Controlled, controlled


@pytest.fixture
def station() -> Iterator[Controlled]:
    """CPU state, memory, and what the server's events and log say that reached it."""
    with controlled(Path(__file__).with_name("server.py")) as made:
        yield made
