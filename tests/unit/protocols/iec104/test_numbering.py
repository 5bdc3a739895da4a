# SPDX-License-Identifier: Apache-2.0
"""Neither side notices that a frame was left out or put in: their own rules of 104, 5.1 and 5.5 hold on both."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field

import pytest

from portineria.protocols.iec104.apci import MODULUS, BadIec104
from portineria.protocols.iec104.numbering import WINDOW
from portineria.protocols.inspection import Inspection, Request
from tests.unit.protocols.iec104.conversation import FLOAT, SINGLE, acknowledge, cause, frame, numbers, one, started

FRAMES = 10_000
K, W = 12, 8  # 104, 9.6: the defaults


@dataclass
class Station:
    """One end, which breaks the connection at the first number that it did not expect. It knows of no gate.

    ``sent`` and ``received`` count I frames; ``confirmed``: of those sent, how many were acknowledged to it.
    """

    sent: int = 0
    received: int = 0
    confirmed: int = 0
    unacknowledged: int = 0
    got: list[bytes] = field(default_factory=list)

    def may_send(self) -> bool:
        return self.sent - self.confirmed < K

    def send(self, asdu: str | bytes) -> bytes:
        data = frame(asdu, self.sent, self.received)
        self.sent += 1
        self.unacknowledged = 0
        return data

    def receive(self, data: bytes) -> bytes:
        """Return the acknowledgement that is due."""
        if data[2] & 3 == 1:
            self._confirm(int.from_bytes(data[4:6], "little") >> 1)
            return b""
        sent, received = numbers(data)
        assert sent == self.received % MODULUS
        self.received += 1
        self._confirm(received)
        self.got.append(data[6:])
        self.unacknowledged += 1
        return self.acknowledge() if self.unacknowledged >= W else b""

    def acknowledge(self) -> bytes:
        self.unacknowledged = 0
        return acknowledge(self.received)

    def _confirm(self, received: int) -> None:
        after = self.confirmed + (received - self.confirmed) % MODULUS
        assert after <= self.sent, f"{received} acknowledges what was never sent"
        self.confirmed = after


class Line:
    """A client, a device, and the gate between them; frames may be on their way in each direction."""

    def __init__(self, seed: int, share: float) -> None:
        self.random = random.Random(seed)
        self.share = share
        self.client, self.device, self.gate = Station(), Station(), started()
        self.to_gate: dict[str, deque[bytes]] = {"client": deque(), "device": deque()}
        self.held: list[Request] = []
        self.refused: list[bytes] = []
        self.forwarded: list[bytes] = []

    def step(self, *, sends: bool = True) -> None:
        act = self.random.randrange(0 if sends else 2, 6)
        if act == 0 and self.client.may_send():
            asdu = bytes.fromhex(SINGLE)[:6] + self.client.sent.to_bytes(3, "little") + b"\1"
            self.to_gate["client"].append(self.client.send(asdu))
        elif act == 1 and self.device.may_send():
            asdu = bytes.fromhex(FLOAT)[:6] + self.device.sent.to_bytes(3, "little") + b"\0\0\0\0\0"
            self.to_gate["device"].append(self.device.send(asdu))
        elif act in (2, 3) and self.to_gate["client"]:
            self.decide(self.gate.from_client(self.to_gate["client"].popleft()))
        elif act == 4 and self.to_gate["device"]:
            for answer in self.gate.from_device(self.to_gate["device"].popleft()):
                self.reply("client", self.client.receive(answer.data))
        elif act == 5 and self.held:
            self.conclude(self.held.pop(self.random.randrange(len(self.held))))

    def decide(self, requests: list[Request]) -> None:
        for request in requests:
            if request.operations[0].function != "acknowledge" and self.random.random() < 0.2:
                self.held.append(request)
            else:
                self.conclude(request)

    def conclude(self, request: Request) -> None:
        acknowledges = request.operations[0].function == "acknowledge"
        if acknowledges or self.random.random() >= self.share:
            if not acknowledges:
                self.forwarded.append(request.data[6:])
            self.reply("device", self.device.receive(self.gate.forward(request)))
            return
        self.refused.append(request.data[6:])
        refusal = self.gate.refuse(request)
        if refusal.to_device:
            self.reply("device", self.device.receive(refusal.to_device))
        self.reply("client", self.client.receive(refusal.to_client))

    def reply(self, side: str, data: bytes) -> None:
        if data:
            self.to_gate[side].append(data)

    def settle(self) -> None:
        """All that is held or under way arrives, and each side acknowledges what it has."""
        for station, side in ((self.client, "client"), (self.device, "device")) * 2:
            while self.to_gate["client"] or self.to_gate["device"] or self.held:
                self.step(sends=False)
            self.to_gate[side].append(station.acknowledge())
        while self.to_gate["device"]:
            self.step(sends=False)


@pytest.mark.parametrize(("seed", "share"), [(1, 0.5), (2, 0.02), (3, 1.0), (4, 0.0)])
def test_ten_thousand_frames_with_refusals_between_them(seed: int, share: float) -> None:
    """Both windows of 12 often full, a fifth of the requests held and decided in any order."""
    line = Line(seed, share)
    while line.client.sent < FRAMES:
        line.step()
    line.settle()
    assert line.device.got == line.forwarded
    no = [data for data in line.client.got if data[2] == 0x47]
    assert [data[6:] for data in no] == [data[6:] for data in line.refused]
    assert len(line.refused) + len(line.forwarded) == line.client.sent
    assert (line.client.confirmed, line.device.confirmed) == (line.client.sent, line.device.sent)
    if 0 < share < 1:
        assert line.refused
        assert line.forwarded


def test_numbers_wrap_on_both_sides_at_different_times() -> None:
    """Every third request refused, 100,000 of them: the client's numbers wrap three times, the device's twice."""
    client, device, gate = Station(), Station(), started()
    for number in range(100_000):
        request = one(gate, client.send(SINGLE))
        if number % 3 == 0:
            client.receive(gate.refuse(request).to_client)
            continue
        device.receive(gate.forward(request))
        (answer,) = gate.from_device(device.send(cause(SINGLE, 7)))
        client.receive(answer.data)
        client.got.clear()
        device.got.clear()
    assert (client.sent, client.received) == (100_000, 100_000)
    assert (device.sent, device.received) == (66_666, 66_666)
    assert client.confirmed == 100_000


def test_what_the_device_has_not_acknowledged_is_not_acknowledged_to_the_client() -> None:
    gate = started()
    gate.forward(one(gate, frame(SINGLE, 0)))
    refusal = gate.refuse(one(gate, frame(SINGLE, 1)))
    assert numbers(refusal.to_client) == (0, 0)
    (answer,) = gate.from_device(acknowledge(1))
    assert answer.data == acknowledge(2)  # what was forwarded, and the refused one after it


def test_what_is_held_is_not_acknowledged_nor_what_comes_after_it() -> None:
    gate = started()
    held = one(gate, frame(SINGLE, 0))
    later = one(gate, frame(FLOAT, 1))
    assert numbers(gate.forward(later)) == (0, 0)
    (answer,) = gate.from_device(acknowledge(1))
    assert answer.data == acknowledge(0)
    assert numbers(gate.forward(held)) == (1, 0)
    (answer,) = gate.from_device(acknowledge(2))
    assert answer.data == acknowledge(2)


def test_the_device_hears_what_a_refused_frame_acknowledged() -> None:
    gate = started()
    for number in range(3):
        gate.from_device(frame(FLOAT, number))
    refusal = gate.refuse(one(gate, frame(SINGLE, 0, 3)))
    assert refusal.to_device == acknowledge(3)
    assert gate.refuse(one(gate, frame(SINGLE, 1, 4))).to_device == b""  # only the refusal itself


def test_an_acknowledgement_is_never_taken_back() -> None:
    gate = started()
    for number in range(3):
        gate.from_device(frame(FLOAT, number))
    held = one(gate, frame(SINGLE, 0, 1))
    assert gate.forward(one(gate, acknowledge(3))) == acknowledge(3)
    assert numbers(gate.forward(held)) == (0, 3)


def test_acknowledgements_of_what_was_put_in_are_not_handed_on() -> None:
    gate = started()
    gate.refuse(one(gate, frame(SINGLE, 0)))
    assert gate.forward(one(gate, acknowledge(1))) == acknowledge(0)
    (answer,) = gate.from_device(frame(FLOAT, 0, 0))
    assert numbers(answer.data) == (1, 1)
    assert gate.forward(one(gate, acknowledge(2))) == acknowledge(1)
    assert gate.refuse(one(gate, acknowledge(2))).to_client == b""


@pytest.mark.parametrize("data", [acknowledge(1), frame(SINGLE, 0, 1), frame(SINGLE, 1)])
def test_numbers_that_cannot_be_end_the_connection(data: bytes) -> None:
    with pytest.raises(BadIec104):
        started().from_client(data)
    with pytest.raises(BadIec104):
        started().from_device(data)


def test_an_acknowledgement_older_than_the_last_ends_the_connection() -> None:
    gate = started()
    for number in range(3):
        gate.from_device(frame(FLOAT, number))
    gate.from_client(acknowledge(2))
    with pytest.raises(BadIec104):
        gate.from_client(acknowledge(1))


def fill(gate: Inspection) -> None:
    for number in range(WINDOW):
        gate.from_device(frame(FLOAT, number))


def test_no_more_is_sent_to_the_client_than_numbers_can_tell_apart() -> None:
    gate = started()
    fill(gate)
    with pytest.raises(BadIec104):
        gate.from_device(frame(FLOAT, WINDOW))
    gate = started()
    fill(gate)
    with pytest.raises(BadIec104):  # there is no number left for its refusal
        gate.from_client(frame(SINGLE, 0))
    gate = started()
    fill(gate)
    gate.refuse(one(gate, frame(SINGLE, 0, 1)))
    with pytest.raises(BadIec104):
        gate.from_device(frame(FLOAT, WINDOW))


def test_no_more_is_taken_from_the_client_than_numbers_can_tell_apart() -> None:
    gate = started()
    for number in range(WINDOW):
        gate.forward(one(gate, frame(SINGLE, number)))
    with pytest.raises(BadIec104):
        gate.from_client(frame(SINGLE, WINDOW))
