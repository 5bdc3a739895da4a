# SPDX-License-Identifier: Apache-2.0
"""UMAS, Schneider Electric's programming protocol in function 90.

It has no public specification. Sub-functions are those of "The Unity (UMAS) protocol" (Liras en la red, 2017), which
public dissectors follow. There "upload" means to the PLC, which everybody else calls download; our names say where the
program goes. Layouts are used only where a capture shows them. That reservations carry proofs of a password: "From
Pass-the-Hash to Code Execution on Schneider Electric M340 PLCs" (Black Hat Europe 2024), which gives no layout for all
models.
"""

from struct import unpack_from

from portineria.protocols.inspection import Withheld
from portineria.protocols.modbus.data_access import Route, Values
from portineria.protocols.modbus.frame import BadModbus
from portineria.protocols.operation import Kind, Operation, Target

DONE, FAILED = 0xFE, 0xFD
_WRITTEN, _TOLD = 7, 3  # behind the number of the block; behind "done"
RESERVE, READ_BLOCK, WRITE_PROGRAM, READ_PROGRAM = 0x10, 0x20, 0x31, 0x34
_SUB = 3  # behind function, key and sub-function

# Reading a memory block reaches the program and its passwords, so it is no reading of values. Monitoring (0x50) carries
# a list of commands of its own, which is not decoded and may write: unknown.
FUNCTIONS = {
    0x01: ("umas-begin", Kind.SESSION),
    0x02: ("umas-read-id", Kind.IDENTIFY),
    0x03: ("umas-read-project", Kind.IDENTIFY),
    0x04: ("umas-read-plc", Kind.IDENTIFY),
    0x06: ("umas-read-card", Kind.IDENTIFY),
    0x0A: ("umas-repeat", Kind.SESSION),
    0x10: ("umas-reserve", Kind.MODE),
    0x11: ("umas-release", Kind.MODE),
    0x12: ("umas-keep-alive", Kind.SESSION),
    0x20: ("umas-read-memory", Kind.PROGRAM_READ),
    0x22: ("umas-read-variables", Kind.READ),
    0x23: ("umas-write-variables", Kind.WRITE),
    0x24: ("umas-read-coils-registers", Kind.READ),
    0x25: ("umas-write-coils-registers", Kind.WRITE),
    0x30: ("umas-begin-program-write", Kind.PROGRAM_WRITE),
    0x31: ("umas-program-write", Kind.PROGRAM_WRITE),
    0x32: ("umas-end-program-write", Kind.PROGRAM_WRITE),
    0x33: ("umas-begin-program-read", Kind.PROGRAM_READ),
    0x34: ("umas-program-read", Kind.PROGRAM_READ),
    0x35: ("umas-end-program-read", Kind.PROGRAM_READ),
    0x39: ("umas-read-ethernet", Kind.READ),
    0x40: ("umas-start", Kind.START),
    0x41: ("umas-stop", Kind.STOP),
    0x50: ("umas-monitor", Kind.UNKNOWN),
    0x58: ("umas-check", Kind.READ),
    0x70: ("umas-read-io", Kind.READ),
    0x71: ("umas-write-io", Kind.WRITE),
    0x73: ("umas-module-status", Kind.READ),
}


def ask(pdu: bytes, route: Route) -> tuple[Operation, ...]:
    if len(pdu) < 3:
        raise BadModbus(f"UMAS in {len(pdu)} bytes: no key, or no sub-function")
    sub = pdu[2]
    function, kind = FUNCTIONS.get(sub, ("umas-unknown", Kind.UNKNOWN))
    return (Operation("modbus", function, f"90/{sub:#04x}", kind, _targets(sub, pdu), (), route),)


def _targets(sub: int, pdu: bytes) -> tuple[Target, ...]:
    """Numbers are little-endian here. Empty where the layout is not known."""
    if sub == READ_BLOCK and len(pdu) == 12:
        block, offset, size = unpack_from("<xHIH", pdu, 3)
        return (Target(f"memory block {block}", offset, size),)
    if sub in (WRITE_PROGRAM, READ_PROGRAM) and len(pdu) >= 7:
        return (Target("program block", unpack_from("<H", pdu, 5)[0]),)
    return ()


def withheld(pdu: bytes, asked: int | None = None) -> tuple[Withheld, ...]:
    """Of a request, or of the answer to sub-function ``asked``: programs, and memory, where programs and their
    passwords lie. Of layouts that no document says, all that follows what the targets are read from; of a reservation,
    which carries the owner's name and on newer controllers what proves the application password, everything.
    """
    if RESERVE in (asked, pdu[2] if asked is None and len(pdu) > 2 else None):
        return (Withheld("modbus.umas-login", _SUB, len(pdu) - _SUB),) if len(pdu) > _SUB else ()
    if asked is None:
        at = _WRITTEN if len(pdu) > 2 and pdu[2] == WRITE_PROGRAM else len(pdu)
    else:
        at = _TOLD if asked in (READ_BLOCK, READ_PROGRAM) and pdu[2:3] == bytes((DONE,)) else len(pdu)
    return (Withheld("modbus.umas-program", at, len(pdu) - at, content=True),) if at < len(pdu) else ()


def told(_operations: tuple[Operation, ...], _asked: bytes, pdu: bytes) -> Values:
    """Nothing of what a program or variable holds: its layout depends on the project."""
    if len(pdu) < 3 or pdu[2] not in (DONE, FAILED):
        raise BadModbus("a UMAS answer that says neither done nor failed")
    return ()


def failure(pdu: bytes) -> str:
    """The PLC's no, or empty."""
    return f"UMAS error {pdu[3:7].hex() or 'without a code'}" if len(pdu) > 2 and pdu[2] == FAILED else ""
