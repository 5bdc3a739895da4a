# SPDX-License-Identifier: Apache-2.0
"""Sequence numbers on both sides of one connection, of which some frames are left out and others put in.

Counted here are frames since the beginning, which do not wrap; on the wire stand the lowest 15 bits (104, 5.1).
What a side has sent is acknowledged to it only as far as the other side has acknowledged it, or it was refused.
"""

from collections import deque

from portineria.protocols.iec104.apci import MODULUS, BadIec104

WINDOW = MODULUS - 1  # 104, 5.5: the largest k; with more, an acknowledgement would mean two things
_REFUSED = -1  # is less than any number, so it counts as acknowledged


class Place:
    """Of one I frame of the client. ``number``: what it has towards the device; None while undecided."""

    __slots__ = ("acknowledges", "number")

    def __init__(self, acknowledges: int) -> None:
        self.number: int | None = None
        self.acknowledges = acknowledges  # frames of the device


class Numbering:
    def __init__(self) -> None:
        self._from_client = self._to_device = self._from_device = self._to_client = 0
        self._acknowledged_by_client = self._acknowledged_by_device = 0
        self._undecided = 0
        self._unsettled: deque[Place] = deque()  # of the client, oldest first
        self._put_in: deque[int] = deque()  # numbers, towards the client, that it has not acknowledged
        self._put_in_before = 0  # and how many that it has
        self._told_device = 0

    def client_acknowledges(self, received: int) -> int:
        """Return how many frames of the device that is. Raise BadIec104."""
        self._acknowledged_by_client = _advanced(received, self._acknowledged_by_client, self._to_client)
        while self._put_in and self._put_in[0] < self._acknowledged_by_client:
            self._put_in.popleft()
            self._put_in_before += 1
        return self._acknowledged_by_client - self._put_in_before

    def client_sends(self, sent: int, acknowledges: int) -> Place:
        """Raise BadIec104."""
        _expect(sent, self._from_client)
        self._undecided += 1
        self._check_room()
        if len(self._unsettled) >= WINDOW:
            raise BadIec104(f"more than {WINDOW} frames of the client without acknowledgement (104, 5.5)")
        self._from_client += 1
        place = Place(acknowledges)
        self._unsettled.append(place)
        return place

    def forward(self, place: Place) -> tuple[int, int]:
        """Return N(S) and N(R) towards the device."""
        place.number = self._to_device
        self._to_device += 1
        self._undecided -= 1
        return place.number, self.tell_device(place.acknowledges)

    def refuse(self, place: Place) -> tuple[int, int]:
        """Return N(S) and N(R) of the frame that is put in towards the client."""
        place.number = _REFUSED
        self._undecided -= 1
        self._put_in.append(self._to_client)
        self._to_client += 1
        return self._to_client - 1, self.settled()

    def untold(self, place: Place) -> bool:
        """Whether the device has yet to hear what a refused frame acknowledges."""
        return place.acknowledges > self._told_device

    def tell_device(self, acknowledged: int) -> int:
        """Return N(R): never less than what it was told before, also where requests were decided in another order."""
        self._told_device = max(self._told_device, acknowledged)
        return self._told_device

    def device_acknowledges(self, received: int) -> None:
        """Raise BadIec104."""
        self._acknowledged_by_device = _advanced(received, self._acknowledged_by_device, self._to_device)

    def device_sends(self, sent: int) -> int:
        """Return N(S) towards the client. Raise BadIec104."""
        _expect(sent, self._from_device)
        self._from_device += 1
        self._to_client += 1
        self._check_room()
        return self._to_client - 1

    def settled(self) -> int:
        """N(R) towards the client: up to its first frame that the device has not yet acknowledged."""
        unsettled, acknowledged = self._unsettled, self._acknowledged_by_device
        while unsettled and (number := unsettled[0].number) is not None and number < acknowledged:
            unsettled.popleft()
        return self._from_client - len(unsettled)

    def _check_room(self) -> None:
        """For what was sent to the client and for the refusal of all that is undecided."""
        if self._to_client - self._acknowledged_by_client + self._undecided > WINDOW:
            raise BadIec104(f"more than {WINDOW} frames that the client has not acknowledged (104, 5.5)")


def _expect(sent: int, expected: int) -> None:
    if sent != expected % MODULUS:
        raise BadIec104(f"N(S) {sent}, expected {expected % MODULUS} (104, 5.1)")


def _advanced(received: int, before: int, sent: int) -> int:
    after = before + (received - before) % MODULUS
    if after > sent:
        raise BadIec104(f"N(R) {received}, not {before % MODULUS} to {sent % MODULUS} (104, 5.1)")
    return after
