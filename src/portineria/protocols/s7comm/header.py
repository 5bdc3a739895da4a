# SPDX-License-Identifier: Apache-2.0
"""The S7 PDU: header, parameter part, data part.

Siemens has not published the protocol. What stands here is how it is known since the libnodave documentation and the
Wireshark dissector ("S7 Communication", packet-s7comm), and is held against real captures in the tests.
"""

import struct
from dataclasses import dataclass

from portineria.protocols.s7comm.errors import BadS7

PROTOCOL, PLUS = 0x32, 0x72
JOB, ACK, ACK_DATA, USERDATA = 1, 2, 3, 7  # "remote operating service control", ROSCTR
_HEADER = struct.Struct(">BBHHHH")  # protocol, ROSCTR, redundancy, reference, parameter length, data length
_ERROR = struct.Struct(">H")  # class and code, in answers only
_ANSWER = struct.Struct(">BBHHHHH")


@dataclass(slots=True)
class Pdu:
    rosctr: int
    reference: int
    error: int
    parameter: bytes
    data: bytes


def parse(message: bytes) -> Pdu:
    """Read a whole message. Raise BadS7 unless its lengths fill it exactly."""
    if len(message) < _HEADER.size:
        raise BadS7(f"message of {len(message)} bytes, expected {_HEADER.size} at least")
    protocol, rosctr, redundancy, reference, parameters, data = _HEADER.unpack_from(message)
    if protocol != PROTOCOL or redundancy:
        raise BadS7(f"message begins {message[:4].hex()}, expected 32 .. 0000")
    at, error = _HEADER.size, 0
    if rosctr in (ACK, ACK_DATA):
        if len(message) < _ANSWER.size:
            raise BadS7("answer without room for its error")
        error = _ERROR.unpack_from(message, at)[0]
        at = _ANSWER.size
    elif rosctr not in (JOB, USERDATA):
        raise BadS7(f"ROSCTR {rosctr}")
    middle = at + parameters
    if middle + data != len(message):
        raise BadS7(f"message of {len(message)} bytes says {at}+{parameters}+{data}")
    return Pdu(rosctr, reference, error, message[at:middle], message[middle:])


def answer(rosctr: int, reference: int, error: int, parameter: bytes = b"", data: bytes = b"") -> bytes:
    header = _ANSWER.pack(PROTOCOL, rosctr, 0, reference, len(parameter), len(data), error)
    return header + parameter + data


def job(pdu: Pdu) -> bytes:
    return _HEADER.pack(PROTOCOL, JOB, 0, pdu.reference, len(pdu.parameter), len(pdu.data)) + pdu.parameter + pdu.data


def userdata(reference: int, parameter: bytes, data: bytes) -> bytes:
    return _HEADER.pack(PROTOCOL, USERDATA, 0, reference, len(parameter), len(data)) + parameter + data
