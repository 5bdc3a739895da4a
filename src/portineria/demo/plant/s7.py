# SPDX-License-Identifier: Apache-2.0
"""The drive controller: S7 over ISO-on-TCP, rack 0, slot 1. DB1 is the drive, DB2 a free recipe block.

DB1: 0 REAL speed rpm · 4 REAL speed setpoint rpm (writable) · 8 REAL torque Nm · 12 REAL motor °C · 16 DINT strokes ·
20 INT state · 22 REAL slide mm · 26 STRING[30] plant name · 58..127 free bytes (writable).
"""

import asyncio
import socket
import struct
import threading
from contextlib import suppress
from ipaddress import IPv4Address

from snap7.server import (
    EVC_CLIENT_ADDED,
    EVC_CLIENT_DISCONNECTED,
    EVC_DATA_READ,
    EVC_DATA_WRITE,
    CPUState,
    Server,
)
from snap7.type import SrvArea, SrvEvent

from portineria.core.errors import Unavailable
from portineria.demo.plant.journal import Journal
from portineria.demo.plant.layout import Place
from portineria.demo.plant.press import DRIVE_LIMITS_RPM, PressLine

DB1_BYTES, DB2_BYTES = 128, 256
SPEED, SETPOINT, NAME, FREE = 0, 4, 26, 58
_REST = struct.Struct(">ffihf")  # torque, motor temperature, strokes, state, slide: DB1 from byte 8
# Accept loop of the library: it looks at its stop flag every 0.1 s.
_STOP_WITHIN_S = 0.3


class S7Drives:
    def __init__(self, place: Place, press: PressLine, journal: Journal) -> None:
        self.place = place
        self._press, self._journal = press, journal
        self._blocks = {1: bytearray(DB1_BYTES), 2: bytearray(DB2_BYTES)}
        name = press.name.encode("ascii", "replace")[:30]
        self._blocks[1][NAME : NAME + 2 + len(name)] = bytes((30, len(name))) + name
        self._setpoint = b""
        self._stopped = False
        self._server: Server | None = None

    async def start(self) -> None:
        self._refuse_taken_address()
        server = Server(log=False)
        for number, block in self._blocks.items():
            server.register_area(SrvArea.DB, number, block)  # shared, not copied
        server.set_events_callback(self._happened)
        self._server = server
        await self.refresh()
        server.start_to(self.place.address, tcp_port=self.place.port)

    async def stop(self) -> None:
        if self._server is None:
            return
        # stop() joins one thread per connection for up to a second each; a daemon thread lets the process leave first.
        stopped = asyncio.Event()
        threading.Thread(target=self._end, args=(asyncio.get_running_loop(), stopped), daemon=True).start()
        with suppress(TimeoutError):
            async with asyncio.timeout(_STOP_WITHIN_S):
                await stopped.wait()

    def _end(self, loop: asyncio.AbstractEventLoop, stopped: asyncio.Event) -> None:
        if self._server is not None:
            self._server.stop()
        with suppress(RuntimeError):  # the loop did not wait for slow connections
            loop.call_soon_threadsafe(stopped.set)

    async def refresh(self) -> None:
        """Take over a setpoint that was written, then show the drive as it is now."""
        block, press = self._blocks[1], self._press
        written = bytes(block[SETPOINT : SETPOINT + 4])
        if self._setpoint and written != self._setpoint:
            [wanted] = struct.unpack(">f", written)
            if wanted == wanted:  # not a number keeps the old setpoint
                press.drive_setpoint_rpm = min(max(wanted, DRIVE_LIMITS_RPM[0]), DRIVE_LIMITS_RPM[1])
        if self._stopped != self._stopped_by_order():
            self._stopped = not self._stopped
            self._journal.note(self.place.device, "stop" if self._stopped else "start")
        if self._stopped:
            block[SPEED : SPEED + 4] = struct.pack(">f", 0.0)
        else:
            block[SPEED : SPEED + 4] = struct.pack(">f", press.drive_rpm)
        self._setpoint = struct.pack(">f", press.drive_setpoint_rpm)
        block[SETPOINT : SETPOINT + 4] = self._setpoint
        block[8 : 8 + _REST.size] = _REST.pack(press.torque_nm, press.motor_c, press.parts, press.state, press.slide_mm)

    def _stopped_by_order(self) -> bool:
        # After PLC stop the library still reports RUN over the protocol; its own field knows better.
        return self._server is not None and self._server.running and self._server.cpu_state is CPUState.STOP

    def _happened(self, event: SrvEvent) -> None:
        """Called from the thread of the connection, before the answer goes out."""
        peer = str(IPv4Address(int(event.EvtSender) & 0xFFFFFFFF))
        if event.EvtCode == EVC_CLIENT_ADDED:
            self._journal.note(self.place.device, "connect", peer=peer)
        elif event.EvtCode == EVC_CLIENT_DISCONNECTED:
            self._journal.note(self.place.device, "disconnect", peer=peer)
        elif event.EvtCode in (EVC_DATA_READ, EVC_DATA_WRITE):
            number, start, length = int(event.EvtParam2), int(event.EvtParam3), int(event.EvtParam4)
            details = {"area": int(event.EvtParam1), "db": number, "start": start, "length": length}
            if event.EvtCode == EVC_DATA_READ:
                self._journal.note(self.place.device, "read", **details)
            else:
                value = self._blocks.get(number, bytearray())[start : start + length].hex()
                self._journal.note(self.place.device, "write", **details, value=value)

    def _refuse_taken_address(self) -> None:
        """The library sets SO_REUSEPORT: a second server would silently take half of the first one's connections."""
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.place.address, self.place.port))
            except OSError as error:
                raise Unavailable(f"s7 cannot listen on {self.place.address}:{self.place.port}: {error}") from error
