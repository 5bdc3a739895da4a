# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.protocols.controlled import Controlled, controlled


@pytest.fixture
def outstation() -> Iterator[Controlled]:
    """Its own providers say what reached it."""
    with controlled(Path(__file__).with_name("server.py")) as made:
        yield made
