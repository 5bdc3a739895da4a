# SPDX-License-Identifier: Apache-2.0
"""A person's time zone that this machine knows no more keeps them from no page: times are shown in UTC then."""

from __future__ import annotations

import pytest

from portineria.control.identity.models import Person
from tests.integration.control.browsing import signed_in
from tests.integration.control.world import World, fresh


@pytest.mark.parametrize(
    "page",
    ["/", "/account/", "/approvals/", "/events/?since=2026-11-01", "/lists/", "/lists/accesses/?since=2026-11-01"],
)
def test_whoever_has_a_zone_that_vanished_sees_every_page(world: World, page: str) -> None:
    Person.objects.get_queryset().filter(pk=world.owner.pk).update(time_zone="Europe/Nowhere")
    assert signed_in(fresh(world.owner)).get(page, follow=True).status_code == 200
