# SPDX-License-Identifier: Apache-2.0
"""The page of approvals: every request can be reached, however many there are."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from portineria.control.access import services as access
from portineria.control.identity.models import Person
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.world import World


@pytest.fixture
def crowd(world: World) -> list[str]:
    """Thirty that wait, each for a time of its own: more than one leaf."""
    askers = [(world.technician, world.machine)] * 18 + [(world.rival, world.rivals_machine)] * 12
    return [
        access.make_request(
            actor=who,
            machine=machine.public_id,
            reason=f"job {number}",
            minutes=30,
            starts_at=timezone.now() + timedelta(hours=1 + number),
        ).public_id
        for number, (who, machine) in enumerate(askers)
    ]


def ids(page: str) -> set[str]:
    return set(re.findall(r"req_[a-z2-7]{16}", page))


def collected(person: Person, named: str, leaves: int) -> list[set[str]]:
    client = signed_in(person)
    return [ids(shown(client, f"/approvals/?{named}={number}")) for number in range(1, leaves + 1)]


@pytest.mark.parametrize(
    ("who", "named"), [(lambda world: world.owner, "waiting"), (lambda world: world.operator, "others")],
    ids=["who decides", "who looks"],
)  # fmt: skip
def test_what_waits_is_divided_into_pages_and_nothing_is_left_out(
    world: World, crowd: list[str], who: Callable[[World], Person], named: str
) -> None:
    first, second = collected(who(world), named, 2)
    assert (len(first), len(second)) == (25, 5)
    assert first | second == set(crowd)
    assert f"?{named}=2" in shown(signed_in(who(world)), "/approvals/")


def test_each_list_of_the_page_is_turned_by_itself(world: World, crowd: list[str]) -> None:
    for request in crowd[:3]:
        access.refuse(actor=world.owner, request=request, reason="not today")
    decided = set(crowd[:3])
    page = shown(signed_in(world.owner), "/approvals/?waiting=2")
    assert ids(page) == decided | ids(page) & set(crowd[3:])
    assert len(ids(page) - decided) == 2
    assert "?waiting=1" in page
    assert "page=" not in page  # three decided ones need no second leaf
    beyond = shown(signed_in(world.owner), "/approvals/?waiting=99&page=x")
    assert ids(beyond) == ids(page)
