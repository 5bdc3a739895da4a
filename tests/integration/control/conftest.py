# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from django.urls import resolve
from pytest_django import DjangoDbBlocker

from tests.integration import postgresql_server
from tests.unit.control.django_state import start

start()

from tests.integration.control.world import World  # noqa: E402 models need Django to have started
from tests.integration.control.world_again import Kept, keep  # noqa: E402


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What only SQLite can be asked belongs to its run: left out of the other one, not skipped in it."""
    if postgresql_server.chosen():
        left_out = [item for item in items if item.get_closest_marker("sqlite")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def kept(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Kept:
    resolve("/")  # before any test's transaction, which PostgreSQL ends when nothing is asked for five seconds
    with django_db_blocker.unblock():
        return keep()


@pytest.fixture
def world(kept: Kept, db: None) -> World:
    return kept.put_back()


@pytest.fixture
def linked(world: World) -> World:
    world.link()
    return world


@pytest.fixture
def committed_world(kept: Kept, transactional_db: None) -> World:
    """For tests with several threads or connections: everything is really committed."""
    return kept.put_back()
