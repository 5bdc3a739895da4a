# SPDX-License-Identifier: Apache-2.0
"""The technician's page: what may be done now, what is missing, one button."""

from __future__ import annotations

from portineria.control.access import locks
from portineria.control.access import services as access
from portineria.control.console import work
from portineria.control.identity.models import Person
from portineria.policy.ending import Locked
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.sessions import accepted, started
from tests.integration.control.world import World, fresh


def step(world: World, who: Person) -> tuple[str, str, int]:
    """State, the next step, and how many things are missing."""
    [one] = work.steps(fresh(who), list(work.machines(fresh(who))))
    return one.state, one.path.split("/")[1] + ("/ask" if one.path.endswith("/ask/") else ""), len(one.missing)


def test_each_step_leads_to_the_next_one(linked: World) -> None:
    world, who = linked, linked.technician
    assert step(world, who) == ("askable", "machines/ask", 2)
    request = world.request()
    assert step(world, who) == ("pending", "requests", 1)
    access.approve(actor=world.owner, request=request)
    assert step(world, who) == ("reachable", "machines", 0)
    accepted(world, started(world))
    assert step(world, who) == ("reachable", "sessions", 0)


def test_what_stands_in_the_way_is_said_and_later_work_waits(linked: World) -> None:
    world, who = linked, linked.technician
    access.approve(actor=world.owner, request=world.request(60, in_days=2))
    assert step(world, who) == ("approved-later", "machines", 1)
    locks.lock(actor=world.owner, organisation=world.organisation, kind=Locked.MACHINE,
               thing=world.machine.public_id, reason="smoke in the cabinet")  # fmt: skip
    assert step(world, who)[2] == 2
    page = shown(signed_in(who), "/work/")
    assert "Press 3" in page
    assert world.rivals_machine.name not in page
    assert "smoke" not in page
    assert page.count("Look at the machine") == 1
    assert signed_in(world.owner).get("/work/").status_code == 404
