# SPDX-License-Identifier: Apache-2.0
"""The MBAP header (MG 3.1.3) and how a stream is cut into frames by it."""

from struct import Struct

from portineria.protocols.inspection import Undecodable

HEADER = 7  # transaction 2, protocol 2, length 2, unit 1
UMAS = 0x5A
EXCEPTION = 0x80  # AP 4.1: set in the function code of an exception
# The length counts unit and PDU. AP 4.1: a PDU has 253 bytes at most; it has its function code at least.
SHORTEST, LONGEST = 2, 254
# UMAS negotiates its own; blocks of 1022 bytes with some 10 before them are the largest that were described.
LONGEST_UMAS = 2048
_AFTER_TRANSACTION = Struct(">HHxB").unpack_from


class BadModbus(Undecodable):
    """The message says what in the specification, or in the request that it answers, it contradicts."""

    code = "protocol.modbus"


class Splitter:
    """One direction. Keeps less than one frame."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def take(self, data: bytes | memoryview) -> list[bytes]:
        """Return the frames completed by ``data``, header included. Raise BadModbus."""
        buffer = self._rest + data if self._rest else bytes(data)
        self._rest = buffer  # should a frame be bad, it stays bad whatever follows
        frames: list[bytes] = []
        at, end = 0, len(buffer)
        while end - at > HEADER:
            protocol, length, function = _AFTER_TRANSACTION(buffer, at + 2)
            _check(protocol, length, function)
            if (after := at + 6 + length) > end:
                break
            frames.append(buffer[at:after])
            at = after
        self._rest = buffer[at:]
        return frames


def _check(protocol: int, length: int, function: int) -> None:
    if protocol:
        raise BadModbus(f"protocol identifier {protocol}, not 0 (MG 3.1.3)")
    longest = LONGEST_UMAS if function & ~EXCEPTION == UMAS else LONGEST
    if not SHORTEST <= length <= longest:
        raise BadModbus(f"length {length} of function {function}, not {SHORTEST} to {longest} (AP 4.1)")
