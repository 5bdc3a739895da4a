# SPDX-License-Identifier: Apache-2.0
"""Who may hold a connection to the console, and who gives way when there are too many.

Half of the places are for connections on which somebody signed in has asked something; strangers cannot take those.
The other half is for the rest, where a newcomer is never turned away: the oldest stranger gives way.
"""

import asyncio
from collections.abc import Callable

_MOST = 2048  # about 60 kB each, 120 MB in all
_KEPT_DESCRIPTORS = 256  # database, bus, relays, logs, static files; and connections that are just being taken over
PER_ADDRESS = 64  # strangers behind one address: ten people who all open the sign-in page at once (six each)
PER_PERSON = 32  # five browsers, which open six each at the most


def places_within(descriptors: int) -> int:
    """How many connections fit; one descriptor each."""
    return max(16, min(_MOST, descriptors - _KEPT_DESCRIPTORS))


class Place:
    """One connection's. Everything but ``prove`` belongs to the event loop."""

    def __init__(self, places: "Places", peer: str) -> None:
        self._places = places
        self._loop = asyncio.get_running_loop()
        self.peer = peer
        self.person = ""
        self.held = True
        self.give_way: Callable[[], object] = _nothing

    def prove(self, person: str) -> None:
        """Somebody signed in has asked something on this connection. From any thread."""
        if self.person != person:
            self._loop.call_soon_threadsafe(self._places.prove, self, person)

    def leave(self) -> None:
        self._places.leave(self)


class Places:
    def __init__(self, most: int) -> None:
        self._half = most // 2
        # In the order of their coming, as dicts keep it.
        self._strangers: dict[Place, None] = {}
        self._of_address: dict[str, dict[Place, None]] = {}
        self._of_person: dict[str, dict[Place, None]] = {}
        self._proven = 0

    @property
    def strangers(self) -> int:
        return len(self._strangers)

    def take(self, peer: str) -> Place:
        """A place for a newcomer; somebody else may have to give way."""
        neighbours = self._of_address.get(peer, {})
        if len(neighbours) >= PER_ADDRESS:
            self._send_away(next(iter(neighbours)))
        elif len(self._strangers) >= self._half:
            self._send_away(next(iter(self._strangers)))
        place = Place(self, peer)
        self._strangers[place] = None
        self._of_address.setdefault(peer, {})[place] = None
        return place

    def prove(self, place: Place, person: str) -> None:
        """From now on strangers cannot drive it away. When all places of the known are taken it stays where it is."""
        if not place.held or place.person:
            return
        own = self._of_person.get(person, {})
        if len(own) >= PER_PERSON:
            self._send_away(next(iter(own)))
        if self._proven >= self._half:
            return
        self._forget_stranger(place)
        place.person = person
        self._of_person.setdefault(person, {})[place] = None
        self._proven += 1

    def leave(self, place: Place) -> None:
        """Idempotent."""
        if not place.held:
            return
        place.held = False
        if not place.person:
            self._forget_stranger(place)
            return
        self._proven -= 1
        _remove(self._of_person, place.person, place)

    def _send_away(self, place: Place) -> None:
        self.leave(place)
        place.give_way()

    def _forget_stranger(self, place: Place) -> None:
        del self._strangers[place]
        _remove(self._of_address, place.peer, place)


def _remove(groups: dict[str, dict[Place, None]], name: str, place: Place) -> None:
    del groups[name][place]
    if not groups[name]:
        del groups[name]


def _nothing() -> None:
    pass
