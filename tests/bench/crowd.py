# SPDX-License-Identifier: Apache-2.0
"""One relay process and a crowd: ``python -m tests.bench.crowd WHAT COUNT``, in a network namespace of its own.

``idle``: links that do nothing; ``storm``: the relay is killed and comes back; ``sessions``: as many at a time, then
none. The result is one line of JSON. The relay limits set-ups per address, and gateways have addresses of their own:
so this machine gets many, each the source towards one address of the relay.
"""

import asyncio
import contextlib
import json
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from portineria.dataplane.gateway.settings import GatewaySettings
from portineria.process.loop import run
from portineria.wire.leg import Ping
from tests.bench import gateways
from tests.bench.load import cpu_seconds
from tests.bench.memory import pss_bytes
from tests.integration.authority import Authority
from tests.integration.relay.bare import BareConnector, BareGateway, RawLeg
from tests.integration.relay.meter import descriptors, settled

ADDRESSES = 250
WAVES = 5
_SPARE = 400  # descriptors beside the links: set-ups, the bus
NOTHING = {"waiting": 0, "legs": 0, "pairs": 0, "setups": 0}


def lay_addresses() -> list[str]:
    """The relay's addresses, as many sources behind them."""
    lines = ["link set lo up", "addr add 10.9.0.0/16 dev lo"]
    lines += [f"route add local 10.8.{number}.1 dev lo src 10.9.{number}.1" for number in range(ADDRESSES)]
    subprocess.run(["ip", "-batch", "-"], input="\n".join(lines), text=True, check=True)
    return [f"10.8.{number}.1" for number in range(ADDRESSES)]


def allow_descriptors(wanted: int) -> int:
    """For children too; return how many links fit when this account may not have as many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, max(hard, wanted + _SPARE)))
    return min(wanted, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - _SPARE)


class Crowd:
    """The process with simulated gateways."""

    def __init__(self, process: asyncio.subprocess.Process, count: int) -> None:
        self._process, self._count = process, count
        self.pid = process.pid

    async def ask(self) -> tuple[int, Counter[str]]:
        """(links that are up, events so far by name and code)."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"\n")
        told = json.loads(await self._process.stdout.readline())
        return int(told["up"]), Counter(told["events"])

    async def all_up(self, within_s: float, *, times: int = 1, every_s: float = 0.5) -> None:
        """``times``: each has been let in so often; a link that is lost counts as up until its end noticed."""
        deadline = time.monotonic() + within_s
        while True:
            up, events = await self.ask()
            if up == self._count and events["link.opened"] >= times * self._count:
                return
            if time.monotonic() > deadline:
                raise RuntimeError(f"{up} of {self._count} links are up")
            await asyncio.sleep(every_s)


@contextlib.asynccontextmanager
async def relay_process() -> AsyncIterator[Authority]:
    with tempfile.TemporaryDirectory(prefix="bench-crowd-") as folder:
        authority = Authority(Path(folder) / "control")
        try:
            yield await authority.start(listen="0.0.0.0")
        finally:
            await authority.close()


@contextlib.asynccontextmanager
async def crowd(authority: Authority, count: int, hosts: list[str], **settings: float) -> AsyncIterator[Crowd]:
    """``count`` simulated gateways, known and admitted, on their way; with the product's settings but these."""
    world = gateways.make(authority, (hosts[number % len(hosts)] for number in range(count)))
    authority.admit(*authority.gateways)
    (authority.directory / "world").write_bytes(msgspec.msgpack.encode(world))
    given = GatewaySettings(links=1, **settings)  # type: ignore[arg-type]
    (authority.directory / "settings.json").write_bytes(msgspec.json.encode(given))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.gateways", str(authority.directory),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield Crowd(process, count)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def idle(count: int, hosts: list[str]) -> dict[str, float]:
    """What the links cost the relay in memory and, over two heartbeats, in CPU."""
    async with relay_process() as authority:
        authority.admit()
        pid = authority.relay.process.pid
        await settled(authority.relay.process, links=0)
        empty = pss_bytes(pid)
        async with crowd(authority, count, hosts) as everybody:
            await everybody.all_up(within_s=600)
            await settled(authority.relay.process, links=count, setups=0)
            full, cpu, fds = pss_bytes(pid), cpu_seconds([pid]), descriptors(pid)
            await asyncio.sleep(60)
            spent, later = cpu_seconds([pid]) - cpu, pss_bytes(pid)
        await settled(authority.relay.process, links=0, **NOTHING)
        await asyncio.sleep(35)  # the relay looks every half minute whether a crowd has left
        return {
            "links": count, "mb_empty": empty / 1e6, "kb_per_link": (full - empty) / count / 1000,
            "later_kb": (later - empty) / count / 1000,
            "mb_total": later / 1e6, "descriptors": fds, "descriptors_after": descriptors(pid),
            "mb_after": pss_bytes(pid) / 1e6, "cpu_percent": spent / 60 * 100,
        }  # fmt: skip


async def storm(count: int, hosts: list[str]) -> dict[str, object]:
    """Seconds from the relay's death until everybody is back; how its gateways fared meanwhile."""
    async with relay_process() as authority, crowd(authority, count, hosts) as everybody:
        await everybody.all_up(within_s=600)
        before, relay = (await everybody.ask())[1], authority.relay
        await asyncio.sleep(GatewaySettings().settled_s)  # after that a gateway begins with the shortest pause again
        await relay.process.kill()
        died = time.perf_counter()
        await relay.process.start()
        await authority.relay_up(relay.address.relay)
        listening = time.perf_counter() - died
        await everybody.all_up(within_s=300, times=2, every_s=0.1)
        seconds = time.perf_counter() - died
        after = (await everybody.ask())[1]
        return {
            "links": count, "seconds": seconds, "listening_s": listening,
            "relay_cpu_s": cpu_seconds([relay.process.pid]),
            "faults": {name: after[name] - before[name] for name in after if after[name] > before[name]},
        }  # fmt: skip


async def sessions(count: int, _hosts: list[str]) -> dict[str, float]:
    """So many sessions at a time through one relay, bytes both ways in all of them; what they cost, what they leave."""
    async with relay_process() as authority:
        relay, gateway = authority.relay.process, BareGateway(authority)
        authority.admit(gateway.id)
        link = await gateway.serve()

        async def beat() -> None:
            while True:
                await link.say(Ping())
                await asyncio.sleep(5)

        beating = asyncio.ensure_future(beat())
        gate = asyncio.Semaphore(32)

        async def leg() -> RawLeg:
            async with gate:
                return await BareConnector(gateway).leg()

        async def wave() -> tuple[int, int]:
            """(memory, descriptors) while all are open and every one has carried bytes both ways."""
            mine = await asyncio.gather(*(leg() for _ in range(count)))
            theirs = [await gateway.legs.get() for _ in mine]
            for sending, hearing in ((mine, theirs), (theirs, mine)):
                await asyncio.gather(*(one.send(bytes(20_000)) for one in sending))
                await asyncio.gather(*(one.exactly(20_000) for one in hearing))
            held = pss_bytes(relay.pid), descriptors(relay.pid)
            for one in gateway.made:
                one.close()
            gateway.made.clear()
            await settled(relay, **NOTHING)
            return held

        try:
            empty = pss_bytes(relay.pid), descriptors(relay.pid)
            first = await wave()
            after_first = pss_bytes(relay.pid), descriptors(relay.pid)
            cpu = cpu_seconds([relay.pid])
            for _ in range(WAVES):
                await wave()
            spent = (cpu_seconds([relay.pid]) - cpu) / WAVES / count
            left = await settled(relay, **NOTHING)
            after = pss_bytes(relay.pid), descriptors(relay.pid)
        finally:
            beating.cancel()
            await gateway.close()
        return {
            "sessions": count, "kb_per_session": (first[0] - empty[0]) / count / 1000,
            "descriptors_per_session": (first[1] - empty[1]) / count, "pipes": left["pipes"],
            "descriptors_grown": after[1] - after_first[1], "kb_grown": (after[0] - after_first[0]) / 1000,
            "cpu_ms_per_session": spent * 1e3,
        }  # fmt: skip


def main(what: str, count: int) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    hosts = lay_addresses()
    found = run({"idle": idle, "storm": storm, "sessions": sessions}[what](allow_descriptors(count), hosts))
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
