# SPDX-License-Identifier: Apache-2.0
"""The living process behind every device: one hydraulic press line. No I/O and no clock of its own.

All devices of a plant show this one object, so a setpoint written through the controller moves the temperature
that the panel, the drives and the OPC UA variables show.
"""

import math
import random
import zlib
from enum import IntEnum

# Longest step in seconds that is computed at once; a process that was frozen resumes instead of jumping.
_MAX_STEP_S = 2.0
_AMBIENT_C = 22.0
_RPM_PER_STROKE_A_MINUTE = 50.0

# What the machine can bear: beyond it a write is refused by the device itself.
TEMPERATURE_LIMITS_C = (20.0, 180.0)
PRESSURE_LIMITS_BAR = (20.0, 250.0)
DRIVE_LIMITS_RPM = (0.0, 3000.0)


class State(IntEnum):
    STOPPED = 0
    RUNNING = 1


class PressLine:
    """Lines with different names differ in setpoints, counters and noise; the same name always starts alike."""

    def __init__(self, name: str, seed: int | None = None) -> None:
        self.name = name
        self._noise = random.Random(zlib.crc32(name.encode()) if seed is None else seed)  # noqa: S311 - a machine's noise
        draw = self._noise.uniform
        self.state = State.RUNNING
        self.heater = True
        self.temperature_setpoint_c = round(draw(110.0, 160.0), 1)
        self.pressure_setpoint_bar = round(draw(140.0, 200.0), 1)
        self.drive_setpoint_rpm = round(draw(900.0, 1500.0))
        self.parts = self._noise.randrange(10_000, 900_000)
        self.energy_kwh = draw(10_000.0, 90_000.0)
        self.temperature_c = self.temperature_setpoint_c - draw(2.0, 8.0)
        self.pressure_bar = self.pressure_setpoint_bar
        self.oil_c = draw(41.0, 48.0)
        self.drive_rpm = float(self.drive_setpoint_rpm)
        self.motor_c = draw(55.0, 70.0)
        self.torque_nm = 0.0
        self.slide_mm = 0.0
        self.cycle_ms = 0
        self._stroke = self._noise.random()
        self._at_s: float | None = None

    def advance(self, now_s: float) -> None:
        """Bring the process to ``now_s`` (monotonic seconds)."""
        step_s = 0.0 if self._at_s is None else min(max(now_s - self._at_s, 0.0), _MAX_STEP_S)
        self._at_s = now_s
        running = self.state is State.RUNNING
        self.temperature_c += self._towards(
            self.temperature_setpoint_c if self.heater else _AMBIENT_C, self.temperature_c, step_s, time_constant_s=15.0
        ) + self._noise.gauss(0.0, 0.03)
        wanted_bar = self.pressure_setpoint_bar if running else 2.0
        self.pressure_bar += self._towards(wanted_bar, self.pressure_bar, step_s, time_constant_s=3.0)
        self.pressure_bar += self._noise.gauss(0.0, 0.08)
        self.oil_c += self._towards(46.0 if running else 30.0, self.oil_c, step_s, time_constant_s=300.0)
        self._drive(step_s, self.drive_setpoint_rpm if running else 0.0)

    def _drive(self, step_s: float, wanted_rpm: float) -> None:
        change = self._towards(wanted_rpm, self.drive_rpm, step_s, time_constant_s=1.5)
        self.drive_rpm = max(0.0, self.drive_rpm + change)
        strokes_a_minute = self.drive_rpm / _RPM_PER_STROKE_A_MINUTE
        self._stroke += strokes_a_minute / 60.0 * step_s
        finished, self._stroke = divmod(self._stroke, 1.0)
        self.parts += int(finished)
        self.cycle_ms = round(60_000 / strokes_a_minute) if strokes_a_minute > 1.0 else 0
        self.slide_mm = 250.0 * (1.0 - math.cos(2.0 * math.pi * self._stroke))
        self.torque_nm = max(0.0, self.drive_rpm / 12.0 * (1.0 + 0.3 * math.sin(2.0 * math.pi * self._stroke)))
        self.motor_c += self._towards(40.0 + self.drive_rpm / 50.0, self.motor_c, step_s, time_constant_s=120.0)
        self.energy_kwh += self.drive_rpm * self.torque_nm / 9549.0 * step_s / 3600.0

    @staticmethod
    def _towards(wanted: float, actual: float, step_s: float, *, time_constant_s: float) -> float:
        return (wanted - actual) * (1.0 - math.exp(-step_s / time_constant_s))

    def values(self) -> dict[str, str | int | float | bool]:
        """What the operator panel shows, units in the names."""
        return {
            "name": self.name,
            "state": self.state.name.lower(),
            "heater": self.heater,
            "temperature_c": round(self.temperature_c, 1),
            "temperature_setpoint_c": self.temperature_setpoint_c,
            "pressure_bar": round(self.pressure_bar, 1),
            "pressure_setpoint_bar": self.pressure_setpoint_bar,
            "drive_rpm": round(self.drive_rpm),
            "drive_setpoint_rpm": round(self.drive_setpoint_rpm),
            "oil_c": round(self.oil_c, 1),
            "motor_c": round(self.motor_c, 1),
            "cycle_ms": self.cycle_ms,
            "parts": self.parts,
            "energy_kwh": round(self.energy_kwh, 1),
        }
