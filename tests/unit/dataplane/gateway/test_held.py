# SPDX-License-Identifier: Apache-2.0
"""What is the same request, what somebody is told of it, and when nobody is asked."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portineria.dataplane.gateway.clock import boot_s
from portineria.dataplane.gateway.functions import Refusals, Verdict
from portineria.dataplane.gateway.held import VALUES, Held, Holds, Place, fingerprint, hold_s, said_of
from portineria.dataplane.gateway.spool import Spool
from portineria.policy.function_profile import Denial, Why
from portineria.protocols.inspection import Request
from portineria.protocols.modbus import INFO
from portineria.protocols.operation import Kind, Operation, Target
from portineria.wire.statement import Asset
from tests.unit.dataplane.gateway.test_spool import chain, opened

SERVICE = Asset("srv_1", "10.0.0.1", 502)
WRITE = bytes.fromhex("000200000006 ff 06 0068 00b4")


def asked(data: bytes) -> Request:
    [request] = INFO.begin().from_client(data)
    return request


def hash_of(data: bytes, asset: Asset = SERVICE) -> bytes:
    inspection = INFO.begin()
    [request] = inspection.from_client(data)
    return fingerprint(asset, request.operations, inspection.content(request))


def test_the_same_again_has_another_number_and_the_same_hash() -> None:
    again = b"\x12\x34" + WRITE[2:]
    assert hash_of(again) == hash_of(WRITE)


@given(st.integers(6, 11), st.integers(1, 255))
def test_whatever_else_differs_is_another_request(at: int, change: int) -> None:
    other = bytearray(WRITE)
    other[at] ^= change
    if at != 7:  # another function may have another length, which is no whole request then
        assert hash_of(bytes(other)) != hash_of(WRITE)
    elsewhere = Asset("srv_1", "10.0.0.2", 502)
    assert hash_of(WRITE, elsewhere) != hash_of(WRITE)


def test_a_client_is_answered_before_it_gives_up() -> None:
    assert [round(hold_s(timeout_s), 3) for timeout_s in (3, 5, 600)] == [1.8, 3.0, 20.0]


def test_what_somebody_reads_is_short_and_says_what_it_leaves_out() -> None:
    stop = Operation("s7comm", "plc-stop", "0x29", Kind.STOP)
    many = Operation("cip", "write-tag", "0x4d", Kind.WRITE, (Target("tag", name="a\nb"),), tuple(range(20)))
    block = Operation("s7comm", "download-block", "0x1b", Kind.PROGRAM_WRITE, (), (b"\x00" * 200,))
    said = said_of((many, stop, stop, block, block, block), many)
    assert str(said["values"]).endswith(f"{VALUES - 1} +4")
    assert str(said["besides"]).startswith("plc-stop")
    assert str(said["besides"]).endswith("; +2")
    assert str(said_of((block,), block)["values"]).startswith("200 bytes, SHA-256 ")
    secret = Operation("s7comm", "set-password", "0x", Kind.MODE, (), (b"hunter2",))
    assert said_of((secret,), secret)["values"] == ""


@pytest.fixture
async def spool(tmp_path: Path) -> AsyncIterator[Spool]:
    made, store = await opened(tmp_path / "spool.sqlite3")
    yield made
    await store.close()


async def test_while_nobody_can_be_asked_it_is_refused_at_once(spool: Spool) -> None:
    request, loop = asked(WRITE), asyncio.get_running_loop()
    verdict = Verdict((), (), (("p", Denial(request.operations[0], (Why.HOLD,))),))
    place = Place("str_1", SERVICE, 3.0, lambda operations: Verdict((), ()))
    settled: asyncio.Future[bool] = loop.create_future()
    held = Held(
        request, WRITE, verdict, place, boot_s() + 60, lambda: True, lambda _, passes: settled.set_result(passes)
    )
    linked = [False]
    holds = Holds("ses_1", spool, Refusals("ses_1", spool), lambda: linked[0])
    assert holds.ask(held) is False
    linked[0] = True
    assert holds.ask(held) is None
    holds.leave(held)
    holds.close()
    await spool.record("gateway.stopped", reason="stop")
    told = [(event.code, event.fields.get("reason")) for _, event, _ in await chain(spool)]
    assert told[:3] == [
        ("operation.hold-refused", "hold.away"),
        ("operation.held", "hold"),
        ("operation.hold-refused", "hold.closed"),
    ]
    assert not settled.done()
