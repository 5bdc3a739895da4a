# SPDX-License-Identifier: Apache-2.0
"""What was asked of a machine, in one form for all protocols."""

from dataclasses import dataclass
from enum import StrEnum

Value = int | float | bool | str | bytes | None
MAX_VALUES = 2048  # of one operation; 2000 coils are the most that Modbus writes or reads at once
MAX_TEXT = 256  # characters of a name that comes from the wire; longer ones are cut by whoever decodes them


class Kind(StrEnum):
    """What an operation does to the device. ``unknown`` is what the decoder's author did not know: never harmless."""

    IDENTIFY = "identify"  # who are you: vendor, model, firmware, capabilities
    READ = "read"
    WRITE = "write"  # values of the process
    CONTROL = "control"  # acts by itself: an output pulse, a method, a command of a protection device
    PROGRAM_READ = "program-read"
    PROGRAM_WRITE = "program-write"  # download, delete, compress, copy to permanent memory
    START = "start"
    STOP = "stop"
    MODE = "mode"  # run, program, test, lock; passwords and protection levels
    FIRMWARE = "firmware"
    FILE = "file"
    TIME = "time"
    DIAGNOSTIC = "diagnostic"  # counters, restarts of communication, forced listen-only: may disturb, changes no value
    SESSION = "session"  # the protocol's own housekeeping: connect, keep alive, acknowledge
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Target:
    """A range of addresses (``holding`` 104, 2 of them) or something with a name (``tag`` Press.Speed).

    ``area``: the protocol's own word, lower case. ``first`` and ``count`` in the protocol's units, counted as on the
    wire (Modbus register 0 is the first). ``name`` where it has no address.
    """

    area: str
    first: int | None = None
    count: int = 1
    name: str = ""

    def __str__(self) -> str:
        if self.first is None:
            return f"{self.area} {self.name}".rstrip()
        span = f"{self.first}" if self.count == 1 else f"{self.first}-{self.first + self.count - 1}"
        return f"{self.area} {span}"


@dataclass(frozen=True, slots=True)
class Operation:
    """``function``: a stable name of ours, kebab-case, unique within the protocol. ``code``: as it stands on the wire.

    ``route``: hops behind the device that the connection leads to, outermost first; empty: the device itself.
    ``values``: what is written or handed over, in the order of the targets; empty for reads.
    """

    protocol: str
    function: str
    code: str
    kind: Kind
    targets: tuple[Target, ...] = ()
    values: tuple[Value, ...] = ()
    route: tuple[str, ...] = ()
