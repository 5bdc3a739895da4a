# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from tests.unit.control.django_state import start

start()

from tests.integration.control.world import World, build  # noqa: E402 models need Django to have started


@pytest.fixture
def world(db: None) -> World:
    return build()


@pytest.fixture
def linked(world: World) -> World:
    world.link()
    return world


@pytest.fixture
def committed_world(transactional_db: None) -> World:
    """For tests with several threads or connections: everything is really committed."""
    return build()
