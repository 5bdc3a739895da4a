# SPDX-License-Identifier: Apache-2.0
"""What of a message is a password or part of a program. All of it stands at the end of the message."""

from portineria.protocols.inspection import Withheld
from portineria.protocols.operation import Kind, Operation
from portineria.protocols.s7comm.header import USERDATA, Pdu
from portineria.protocols.s7comm.transport import Unit

_IN_USERDATA = 4  # return code, transport size, length: they stay, as what follows them is still that long
_IN_BLOCK = 4  # length and 0x00FB
_PACKET = 7  # RFC 1006, 6 and ISO 8073, 13.7: before the payload of each packet


def of(operation: Operation, unit: Unit, pdu: Pdu) -> tuple[Withheld, ...]:
    """``operation``: what is asked with it, or what it answers."""
    if pdu.rosctr == USERDATA:
        size = len(pdu.data) - _IN_USERDATA
        if operation.function == "plc-password":
            return _last(unit, size, "s7comm.password", content=False)
        return _last(unit, size, "s7comm.file", content=True) if operation.kind is Kind.FILE else ()
    if operation.function in ("download-block", "upload"):
        return _last(unit, len(pdu.data) - _IN_BLOCK, "s7comm.block", content=True)
    return ()


def _last(unit: Unit, size: int, rule: str, *, content: bool) -> tuple[Withheld, ...]:
    """The last ``size`` bytes of the message, which may lie in several packets."""
    found, at, before = list[Withheld](), 0, len(unit.body) - max(size, 0)
    while at < len(unit.raw):
        end = at + int.from_bytes(unit.raw[at + 2 : at + 4], "big")
        first = min(at + _PACKET + max(before, 0), end)
        before -= end - at - _PACKET
        if first < end:
            found.append(Withheld(rule, first, end - first, content))
        at = end
    return tuple(found)
