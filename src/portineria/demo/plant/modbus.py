# SPDX-License-Identifier: Apache-2.0
"""The press controller: Modbus/TCP, unit 1. The register list below is its manual."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pymodbus import ModbusDeviceIdentification
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.server.requesthandler import ServerRequestHandler
from pymodbus.simulator import DataType, SimData, SimDevice
from pymodbus.transport import ModbusProtocol

from portineria.core.errors import Unavailable
from portineria.demo.plant.journal import Journal, address_of
from portineria.demo.plant.layout import Place
from portineria.demo.plant.press import DRIVE_LIMITS_RPM, PRESSURE_LIMITS_BAR, TEMPERATURE_LIMITS_C, PressLine, State

UNIT = 1
FIRST = 100  # first holding and input register
RECIPE = range(112, 121)  # freely writable recipe parameters, 0..1000
NAME = range(130, 146)  # plant name, two ASCII characters a register
_COUNT = NAME.stop - FIRST

# MODBUS V1.1b3, 6: which function reaches which table.
_HOLDING, _INPUTS, _COILS = frozenset({3, 6, 16, 22, 23}), frozenset({4}), frozenset({1, 5, 15})


@dataclass(frozen=True, slots=True)
class Register:
    address: int
    name: str
    show: Callable[[PressLine], float]
    limits: tuple[int, int] | None = None  # raw values the device accepts; None: a measurement, not writable
    store: Callable[[PressLine, int], None] | None = None


def _tenths(limits: tuple[float, float]) -> tuple[int, int]:
    return round(limits[0] * 10), round(limits[1] * 10)


def _store_temperature(press: PressLine, raw: int) -> None:
    press.temperature_setpoint_c = raw / 10


def _store_pressure(press: PressLine, raw: int) -> None:
    press.pressure_setpoint_bar = raw / 10


def _store_drive(press: PressLine, raw: int) -> None:
    press.drive_setpoint_rpm = raw


def _store_state(press: PressLine, raw: int) -> None:
    press.state = State(raw)


REGISTERS = (
    Register(100, "temperature, 0.1 °C", lambda press: press.temperature_c * 10),
    Register(101, "pressure, 0.1 bar", lambda press: press.pressure_bar * 10),
    Register(102, "parts, high word", lambda press: press.parts >> 16),
    Register(103, "parts, low word", lambda press: press.parts & 0xFFFF),
    Register(
        104,
        "temperature setpoint, 0.1 °C",
        lambda press: press.temperature_setpoint_c * 10,
        _tenths(TEMPERATURE_LIMITS_C),
        _store_temperature,
    ),
    Register(
        105,
        "pressure setpoint, 0.1 bar",
        lambda press: press.pressure_setpoint_bar * 10,
        _tenths(PRESSURE_LIMITS_BAR),
        _store_pressure,
    ),
    Register(
        106,
        "drive setpoint, rpm",
        lambda press: press.drive_setpoint_rpm,
        (round(DRIVE_LIMITS_RPM[0]), round(DRIVE_LIMITS_RPM[1])),
        _store_drive,
    ),
    Register(107, "state, 0 stopped 1 running", lambda press: press.state, (0, 1), _store_state),
    Register(108, "cycle time, ms", lambda press: press.cycle_ms),
    Register(109, "oil temperature, 0.1 °C", lambda press: press.oil_c * 10),
    Register(110, "drive speed, rpm", lambda press: press.drive_rpm),
    Register(111, "energy, MWh", lambda press: press.energy_kwh / 1000),
)
_LIMITS = {register.address: register.limits for register in REGISTERS if register.limits} | dict.fromkeys(
    RECIPE, (0, 1000)
)
_STORES = {register.address: register.store for register in REGISTERS if register.store}


class _Connection(ServerRequestHandler):
    def __init__(self, server: ModbusTcpServer, device: str, journal: Journal) -> None:
        super().__init__(server, None, None, None)  # type: ignore[no-untyped-call]
        self._device, self._journal = device, journal
        self._peer = ""

    def callback_connected(self) -> None:
        super().callback_connected()
        self._peer = address_of(self.transport.get_extra_info("peername"))
        self._journal.note(self._device, "connect", peer=self._peer)

    def callback_disconnected(self, exc: Exception | None) -> None:
        super().callback_disconnected(exc)
        self._journal.note(self._device, "disconnect", peer=self._peer)


class _Server(ModbusTcpServer):
    """pymodbus tells its trace function only *that* somebody connected; the journal wants to know who."""

    def __init__(self, device: SimDevice, place: Place, name: str, journal: Journal) -> None:
        identity = ModbusDeviceIdentification(  # type: ignore[no-untyped-call]
            info_name={
                "VendorName": "Portineria demo",
                "ProductName": name,
                "ModelName": "PL-300",
                "ProductCode": "PL3",
            }
        )
        super().__init__(device, identity=identity, address=(place.address, place.port))
        self._place, self._journal = place, journal

    def callback_new_connection(self) -> ModbusProtocol:
        return _Connection(self, self._place.device, self._journal)


class ModbusController:
    def __init__(self, place: Place, press: PressLine, journal: Journal) -> None:
        self.place = place
        self._press, self._journal = press, journal
        self._recipe = dict.fromkeys(RECIPE, 0)
        padded = press.name.encode("ascii", "replace")[: 2 * len(NAME)].ljust(2 * len(NAME))
        self._name = [int.from_bytes(padded[i : i + 2], "big") for i in range(0, len(padded), 2)]
        self._server: _Server | None = None

    async def start(self) -> None:
        bits = [SimData(0, count=16, values=False, datatype=DataType.BITS)]
        words = [SimData(FIRST, count=_COUNT, values=0, datatype=DataType.REGISTERS)]
        device = SimDevice(UNIT, (bits, bits, words, words), action=self._access)
        self._server = _Server(device, self.place, self._press.name, self._journal)
        try:
            await self._server.serve_forever(background=True)
        except RuntimeError as error:
            raise Unavailable(f"modbus cannot listen on {self.place.address}:{self.place.port}") from error

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.shutdown()  # type: ignore[no-untyped-call]

    async def refresh(self) -> None:
        """Nothing to do: registers are computed when they are read."""

    async def _access(
        self,
        function: int,
        first: int,
        address: int,
        count: int,
        registers: list[int],
        values: Sequence[int] | Sequence[bool] | None,
    ) -> ExcCodes | None:
        self._press.advance(time.monotonic())
        if values is None:
            self._show(function, first, registers)
            # A coil read arrives here with the number of 16-bit words, not of coils.
            self._journal.note(self.place.device, "read", function=function, address=address, count=count)
            return None
        refusal = self._refusal(function, address, values)
        if refusal is None:
            self._store(function, address, values)
        details = {"function": function, "address": address, "values": [int(value) for value in values]}
        self._journal.note(self.place.device, "write", **details, exception=refusal and int(refusal))
        return refusal

    def _show(self, function: int, first: int, registers: list[int]) -> None:
        if function in _HOLDING | _INPUTS:
            for register in REGISTERS:
                registers[register.address - first] = max(0, min(0xFFFF, round(register.show(self._press))))
            for address, value in self._recipe.items():
                registers[address - first] = value
            registers[NAME.start - first : NAME.stop - first] = self._name
        elif function in _COILS:  # coil 0: run, coil 1: heater
            registers[0] = int(self._press.state is State.RUNNING) | int(self._press.heater) << 1
        else:  # input 0: guard closed, input 1: motor turns
            registers[0] = 1 | int(self._press.drive_rpm > 1.0) << 1

    @staticmethod
    def _refusal(function: int, address: int, values: Sequence[int] | Sequence[bool]) -> ExcCodes | None:
        """A write is taken whole or not at all, as MODBUS V1.1b3, 6.12 wants."""
        if function in _COILS:
            return ExcCodes.ILLEGAL_ADDRESS if address + len(values) > 2 else None
        for place, value in enumerate(values, start=address):
            limits = _LIMITS.get(place)
            if limits is None:
                return ExcCodes.ILLEGAL_ADDRESS
            if not limits[0] <= value <= limits[1]:
                return ExcCodes.ILLEGAL_VALUE
        return None

    def _store(self, function: int, address: int, values: Sequence[int] | Sequence[bool]) -> None:
        for place, value in enumerate(values, start=address):
            if function in _COILS:
                if place == 0:
                    self._press.state = State(int(value))
                else:
                    self._press.heater = bool(value)
            elif place in _STORES:
                _STORES[place](self._press, int(value))
            else:
                self._recipe[place] = int(value)
