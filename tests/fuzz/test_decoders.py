# SPDX-License-Identifier: Apache-2.0
"""The rules that hours of fuzzing look at hold of every decoder, and a decoder that breaks one of them is found."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portineria.protocols.catalogue import ALL
from portineria.protocols.inspection import ProtocolInfo, Refusal, Request
from portineria.protocols.modbus import INFO
from portineria.protocols.modbus.inspection import ModbusInspection
from tests.fuzz.decoding import Broken, check, script
from tests.fuzz.seeds import SEVERAL, conversations
from tests.unit.protocols.modbus.conversation import frame

FEW = max(60, settings().max_examples // 2)
READ, WRITE, ANSWER = frame("03 0068 0001"), frame("06 0068 00b4"), frame("03 02 0078")
BOTH = script([(True, READ, False), (False, ANSWER, False), (True, WRITE, False)])
REFUSED = bytes([0, 0x40, len(WRITE)]) + WRITE


@pytest.mark.parametrize("info", ALL, ids=lambda info: info.name)
def test_rules_hold_of_every_protocol(info: ProtocolInfo) -> None:
    known = [*conversations(info.name, SEVERAL)]
    for octets in known:
        check(info, octets)

    @settings(max_examples=FEW)
    @given(st.data())
    def hold(data: st.DataObject) -> None:
        octets = bytearray(data.draw(st.sampled_from(known) | st.binary(max_size=200)))
        for _ in range(data.draw(st.integers(0, 4)) if octets else 0):
            octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
        check(info, bytes(octets))

    hold()


class Smuggler(ModbusInspection):
    def forward(self, request: Request) -> bytes:
        super().forward(request)
        return WRITE if request.data == READ else request.data


class Stumbler(ModbusInspection):
    def from_client(self, data: bytes | memoryview) -> list[Request]:
        if bytes(data) == WRITE:
            raise KeyError("06")
        return super().from_client(data)


class Hasty(ModbusInspection):
    """What comes byte by byte it takes for something else."""

    def from_client(self, data: bytes | memoryview) -> list[Request]:
        found = super().from_client(data)
        return found if len(data) > 7 else [replace(each, expects_answer=False) for each in found]


class Mumbler(ModbusInspection):
    def refuse(self, request: Request) -> Refusal:
        return Refusal(super().refuse(request).to_client[:-2] + b"\x83\1")


class Changer(ModbusInspection):
    """Of a write another value goes on: still a write, and of the same register."""

    def forward(self, request: Request) -> bytes:
        return super().forward(request)[:-1] + b"\xff"


@pytest.mark.parametrize(
    ("decoder", "octets", "why"),
    [
        (Smuggler, BOTH, "what goes on is not what was allowed"),
        (Changer, script([(True, WRITE, False)]), "what goes on is not what was allowed"),
        (Hasty, BOTH, "split, other operations are read"),
        (Mumbler, REFUSED, "what the client is told cannot be read"),
    ],
)
def test_a_decoder_that_breaks_a_rule_is_found(decoder: type[ModbusInspection], octets: bytes, why: str) -> None:
    check(INFO, octets)
    with pytest.raises(Broken, match=why):
        check(replace(INFO, begin=decoder), octets)


def test_so_is_one_that_raises_something_else() -> None:
    with pytest.raises(KeyError):
        check(replace(INFO, begin=Stumbler), BOTH)


def test_behind_a_refusal_that_ends_a_connection_nothing_has_to_be_read() -> None:
    """OPC UA, where there is no channel for a fault: what comes with it was read before, what comes later is not."""
    opcua = next(info for info in ALL if info.name == "opcua")
    hello = b"HELF" + (32).to_bytes(4, "little") + bytes(4) + (65535).to_bytes(4, "little") * 2 + bytes(12)
    policy = b"http://opcfoundation.org/UA/SecurityPolicy#Basic"
    opens = b"OPNF" + (132).to_bytes(4, "little") + bytes(4) + len(policy).to_bytes(4, "little") + policy
    opens = opens.ljust(132, b"\0")
    for together in (opens + opens, opens + b"MSGF"):
        refused = bytes([0x40 | len(together) >> 8, len(together) & 0xFF]) + together
        for pieces in range(7):
            check(opcua, bytes([pieces << 1]) + script([(True, hello, False)])[1:] + refused)
