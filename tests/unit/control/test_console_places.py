# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio

import pytest

from portineria.control.console_places import PER_ADDRESS, PER_PERSON, Place, Places, places_within


@pytest.mark.parametrize(
    ("descriptors", "places"), [(64, 16), (1024, 768), (20_000, 2048)], ids=["few", "usual", "many"]
)
def test_descriptors_are_left_for_everything_else(descriptors: int, places: int) -> None:
    assert places_within(descriptors) == places


def taken(places: Places, peer: str, gone: list[str]) -> Place:
    place = places.take(peer)
    place.give_way = lambda: gone.append(peer)
    return place


async def test_strangers_behind_one_address_drive_away_their_own_oldest_only() -> None:
    places, gone = Places(1000), []  # type: tuple[Places, list[str]]
    taken(places, "192.0.2.1", gone)
    crowd = [taken(places, "198.51.100.9", gone) for _ in range(PER_ADDRESS)]
    assert (gone, crowd[0].held) == ([], True)
    taken(places, "198.51.100.9", gone)
    assert (gone, crowd[0].held, crowd[1].held) == (["198.51.100.9"], False, True)


async def test_a_newcomer_always_gets_in_and_the_oldest_stranger_gives_way() -> None:
    places, gone = Places(20), []  # type: tuple[Places, list[str]]
    for number in range(11):
        taken(places, f"192.0.2.{number}", gone)
    assert gone == ["192.0.2.0"]
    assert places.strangers == 10


async def test_no_number_of_strangers_drives_away_somebody_who_signed_in() -> None:
    places, gone = Places(20), []  # type: tuple[Places, list[str]]
    known = taken(places, "192.0.2.1", gone)
    known.prove("per_a")
    await asyncio.sleep(0)
    for number in range(100):
        taken(places, f"198.51.100.{number}", gone)
    assert known.held
    assert "192.0.2.1" not in gone


async def test_one_person_has_so_many_connections_and_no_more() -> None:
    places, gone = Places(1000), []  # type: tuple[Places, list[str]]
    own = [taken(places, f"192.0.2.{number}", gone) for number in range(PER_PERSON + 1)]
    for place in own:
        places.prove(place, "per_a")
    assert gone == ["192.0.2.0"]
    assert [place.held for place in own[:2]] == [False, True]


async def test_many_signed_in_people_leave_room_for_the_next_to_sign_in() -> None:
    places, gone = Places(20), []  # type: tuple[Places, list[str]]
    for number in range(15):
        places.prove(taken(places, f"192.0.2.{number}", gone), f"per_{number}")
    assert (places.strangers, gone) == (5, [])
    for number in range(30):
        taken(places, f"198.51.100.{number}", gone)
    assert places.strangers == 10


async def test_a_place_is_given_back_once() -> None:
    places, gone = Places(20), []  # type: tuple[Places, list[str]]
    place = taken(places, "192.0.2.1", gone)
    place.leave()
    place.leave()
    places.prove(place, "per_a")
    assert (places.strangers, place.person, gone) == (0, "", [])
