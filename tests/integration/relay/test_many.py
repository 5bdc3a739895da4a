# SPDX-License-Identifier: Apache-2.0
"""Many legs at once in a process without privileges, and what is left when they are gone."""

import asyncio
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from portineria.core.ids import Kind, new_id
from tests.integration.authority import Authority
from tests.integration.process import Process
from tests.integration.relay.bare import BareConnector, BareGateway, RawLeg, running
from tests.integration.relay.meter import descriptors, figures, resident_bytes, settled

pytestmark = pytest.mark.asyncio(loop_scope="module")
NOBODY = 65534
NOTHING = {"waiting": 0, "legs": 0, "pairs": 0, "setups": 0}


class Unprivileged(Process):
    """The relay as the user ``nobody``, without capabilities: there the kernel's limits on pipes hold."""

    def __init__(self, relay: Process) -> None:
        super().__init__(relay._arguments, relay.log)

    async def start(self, *, environment: dict[str, str] | None = None) -> None:
        command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--inh-caps=-all"]
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command, sys.executable, *self._arguments, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
            )


@pytest.fixture
def public_path() -> Iterator[Path]:
    """A folder that another user can reach; those of pytest are for their owner alone."""
    path = Path(tempfile.mkdtemp(prefix="relay-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


async def unprivileged(directory: Path, **settings: object) -> Authority:
    """A control plane with one relay that runs as nobody (as ourselves when we are not root)."""
    authority, name = Authority(directory), new_id(Kind.RELAY)
    await authority.bus.open([name])
    relay = authority.relays[name] = authority._furnish_relay(name, settings)
    if os.geteuid() == 0:
        relay.process = Unprivileged(relay.process)
        authority.sockets.chmod(0o755)
        for path in (authority.bus.path(name), *relay.key.parent.iterdir()):
            os.chown(path, NOBODY, NOBODY)
    await relay.process.start()
    await authority.relay_up(name)
    return authority


@pytest.mark.slow
async def test_six_hundred_sessions_of_an_unprivileged_relay_all_carry_their_own_bytes(public_path: Path) -> None:
    authority = await unprivileged(public_path)
    gateway = BareGateway(authority)
    gate = asyncio.Semaphore(32)

    async def dial(number: int) -> RawLeg:
        async with gate:
            return await BareConnector(gateway).leg(nested=number % 20 == 0)

    try:
        authority.admit(gateway.id)
        await gateway.serve()
        async with asyncio.timeout(100):
            mine = await asyncio.gather(*(dial(number) for number in range(600)))
            theirs = [await gateway.legs.get() for _ in mine]
            found = await settled(authority.relay.process, pairs=600)
            assert found["pipes"] == 1024  # 570 spliced pairs want 1,140: the rest is copied, not refused
            words = [secrets.token_bytes(3000) for _ in mine]
            echoes = [asyncio.ensure_future(echo(leg, 3000)) for leg in theirs]
            await asyncio.gather(*(leg.send(word) for leg, word in zip(mine, words, strict=True)))
            heard = await asyncio.gather(*(leg.exactly(3000) for leg in mine))
            assert heard == words
            await asyncio.gather(*echoes)
        assert owner(authority.relay.process.pid) != 0
        for leg in gateway.made:
            leg.close()
        await settled(authority.relay.process, **NOTHING)
    finally:
        await gateway.close()
        await authority.close()


def owner(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


async def echo(leg: RawLeg, count: int) -> None:
    await leg.send(await leg.exactly(count))


async def test_without_pipes_legs_are_copied(tmp_path: Path) -> None:
    async with running(tmp_path, pipes=1) as authority:
        gateway = BareGateway(authority)
        authority.admit(gateway.id)
        await gateway.serve()
        for _ in range(3):
            connector = BareConnector(gateway)
            mine, theirs = await connector.pair()
            word = secrets.token_bytes(300_000)
            sending = asyncio.ensure_future(mine.send(word))
            assert await theirs.exactly(len(word)) == word
            await sending
            answering = asyncio.ensure_future(theirs.send(word))
            assert await mine.exactly(len(word)) == word
            await answering
        assert (await settled(authority.relay.process, pairs=3))["pipes"] == 1
        await gateway.close()


async def test_descriptors_and_memory_return_after_five_hundred_leg_pairs(authority: Authority) -> None:
    relay, gateway = authority.relay.process, BareGateway(authority)
    authority.admit(gateway.id)
    await gateway.serve()

    async def pair(nested: bool) -> None:
        mine = await BareConnector(gateway).leg(nested=nested)
        await mine.send(bytes(20_000))

    async def wave(pairs: int) -> None:
        for _ in range(pairs // 20):
            await asyncio.gather(*(pair(nested=number % 2 == 0) for number in range(20)))
            for _ in range(20):
                await gateway.legs.get()
            for leg in gateway.made:
                leg.close()
            gateway.made.clear()
        await settled(relay, **NOTHING)

    async def held_besides_pipes() -> int:
        """How many pipes the pool made depends on how the legs of a wave overlapped."""
        return descriptors(relay.pid) - 2 * (await figures(relay))["pipes"]

    try:
        await wave(80)  # warm: the pool of pipes and the allocator have what they keep
        held, resident = await held_besides_pipes(), resident_bytes(relay.pid)
        await wave(500)
        assert await held_besides_pipes() <= held
        assert resident_bytes(relay.pid) < resident + (4 << 20)
    finally:
        await gateway.close()


async def test_a_spliced_session_does_not_keep_the_tls_that_was_taken_off(tmp_path: Path) -> None:
    async with running(tmp_path) as authority:
        relay, gateway = authority.relay.process, BareGateway(authority)
        authority.admit(gateway.id)
        await gateway.serve()
        gate = asyncio.Semaphore(16)

        async def dial() -> None:
            async with gate:
                await BareConnector(gateway).leg()

        try:
            await asyncio.gather(*(dial() for _ in range(20)))  # warm
            resident = resident_bytes(relay.pid)
            await asyncio.gather(*(dial() for _ in range(200)))
            await settled(relay, pairs=220)
            # A pair of TLS layers is 75 KB; what stays of a session, two sockets and their callbacks, is 26 KB.
            assert (resident_bytes(relay.pid) - resident) / 200 < 50_000
        finally:
            await gateway.close()
