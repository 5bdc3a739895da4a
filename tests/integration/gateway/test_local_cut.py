# SPDX-License-Identifier: Apache-2.0
"""`portineria gateway cut`: with no line anywhere, every session ends, and none begins until somebody here lifts it."""

import asyncio
import socket

import pytest

from portineria.cli.main import main
from portineria.dataplane.gateway.local_door import QUESTION_BYTES
from tests.integration.gateway.conftest import Plant
from tests.integration.process import eventually


async def cut(plant: Plant, *more: str) -> int:
    """As whoever sits at the machine; the exit status."""
    command = ["gateway", "cut", "--state", str(plant.process.state.directory), "--reason", "smoke \n in hall 2", *more]
    return await asyncio.to_thread(main, command)


async def refused(plant: Plant) -> str:
    """Why the gateway takes no new session."""
    end = plant.another_end()
    end.assets = plant.end.assets
    end.permit(end.assets)
    event = await plant.authority.event(plant.gateway, "order.refused", end.session)
    return str(event.fields["reason"])


async def test_everything_ends_without_a_line_and_nothing_begins_until_it_is_lifted(
    plant: Plant, capsys: pytest.CaptureFixture[str]
) -> None:
    other = plant.another_end()
    other.assets = plant.end.assets
    for end in (plant.end, other):
        end.permit(end.assets)
        stream = await end.open()
        await stream.say(b"before")
        await stream.heard(6)
    await plant.authority.relay.process.kill()
    assert await cut(plant) == 0
    assert "2 ended" in capsys.readouterr().out
    for connection in plant.device.connections:
        await eventually(lambda one=connection: one.ended == "reset", "reset")  # type: ignore[misc]

    await plant.process.kill()  # neither lifted nor forgotten
    await plant.process.start()
    await plant.authority.restart_relay(plant.authority.relay.address.relay)
    await plant.authority.linked(plant.gateway)
    for end in (plant.end, other):
        receipt = await plant.authority.event(plant.gateway, "session.ended", end.session)
        assert (receipt.fields["ending"], receipt.fields["reason"]) == ("cut", "cut-locally")
    told = await plant.authority.event(plant.gateway, "gateway.cut")
    assert told.fields == {"sessions": 2, "reason": "smoke in hall 2"}
    assert await refused(plant) == "gateway.cut"

    assert await cut(plant, "--lift") == 0
    assert await cut(plant, "--lift") == 1
    end = plant.another_end()
    end.assets = plant.end.assets
    end.permit(end.assets)
    stream = await end.open()
    await stream.say(b"after")
    await stream.heard(5)
    await plant.authority.event(plant.gateway, "gateway.cut-lifted")


async def test_a_gateway_that_does_not_run_begins_nothing_when_it_does_and_says_so(plant: Plant) -> None:
    await plant.process.kill()
    await plant.authority.unlinked(plant.gateway)
    assert await cut(plant) == 0
    assert await cut(plant) == 1  # it is so already
    await plant.process.start()
    await plant.authority.linked(plant.gateway)
    await plant.authority.event(plant.gateway, "gateway.cut", reason="smoke in hall 2")
    assert await refused(plant) == "gateway.cut"

    door = plant.process.state.door
    assert door.stat().st_mode & 0o777 == 0o600
    for nonsense in (b"\n", b"[]\n", b"\xff\n", b'{"type":"cut"}\n', b"x" * (QUESTION_BYTES + 1), b'{"type":"cut"'):
        answer = await asyncio.to_thread(said, str(door), nonsense)
        assert answer in (b"", b'{"code":"local.unreadable","said":{}}\n'), nonsense
    assert plant.process.running
    assert await cut(plant, "--lift") == 0


def said(door: str, question: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as visitor:
        visitor.settimeout(20)
        visitor.connect(door)
        visitor.sendall(question)
        visitor.shutdown(socket.SHUT_WR)
        return visitor.recv(1 << 16)
