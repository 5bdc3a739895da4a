# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.protocols.controlled import Controlled, controlled


@pytest.fixture
def station() -> Iterator[Controlled]:
    """Its own callbacks say what reached it: commands and clocks, and I frames by type."""
    with controlled(Path(__file__).with_name("server.py")) as made:
        yield made
