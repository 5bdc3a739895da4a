# SPDX-License-Identifier: Apache-2.0
"""Information elements (101, 7.2.6): the form of each on the wire, and the values that it holds."""

from collections.abc import Callable
from typing import Any, NamedTuple

from portineria.protocols.operation import Value

Values = tuple[Value, ...]


class Element(NamedTuple):
    """``form``: of the struct module, little-endian (101, 7.2.1.1)."""

    form: str
    read: Callable[[Any], Values]


def _whole(number: Value) -> Values:
    return (number,)


def _point(octet: int) -> Values:
    return bool(octet & 1), octet & 0xF0


def _double_point(octet: int) -> Values:
    return octet & 3, octet & 0xF0


def _step_position(octet: int) -> Values:
    """-64 to 63, and whether it is moving."""
    return (octet & 0x7F) - (octet << 1 & 0x80), bool(octet & 0x80)


def _normalized(number: int) -> Values:
    return (number / 32768,)


def _single_command(octet: int) -> Values:
    return bool(octet & 1), octet >> 2 & 0x1F


def _double_command(octet: int) -> Values:
    return octet & 3, octet >> 2 & 0x1F


def _without_select(octet: int) -> Values:
    return (octet & 0x7F,)


def _number_24(octets: bytes) -> Values:
    return (int.from_bytes(octets, "little"),)


def _time_24(octets: bytes) -> Values:
    """Minute and second of an unnamed hour."""
    milliseconds = int.from_bytes(octets[:2], "little")
    return (f"{octets[2] & 0x3F:02}:{milliseconds / 1000:06.3f}",)


def time_56(octets: bytes) -> Values:
    """As ISO 8601, in whatever zone the station counts; impossible numbers stay as they are."""
    milliseconds = int.from_bytes(octets[:2], "little")
    date = f"20{octets[6] & 0x7F:02}-{octets[5] & 0xF:02}-{octets[4] & 0x1F:02}"
    return (f"{date}T{octets[3] & 0x1F:02}:{octets[2] & 0x3F:02}:{milliseconds / 1000:06.3f}",)


SIQ = Element("B", _point)  # 7.2.6.1: state, quality
DIQ = Element("B", _double_point)  # 7.2.6.2: state (1 off, 2 on), quality
QDS = Element("B", _whole)  # 7.2.6.3; 0 is good
QDP = Element("B", _whole)  # 7.2.6.4
VTI = Element("B", _step_position)  # 7.2.6.5
NVA = Element("h", _normalized)  # 7.2.6.6: -1 to 1
SVA = Element("h", _whole)  # 7.2.6.7
R32 = Element("f", _whole)  # 7.2.6.8
COUNTER, SEQUENCE = Element("i", _whole), Element("B", _whole)  # 7.2.6.9: binary counter reading
SEP = Element("B", _whole)  # 7.2.6.10: event of protection equipment
SPE, OCI = Element("B", _whole), Element("B", _whole)  # 7.2.6.11 and 12
BSI = Element("I", _whole)  # 7.2.6.13
SCO = Element("B", _single_command)  # 7.2.6.15: state, qualifier
DCO = Element("B", _double_command)  # 7.2.6.16: state (1 off, 2 on), qualifier
RCO = Element("B", _double_command)  # 7.2.6.17: step (1 lower, 2 higher), qualifier
CP56 = Element("7s", time_56)  # 7.2.6.18
CP24 = Element("3s", _time_24)  # 7.2.6.19
CP16 = Element("H", _whole)  # 7.2.6.20: milliseconds
COI, QOI, QCC, QPM, QPA, QRP = (Element("B", _whole),) * 6  # 7.2.6.21 to 27
FRQ, SRQ, SCQ, LSQ, AFQ, CHS, SOF = (Element("B", _whole),) * 7  # 7.2.6.28 to 38
FBP = Element("H", _whole)  # 7.2.6.14
QOS = Element("B", _without_select)  # 7.2.6.39
SCD = Element("I", _whole)  # 7.2.6.40: 16 states, and which of them changed
NOF, NOS, LOS = Element("H", _whole), Element("B", _whole), Element("B", _whole)  # 7.2.6.33, 34 and 36
LOF = Element("3s", _number_24)  # 7.2.6.35
TSC = Element("H", _whole)  # 104, 8.9: test sequence counter
