# SPDX-License-Identifier: Apache-2.0
"""Reading one coil or discrete input: the only thing that we ever ask a Modbus device by ourselves. AP 6.1, 6.2."""

from struct import pack

from portineria.protocols.modbus.frame import EXCEPTION, BadModbus

COILS, DISCRETE_INPUTS = 1, 2


def bit_request(transaction: int, unit: int, function: int, number: int) -> bytes:
    """One whole frame. ``function``: COILS or DISCRETE_INPUTS; ``number``: counted from 0."""
    return pack(">HHHBBHH", transaction, 0, 6, unit, function, number, 1)


def bit_answered(frame: bytes, request: bytes) -> bool | None:
    """None: the device says no, with an exception. Raise BadModbus for what does not answer ``request``."""
    if frame[:2] != request[:2] or frame[6] != request[6]:
        raise BadModbus("an answer to something else than what was asked")
    if frame[7] == request[7] | EXCEPTION:
        return None
    if frame[7] != request[7] or len(frame) != 10 or frame[8] != 1:
        raise BadModbus(f"function {frame[7]} in {len(frame)} bytes where one bit was asked for")
    return bool(frame[9] & 1)
