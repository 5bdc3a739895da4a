# SPDX-License-Identifier: Apache-2.0
"""``portineria connect`` is asked to end, whatever became of its server and relay meanwhile."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from portineria.dataplane.connector.state import Server, Store
from tests.integration.connector.control_plane import ControlPlane
from tests.integration.connector.relay_world import SESSION, relay_world
from tests.integration.connector.responder import Responder, responding
from tests.integration.connector.terminal import SignedIn
from tests.integration.middlebox import Line, trickle
from tests.integration.process import eventually

ENDS_S = 12.0  # it takes two commands' grace and one goodbye of three seconds each, on a busy machine
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
STUBBORN = (
    "import os, signal, time; [signal.signal(n, signal.SIG_IGN) for n in (1, 2, 15)]; "
    "print(os.getpid(), flush=True); time.sleep(1000)"
)
# As a shell without job control starts what stands before an ampersand; and as nohup does.
IGNORING = "import os, signal, sys; signal.signal({number}, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"

ON_TERMINAL = "import os, sys; os.login_tty(os.open(sys.argv[1], os.O_RDWR)); os.execv(sys.argv[2], sys.argv[2:])"


@dataclass
class Far:
    """A server and a relay behind lines that a test can break."""

    terminal: SignedIn
    lines: list[Line]

    async def become(self, how: str) -> None:
        for line in self.lines:
            if how == "killed":
                await line.__aexit__()
            elif how == "frozen":
                line.black_hole()


@pytest.fixture
async def far(tmp_path: Path) -> AsyncIterator[Far]:
    key = Ed25519PrivateKey.generate()
    async with relay_world(tmp_path) as world, contextlib.AsyncExitStack() as stack:
        responder = stack.enter_context(responding(Responder(key=key.public_key(), token="t")))
        served = urlsplit(responder.url)
        assert served.hostname is not None
        assert served.port is not None
        [relay] = world.relays
        lines = [await stack.enter_async_context(Line(a)) for a in ((served.hostname, served.port), relay.address)]
        relay.shown = lines[1].address
        url = "http://{}:{}".format(*lines[0].address)
        Store(tmp_path / "home").save(
            Server(url, world.pin, "Technician", "2099-01-01T00:00:00Z", proxy="none"), key, "t"
        )
        try:
            yield Far(SignedIn(tmp_path / "home", ControlPlane(world, responder)), lines)
        finally:
            for line in lines:
                line.cut()
                line.heal()


class Held:
    """A running ``portineria connect``: what it printed, and a tool's connection that it carries."""

    def __init__(self, process: asyncio.subprocess.Process, door: tuple[str, int]) -> None:
        self.process, self.door = process, door

    async def ended(self) -> tuple[int, str]:
        assert self.process.stderr is not None
        async with asyncio.timeout(ENDS_S):
            status = await self.process.wait()
        return status, (await self.process.stderr.read()).decode()


@contextlib.asynccontextmanager
async def connected(terminal: SignedIn) -> AsyncIterator[Held]:
    async with terminal.running("connect", "Press 3") as process:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            typed = [await process.stdout.readline() for _ in range(3)][2].decode()
        host = typed.split("address ")[1].split()[0].rstrip(",")
        yield Held(process, (host, 15020))


async def used(door: tuple[str, int]) -> asyncio.StreamWriter:
    reader, writer = await asyncio.open_connection(*door)
    writer.write(b"hello")
    assert await reader.readexactly(5) == b"hello"
    return writer


def listening(door: tuple[str, int]) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(door) == 0


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("how", ["there", "killed", "frozen"])
async def test_it_ends_soon_and_lets_its_door_go(far: Far, how: str, number: signal.Signals) -> None:
    async with connected(far.terminal) as held:
        writer = await used(held.door)
        await far.become(how)
        held.process.send_signal(number)
        status, said = await held.ended()
        assert status == 128 + number
        assert ("The server could not be told" in said) == (how != "there"), said
        assert not listening(held.door)
        writer.close()


async def test_it_ends_soon_without_a_tool_too(far: Far) -> None:
    async with connected(far.terminal) as held:
        await far.become("frozen")
        held.process.send_signal(signal.SIGTERM)
        assert (await held.ended())[0] == 143


async def test_a_server_that_answers_a_byte_a_second_does_not_keep_it(far: Far) -> None:
    async with connected(far.terminal) as held, trickle() as slow:
        far.lines[0].target = slow
        held.process.send_signal(signal.SIGTERM)
        assert (await held.ended())[0] == 143


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("how", ["there", "frozen"])
async def test_a_stubborn_command_is_not_left_behind(far: Far, how: str, number: signal.Signals) -> None:
    async with far.terminal.running("connect", "Press 3", "--exec", sys.executable, "-c", STUBBORN) as process:
        assert process.stdout is not None
        child = Path(f"/proc/{int(await process.stdout.readline())}")
        await far.become(how)
        process.send_signal(number)
        async with asyncio.timeout(ENDS_S):
            assert await process.wait() == 128 + number
        await eventually(lambda: not child.exists())


async def test_asked_twice_it_waits_neither_for_its_command_nor_for_the_server(far: Far) -> None:
    async with far.terminal.running("connect", "Press 3", "--exec", sys.executable, "-c", STUBBORN) as process:
        assert process.stdout is not None
        child = Path(f"/proc/{int(await process.stdout.readline())}")
        await far.become("frozen")
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(ENDS_S):
            assert await process.wait() in (130, 143)
        await eventually(lambda: not child.exists())


async def test_asked_again_while_it_says_goodbye_it_goes(far: Far) -> None:
    async with connected(far.terminal) as held:
        await far.become("frozen")
        before = far.lines[0].accepted
        held.process.send_signal(signal.SIGINT)
        await eventually(lambda: far.lines[0].accepted > before)
        held.process.send_signal(signal.SIGINT)
        assert (await held.ended())[0] == 130


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_what_a_script_put_in_the_background_ends_too(far: Far, number: signal.Signals) -> None:
    """There SIGINT is ignored from the start, and must not be what SIGTERM is made of."""
    far.terminal.before = [sys.executable, "-c", IGNORING.format(number=2)]
    async with connected(far.terminal) as held:
        held.process.send_signal(number)
        assert (await held.ended())[0] == 128 + number
    assert far.terminal.plane.asked(f"POST /api/v1/sessions/{SESSION}/end") == 1


@pytest.mark.parametrize("how", ["there", "killed"])
async def test_a_terminal_that_is_closed_ends_the_session_in_order(far: Far, how: str) -> None:
    """Though nothing can be said any more."""
    master, slave = os.openpty()
    far.terminal.before = [sys.executable, "-c", ON_TERMINAL, os.ttyname(slave)]
    async with far.terminal.running("connect", "Press 3") as process:
        said = b""
        while b"port 15020" not in said:
            said += await asyncio.to_thread(os.read, master, 4096)
        await far.become(how)
        os.close(slave)
        os.close(master)
        async with asyncio.timeout(ENDS_S):
            assert await process.wait() == 129
    assert far.terminal.plane.asked(f"POST /api/v1/sessions/{SESSION}/end") == (how == "there")


async def test_nohup_is_respected(far: Far) -> None:
    far.terminal.before = [sys.executable, "-c", IGNORING.format(number=1)]
    async with connected(far.terminal) as held:
        held.process.send_signal(signal.SIGHUP)
        (await used(held.door)).close()
        held.process.send_signal(signal.SIGTERM)
        assert (await held.ended())[0] == 143
