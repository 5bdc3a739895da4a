# SPDX-License-Identifier: Apache-2.0
"""APCI, the six bytes before each ASDU (104, 5): how a stream is cut by it, and its three formats."""

from struct import Struct

from portineria.protocols.inspection import Undecodable

START = 0x68
HEADER = 6  # start, length, four control octets
SHORTEST, LONGEST = 4, 253  # 104, 5: the length counts control octets and ASDU
MODULUS = 1 << 15  # 104, 5.1
# 104, 5, figure 8: the control octets of the U format; exactly one function at a time.
STARTDT_ACT, STARTDT_CON, STOPDT_ACT, STOPDT_CON, TESTFR_ACT, TESTFR_CON = 0x07, 0x0B, 0x13, 0x23, 0x43, 0x83
UNNUMBERED = {
    STARTDT_ACT: "startdt-act",
    STARTDT_CON: "startdt-con",
    STOPDT_ACT: "stopdt-act",
    STOPDT_CON: "stopdt-con",
    TESTFR_ACT: "testfr-act",
    TESTFR_CON: "testfr-con",
}
CONTROL = Struct("<HH").unpack_from  # both at byte 2: of I frames N(S) and N(R), each shifted left by one
_HEAD = Struct("<BBHH").pack
_LENGTHS = range(SHORTEST, LONGEST + 1)


class BadIec104(Undecodable):
    """The message says what in the standard, or in what went before, it contradicts."""

    code = "protocol.iec104"


class Splitter:
    """One direction. Keeps less than one frame."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def take(self, data: bytes | memoryview) -> list[bytes]:
        """Return the frames completed by ``data``, header included. Raise BadIec104."""
        buffer = self._rest + data if self._rest else bytes(data)
        self._rest = buffer  # should a frame be bad, it stays bad whatever follows
        frames: list[bytes] = []
        at, end = 0, len(buffer)
        while at < end:
            if buffer[at] != START:
                raise BadIec104(f"a frame that starts with {buffer[at]:#04x}, not 0x68 (104, 5)")
            if at + 1 == end:
                break
            if (length := buffer[at + 1]) not in _LENGTHS:
                raise BadIec104(f"a frame of length {length}, not {SHORTEST} to {LONGEST} (104, 5)")
            if (after := at + 2 + length) > end:
                break
            frames.append(buffer[at:after])
            at = after
        self._rest = buffer[at:]
        return frames


def unnumbered(frame: bytes) -> int | None:
    """The function of a U frame, None of an S frame. Raise BadIec104 where it is neither."""
    first = frame[2]
    if len(frame) != HEADER:
        raise BadIec104(f"an S or U frame of {len(frame)} bytes (104, 5)")
    if first == 1:
        if frame[3] or frame[4] & 1:
            raise BadIec104("an S frame with reserved bits (104, 5)")
        return None
    if first not in UNNUMBERED or frame[3:] != b"\0\0\0":
        raise BadIec104(f"control octets {frame[2:].hex()}, no function of the U format (104, 5)")
    return first


def renumbered(frame: bytes, sent: int, received: int) -> bytes:
    """``frame``, an I frame, with these N(S) and N(R)."""
    sent, received = (sent % MODULUS) << 1, (received % MODULUS) << 1
    if CONTROL(frame, 2) == (sent, received):
        return frame
    return _HEAD(START, frame[1], sent, received) + frame[HEADER:]


def numbered(asdu: bytes, sent: int, received: int) -> bytes:
    return _HEAD(START, len(asdu) + 4, (sent % MODULUS) << 1, (received % MODULUS) << 1) + asdu


def supervisory(received: int) -> bytes:
    return _HEAD(START, 4, 1, (received % MODULUS) << 1)


def recognise(beginning: bytes) -> bool:
    """A client first starts the transfer, or tests (104, 5.2 and 5.3): nothing else is allowed before."""
    return beginning[:3] in _OPENINGS and beginning[3:HEADER] == b"\0\0\0"


_OPENINGS = {bytes((START, SHORTEST, function)) for function in (STARTDT_ACT, STOPDT_ACT, TESTFR_ACT)}
