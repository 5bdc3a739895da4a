# SPDX-License-Identifier: Apache-2.0
"""One plant in one event loop: the press, its devices and the journal of what reached them."""

import asyncio
import time
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from portineria.demo.plant.journal import Journal
from portineria.demo.plant.layout import Place
from portineria.demo.plant.modbus import ModbusController
from portineria.demo.plant.opcua import OpcUaPress
from portineria.demo.plant.panel import OperatorPanel
from portineria.demo.plant.press import PressLine
from portineria.demo.plant.s7 import S7Drives
from portineria.demo.plant.ssh import SshMaintenance

_TICK_S = 0.2
_STOP_WITHIN_S = 0.6  # the whole process promises one second


class Device(Protocol):
    place: Place

    async def start(self) -> None:
        """Return when the device listens; ``Unavailable`` when its address is taken or absent."""

    async def stop(self) -> None: ...

    async def refresh(self) -> None:
        """Show the press as it is now; called several times a second."""


class Plant:
    def __init__(
        self,
        name: str,
        places: tuple[Place, ...],
        *,
        state: Path,
        journal: Journal,
        password: str,
        seed: int | None = None,
    ) -> None:
        self.name = name
        self._press = PressLine(name, seed)
        self._journal = journal
        controller, drives, opcua, ssh, panel = places
        self._ssh = SshMaintenance(ssh, self._press, journal, state, password)
        self._devices: tuple[Device, ...] = (
            ModbusController(controller, self._press, journal),
            S7Drives(drives, self._press, journal),
            OpcUaPress(opcua, self._press, journal),
            self._ssh,
            OperatorPanel(panel, self._press, journal),
        )

    async def start(self) -> None:
        """All devices or none: the first failure is raised after the others were stopped."""
        self._press.advance(time.monotonic())
        try:
            for device in self._devices:
                await device.start()
        except BaseException:
            await self.stop()
            raise

    async def live(self) -> None:
        """Run the process until cancelled."""
        while True:
            self._press.advance(time.monotonic())
            for device in self._devices:
                await device.refresh()
            await asyncio.sleep(_TICK_S)

    async def stop(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_STOP_WITHIN_S):
                await asyncio.gather(*(device.stop() for device in self._devices))
        self._journal.close()

    def services(self) -> list[dict[str, str | int]]:
        """What listens where, for the line that announces readiness."""
        found: list[dict[str, str | int]] = []
        for device in self._devices:
            place = device.place
            service: dict[str, str | int] = {
                "device": place.device,
                "protocol": place.protocol,
                "address": place.address,
                "port": place.port,
            }
            if device is self._ssh:
                service["fingerprint"] = self._ssh.fingerprint
            found.append(service)
        return found
