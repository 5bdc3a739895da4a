# SPDX-License-Identifier: Apache-2.0
"""Consent signals: what the plant says of itself, read each second while the control plane goes on asking.

Nothing of it is kept. What is not asked any more, or cannot be read, is not said: silence is as good as a no.
"""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

import structlog

from portineria.core.errors import ProtocolError
from portineria.dataplane.aio.task import Tasks
from portineria.dataplane.gateway.clock import boot_s
from portineria.dataplane.gateway.reach import ReachList
from portineria.dataplane.gateway.signal_sources import Files, Modbus, OpcUa, Source
from portineria.wire.report import SignalValue, SignalValues
from portineria.wire.statement import ReadSignals, SignalSource

log = structlog.get_logger()
EVERY_S = 1.0
ASKED_S = 10.0  # after one letter; it is said again each second
ANSWER_S = 0.9  # of one device, connecting included
BEGIN_S = 0.5  # of it, in which signals are begun: one that is broken off costs the connection
LONGEST_PAUSE_S = 30.0  # behind failures
Device = tuple[str, str, int]  # protocol, address, port


class Signals:
    """``tell`` sends what was read. Whatever a device does, the others are read in time."""

    def __init__(
        self, folder: Path, reach: ReachList, boot: bytes, tell: Callable[[SignalValues], object],
        now: Callable[[], float] = boot_s,
    ) -> None:  # fmt: skip
        self._reach, self._boot, self._tell, self._now = reach, boot, tell, now
        self._files = Files(folder)
        self._devices: dict[Device, _Device] = {}
        self._asked: ReadSignals | None = None
        self._until = 0.0
        self._part = 0
        self._tasks = Tasks()

    def take(self, letter: ReadSignals) -> None:
        """One that a relay plays again, or brings late, changes nothing while we are asked.

        Later any begins anew: the server's clock, which numbers them, may have been set back. An old one only makes us
        read what was asked once, and say it under a nonce that counts no more.
        """
        if self._asked is not None and self._now() < self._until and letter.number <= self._asked.number:
            return
        self._asked, self._until = letter, self._now() + ASKED_S
        if not len(self._tasks) and not self._tasks.closed:
            self._tasks.spawn(self._read(), "signals")

    async def close(self) -> None:
        await self._tasks.close()
        self._forget(())

    async def _read(self) -> None:
        """Until nobody asks any more."""
        loop = asyncio.get_running_loop()
        while (asked := self._asked) is not None and self._now() < self._until:
            begun = loop.time()
            self._forget(asked.signals)
            values = await self._values(asked.signals)
            self._part += 1
            # The nonce was here before anything was read.
            self._tell(SignalValues(self._boot, asked.nonce, self._part, values))
            await asyncio.sleep(max(0.0, begun + EVERY_S - loop.time()))
        self._forget(())

    async def _values(self, sources: list[SignalSource]) -> list[SignalValue]:
        by_device: dict[Device, list[SignalSource]] = {}
        for source in sources:
            by_device.setdefault(_device_of(source), []).append(source)
        read = await asyncio.gather(*(self._of_one(device, named) for device, named in by_device.items()))
        return [value for values in read for value in values]

    async def _of_one(self, device: Device, sources: list[SignalSource]) -> list[SignalValue]:
        if not device[0]:
            return list(await asyncio.gather(*(_value(self._files, source) for source in sources)))
        if (why := self._reach.refuses(*device[1:])) is not None:
            return [SignalValue(source.signal, None, why) for source in sources]
        if device not in self._devices:
            self._devices[device] = _Device(OpcUa(*device[1:]) if device[0] == "opcua" else Modbus(*device[1:]))
        return await self._devices[device].values(sources)

    def _forget(self, sources: Iterable[SignalSource]) -> None:
        wanted = {_device_of(source) for source in sources}
        for device in self._devices.keys() - wanted:
            self._devices.pop(device).close()


class _Device:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._failures, self._not_before = 0, 0.0
        self._next = 0  # which one is read first

    async def values(self, sources: list[SignalSource]) -> list[SignalValue]:
        """Of a slow device some are left out, which are the first of the next second."""
        loop, first = asyncio.get_running_loop(), self._next % len(sources)
        begun = loop.time()
        if begun < self._not_before:
            return [SignalValue(source.signal, None, "device.pause") for source in sources]
        found = list[SignalValue]()
        try:
            async with asyncio.timeout(ANSWER_S):
                for source in sources[first:] + sources[:first]:
                    if found and loop.time() > begun + BEGIN_S:
                        break
                    on = await self._source.read(source)
                    found.append(SignalValue(source.signal, on, "" if on is not None else "signal.unreadable"))
            self._failures, self._next = 0, first + len(found)
        except (OSError, EOFError, ProtocolError) as error:  # what did not answer in time is an OSError too
            self.close()
            if found and isinstance(error, TimeoutError):
                self._next = first + len(found)
                return found
            self._next = first + len(found) + 1
            self._failures += 1
            self._not_before = loop.time() + min(LONGEST_PAUSE_S, EVERY_S * 2 ** min(self._failures - 1, 6)) - 0.1
            log.info("signal.unread", why=str(error), failures=self._failures)
            code = error.code if isinstance(error, ProtocolError) else "device.silent"
            read = {value.signal for value in found}
            found += [SignalValue(one.signal, None, code) for one in sources if one.signal not in read]
        return found

    def close(self) -> None:
        self._source.close()


async def _value(files: Files, source: SignalSource) -> SignalValue:
    try:
        async with asyncio.timeout(ANSWER_S):
            return SignalValue(source.signal, await files.read(source))
    except (OSError, ProtocolError) as error:
        log.info("signal.unread", why=str(error))
        return SignalValue(source.signal, None, "signal.unreadable")


def _device_of(source: SignalSource) -> Device:
    """Files are no device's."""
    if source.kind == "file":
        return "", "", 0
    return "opcua" if source.kind == "opcua-node" else "modbus", source.address, source.port
