# SPDX-License-Identifier: Apache-2.0
"""The independent scim2-tester against the server as it is served finds nothing."""

from __future__ import annotations

from typing import Any

import pytest

from portineria.control.identity.service_accounts import Powers
from tests.integration.control.calling import Program
from tests.integration.control.world import World

pytestmark = pytest.mark.sqlite  # serves one database from several threads


def test_the_independent_tester_finds_nothing(committed_world: World, live_server: Any) -> None:
    # Half a second to import, which every process that collects the tests would spend.
    from tests.integration.control.independent_scim import checked

    right, wrong = checked(live_server.url, Program(committed_world, Powers(provisions=True)).token)
    assert wrong == []
    assert right > 40
