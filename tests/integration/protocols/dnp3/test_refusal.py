# SPDX-License-Identifier: Apache-2.0
"""Stock masters whose commands are refused get their ordinary no and go on; nothing of them reached the outstation."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter

from dnp3.application.builder import build_range_request
from dnp3.core.enums import ControlCode, FunctionCode
from dnp3.master import Master as OtherMaster
from dnp3.master import MasterConfig
from dnp3.master.commands import ControlOperation, DirectOperateTask
from dnp3.master.tcp_runner import MasterTcpRunner
from py1815.control import CommandStatus
from py1815.decode import PointType
from py1815.master import Master
from py1815.master.association import Exchange, Outcome

from portineria.protocols.dnp3 import INFO, link
from portineria.protocols.dnp3.link import HEADER
from portineria.protocols.inspection import Request
from portineria.protocols.operation import Kind
from tests.integration.protocols.controlled import Controlled
from tests.integration.protocols.dnp3.server import BLOCKS, MASTER, OUTSTATION, POINTS
from tests.integration.protocols.pump import pumping
from tests.unit.protocols.dnp3.conversation import CROB, asks, confirmed_frames, tells, with_sequence

READS, OPERATIONS = 150, 10_000
QUESTION = bytes.fromhex("c0011e04000707")  # analog input 7
VALUE = bytes.fromhex("c08180001e040007070700")
COMMAND = bytes.fromhex(f"c005{CROB}")
NO = bytes.fromhex(f"c0818000{CROB[:-2]}09")
LOOKING = {Kind.IDENTIFY, Kind.READ, Kind.SESSION, Kind.DIAGNOSTIC}


def looks_only(request: Request) -> bool:
    return all(operation.kind in LOOKING for operation in request.operations)


def indications(exchange: Exchange) -> bytes:
    assert exchange.iin
    return exchange.iin.to_bytes()


async def test_a_refused_command_leaves_the_master_working(outstation: Controlled) -> None:
    async with pumping(INFO.begin, outstation.address, looks_only) as pump, Master() as master:
        rtu = await master.add(
            "rtu", host="127.0.0.1", port=pump.port, outstation_address=OUTSTATION, manual=True, confirm=True
        )
        for mode in ("direct", "select"):
            done = await rtu.operate(binary_outputs={3: True}, analog_outputs={7: 4.5}, mode=mode)
            assert (done.accepted, done.status(PointType.BINARY_OUTPUT, 3)) == (False, CommandStatus.NOT_AUTHORIZED)
            assert done.status(PointType.ANALOG_OUTPUT, 7) == CommandStatus.NOT_AUTHORIZED
        unanswered = await rtu.operate(binary_outputs={3: True}, mode="direct_no_ack")
        assert [each.outcome for each in unanswered.exchanges] == [Outcome.SENT]
        for refused in (rtu.restart(), rtu.write_time(), rtu.freeze(clear=True)):
            exchange = await refused
            assert (exchange.outcome, indications(exchange)[1]) == (Outcome.COMPLETE, 1)
        poll = await rtu.integrity_poll()
        assert (poll.outcome, len(poll.fragments), len(poll.objects)) == (Outcome.COMPLETE, BLOCKS, BLOCKS * POINTS)
        assert indications(await rtu.clear_restart()) == b"\0\0"
        assert rtu.connected
        refusals = len(pump.refused)
    assert (pump.connections, pump.undecodable, refusals) == (1, [], 6)
    assert outstation.state() == {"acts": [], "reads": 1}


async def test_what_is_allowed_reaches_the_outstation(outstation: Controlled) -> None:
    """The proofs above are none if the outstation would not show what it was told."""
    async with pumping(INFO.begin, outstation.address, lambda _: True) as pump, Master() as master:
        rtu = await master.add("rtu", host="127.0.0.1", port=pump.port, outstation_address=OUTSTATION, manual=True)
        done = await rtu.operate(binary_outputs={3: True}, analog_outputs={7: 4.5}, mode="select")
        assert done.accepted
        await rtu.write_time()
        await rtu.freeze()
        await rtu.restart()
    assert pump.undecodable == []
    steps = ["select 12 3", "select 41 7", "operate 12 3", "operate 41 7"]
    assert outstation.state()["acts"] == [*steps, "clock", "freeze", "restart"]


async def test_another_master_reads_on_between_refusals(outstation: Controlled) -> None:
    """It breaks off at a number that it did not expect."""
    command = [ControlOperation(index=3, control_code=ControlCode.LATCH_ON)]
    async with pumping(INFO.begin, outstation.address, looks_only) as pump:
        master = OtherMaster(config=MasterConfig(address=MASTER, outstation_address=OUTSTATION))
        async with MasterTcpRunner(master=master, port=pump.port) as runner:
            for number in range(READS):
                if number % 3 == 0:
                    await runner.request(master.build_direct_operate(DirectOperateTask(operations=command)))
                sequence = master.next_request_sequence()
                await runner.request(build_range_request(FunctionCode.READ, 30, 4, 7, 7, seq=sequence))
            assert runner.is_open
        assert (pump.connections, len(pump.refused), pump.undecodable) == (1, READS // 3, [])
    assert outstation.state() == {"acts": [], "reads": READS}


class Client:
    """With eleven requests on their way at once; strict about every octet of what comes, but for numbers of segments.

    This outstation begins each answer with segment 0, which is allowed.
    """

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.asked = 0
        self.rest = b""

    def converse(self, questions: list[bytes]) -> None:
        sent, wanted = b"", Counter[bytes]()
        for question in questions:
            sent += asks(with_sequence(question, self.asked), self.asked)
            wanted[with_sequence(NO if question == COMMAND else VALUE, self.asked)] += 1
            self.asked += 1
        self.socket.sendall(sent)
        came = Counter(self.answer() for _ in questions)
        assert came == wanted

    def frame(self) -> bytes:
        while len(self.rest) < HEADER or len(self.rest) < (size := framed(self.rest[2])):
            data = self.socket.recv(65536)
            assert data, "the connection was ended"
            self.rest += data
        raw, self.rest = self.rest[:size], self.rest[size:]
        return raw

    def confirmed(self, text: bytes, answer: int) -> bytes:
        """Each frame waits for its acknowledgement. Return the first frame of as many as the answer has."""
        for frame in confirmed_frames(with_sequence(text, self.asked), 2 * self.asked, bit=True):
            self.socket.sendall(frame)
            assert self.frame() == ACK
        self.asked += 1
        first, *_ = [self.frame() for _ in range(answer)]
        return first

    def answer(self) -> bytes:
        raw = self.frame()
        answer = next(each for each in (VALUE, NO) if len(each) == raw[2] - 6)
        answer = with_sequence(answer, raw[11])
        assert raw == tells(answer, raw[10])
        return answer


ACK, RESET = link.frame(0, MASTER, OUTSTATION), link.frame(0xC0, OUTSTATION, MASTER)
MANY = bytes.fromhex("c0050c01281e00") + b"".join(bytes((each, 0)) + bytes.fromhex(CROB)[7:] for each in range(30))


def work_confirmed(port: int) -> None:
    client = Client(port)
    with client.socket:
        client.socket.sendall(RESET)
        assert client.frame() == ACK
        for _ in range(3):
            assert client.confirmed(MANY, 2)[11:13] == with_sequence("c081", client.asked - 1)
            assert client.confirmed(QUESTION + QUESTION[2:] * 60, 1)[11:13] == with_sequence("c081", client.asked - 1)


async def test_requests_that_the_link_confirms_frame_by_frame_are_refused_or_arrive_whole(
    outstation: Controlled,
) -> None:
    async with pumping(INFO.begin, outstation.address, looks_only) as pump:
        await asyncio.to_thread(work_confirmed, pump.port)
        assert (pump.connections, len(pump.refused), pump.undecodable) == (1, 3, [])
    assert outstation.state() == {"acts": [], "reads": 3}


def framed(length: int) -> int:
    """Octets of a frame that says this length."""
    return HEADER + length - 5 + 2 * -(-(length - 5) // 16)


def work(port: int) -> None:
    client = Client(port)
    with client.socket:
        client.converse([QUESTION])  # from its answer the refusals have what the outstation says of itself
        for _ in range(OPERATIONS // 10):
            client.converse([QUESTION] * 5 + [COMMAND] + [QUESTION] * 5)


async def test_ten_thousand_reads_with_refusals_between_them(outstation: Controlled) -> None:
    async with pumping(INFO.begin, outstation.address, looks_only) as pump:
        await asyncio.to_thread(work, pump.port)
        assert (pump.connections, pump.undecodable) == (1, [])
        assert len(pump.refused) == OPERATIONS // 10
    assert outstation.state() == {"acts": [], "reads": OPERATIONS + 1}
