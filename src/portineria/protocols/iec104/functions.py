# SPDX-License-Identifier: Apache-2.0
"""Every type identification (101, 7.2.1.1 and 104, 8): what it holds, and what it does to the station."""

from dataclasses import dataclass, field
from struct import Struct

from portineria.protocols.iec104 import elements as of
from portineria.protocols.iec104.apci import UNNUMBERED
from portineria.protocols.iec104.elements import Element
from portineria.protocols.inspection import FunctionInfo
from portineria.protocols.operation import Kind

REQUESTED, ACTIVATION, DEACTIVATION, FILE_TRANSFER = 5, 6, 8, 13  # 101, 7.2.3
INTERROGATION, COUNTER_INTERROGATION, READ, SEGMENT = 100, 101, 102, 125
LAST_STANDARD = 127  # 101, 7.2.1: 128 to 255 are private


@dataclass(frozen=True, slots=True)
class Type:
    """``causes``: those that a controlling station may give (none: only stations send it). ``sequence``: may have SQ 1.

    ``select``: where among its elements the octet with the bit S/E stands; None: it has none.
    """

    name: str
    kind: Kind
    elements: tuple[Element, ...]
    clause: str
    causes: tuple[int, ...] = ()
    select: int | None = None
    sequence: bool = False
    first: Struct = field(init=False)  # with its address of three octets (104, 6)
    following: Struct = field(init=False)

    def __post_init__(self) -> None:
        form = "".join(each.form for each in self.elements)
        object.__setattr__(self, "first", Struct("<HB" + form))
        object.__setattr__(self, "following", Struct("<" + form))


def _told(name: str, *elements: Element, clause: str, sequence: bool = False) -> Type:
    return Type(name, Kind.READ, elements, clause, sequence=sequence)


def _selected(name: str, kind: Kind, *elements: Element, clause: str, select: int = 0) -> Type:
    return Type(name, kind, elements, clause, (ACTIVATION, DEACTIVATION), select)


def _acts(name: str, kind: Kind, *elements: Element, clause: str, causes: tuple[int, ...] = (ACTIVATION,)) -> Type:
    return Type(name, kind, elements, clause, causes)


def _file(name: str, *elements: Element, clause: str, causes: tuple[int, ...] = (FILE_TRANSFER,)) -> Type:
    return Type(name, Kind.FILE, elements, clause, causes, sequence=name == "file-directory")


_BOTH = (ACTIVATION, DEACTIVATION)
_TIME_24 = {  # 101, 7.3.1; 104 leaves them out, and stations send some nevertheless
    2: _told("single-point", of.SIQ, of.CP24, clause="101, 7.3.1.2"),
    4: _told("double-point", of.DIQ, of.CP24, clause="101, 7.3.1.4"),
    6: _told("step-position", of.VTI, of.QDS, of.CP24, clause="101, 7.3.1.6"),
    8: _told("bitstring", of.BSI, of.QDS, of.CP24, clause="101, 7.3.1.8"),
    10: _told("normalized-value", of.NVA, of.QDS, of.CP24, clause="101, 7.3.1.10"),
    12: _told("scaled-value", of.SVA, of.QDS, of.CP24, clause="101, 7.3.1.12"),
    14: _told("float-value", of.R32, of.QDS, of.CP24, clause="101, 7.3.1.14"),
    16: _told("integrated-total", of.COUNTER, of.SEQUENCE, of.CP24, clause="101, 7.3.1.16"),
    17: _told("protection-event", of.SEP, of.CP16, of.CP24, clause="101, 7.3.1.17"),
    18: _told("protection-start", of.SPE, of.QDP, of.CP16, of.CP24, clause="101, 7.3.1.18"),
    19: _told("protection-output", of.OCI, of.QDP, of.CP16, of.CP24, clause="101, 7.3.1.19"),
}
_PLAIN = {
    1: _told("single-point", of.SIQ, clause="101, 7.3.1.1", sequence=True),
    3: _told("double-point", of.DIQ, clause="101, 7.3.1.3", sequence=True),
    5: _told("step-position", of.VTI, of.QDS, clause="101, 7.3.1.5", sequence=True),
    7: _told("bitstring", of.BSI, of.QDS, clause="101, 7.3.1.7", sequence=True),
    9: _told("normalized-value", of.NVA, of.QDS, clause="101, 7.3.1.9", sequence=True),
    11: _told("scaled-value", of.SVA, of.QDS, clause="101, 7.3.1.11", sequence=True),
    13: _told("float-value", of.R32, of.QDS, clause="101, 7.3.1.13", sequence=True),
    15: _told("integrated-total", of.COUNTER, of.SEQUENCE, clause="101, 7.3.1.15", sequence=True),
    20: _told("packed-single-points", of.SCD, of.QDS, clause="101, 7.3.1.20", sequence=True),
    21: _told("normalized-value", of.NVA, clause="101, 7.3.1.21", sequence=True),
    70: _told("end-of-initialization", of.COI, clause="101, 7.3.3.1"),
}
_TIME_56 = {
    30: _told("single-point", of.SIQ, of.CP56, clause="101, 7.3.1.22"),
    31: _told("double-point", of.DIQ, of.CP56, clause="101, 7.3.1.23"),
    32: _told("step-position", of.VTI, of.QDS, of.CP56, clause="101, 7.3.1.24"),
    33: _told("bitstring", of.BSI, of.QDS, of.CP56, clause="101, 7.3.1.25"),
    34: _told("normalized-value", of.NVA, of.QDS, of.CP56, clause="101, 7.3.1.26"),
    35: _told("scaled-value", of.SVA, of.QDS, of.CP56, clause="101, 7.3.1.27"),
    36: _told("float-value", of.R32, of.QDS, of.CP56, clause="101, 7.3.1.28"),
    37: _told("integrated-total", of.COUNTER, of.SEQUENCE, of.CP56, clause="101, 7.3.1.29"),
    38: _told("protection-event", of.SEP, of.CP16, of.CP56, clause="101, 7.3.1.30"),
    39: _told("protection-start", of.SPE, of.QDP, of.CP16, of.CP56, clause="101, 7.3.1.31"),
    40: _told("protection-output", of.OCI, of.QDP, of.CP16, of.CP56, clause="101, 7.3.1.32"),
}
_COMMANDS = {
    45: _selected("single-command", Kind.CONTROL, of.SCO, clause="101, 7.3.2.1"),
    46: _selected("double-command", Kind.CONTROL, of.DCO, clause="101, 7.3.2.2"),
    47: _selected("regulating-step", Kind.CONTROL, of.RCO, clause="101, 7.3.2.3"),
    48: _selected("set-normalized", Kind.WRITE, of.NVA, of.QOS, clause="101, 7.3.2.4", select=1),
    49: _selected("set-scaled", Kind.WRITE, of.SVA, of.QOS, clause="101, 7.3.2.5", select=1),
    50: _selected("set-float", Kind.WRITE, of.R32, of.QOS, clause="101, 7.3.2.6", select=1),
    51: _acts("set-bitstring", Kind.WRITE, of.BSI, clause="101, 7.3.2.7", causes=_BOTH),
    58: _selected("single-command", Kind.CONTROL, of.SCO, of.CP56, clause="104, 8.1"),
    59: _selected("double-command", Kind.CONTROL, of.DCO, of.CP56, clause="104, 8.2"),
    60: _selected("regulating-step", Kind.CONTROL, of.RCO, of.CP56, clause="104, 8.3"),
    61: _selected("set-normalized", Kind.WRITE, of.NVA, of.QOS, of.CP56, clause="104, 8.4", select=1),
    62: _selected("set-scaled", Kind.WRITE, of.SVA, of.QOS, of.CP56, clause="104, 8.5", select=1),
    63: _selected("set-float", Kind.WRITE, of.R32, of.QOS, of.CP56, clause="104, 8.6", select=1),
    64: _acts("set-bitstring", Kind.WRITE, of.BSI, of.CP56, clause="104, 8.7", causes=_BOTH),
}
_SYSTEM = {
    INTERROGATION: _acts("interrogation", Kind.READ, of.QOI, clause="101, 7.3.4.1", causes=_BOTH),
    COUNTER_INTERROGATION: _acts("counter-interrogation", Kind.READ, of.QCC, clause="101, 7.3.4.2", causes=_BOTH),
    READ: _acts("read", Kind.READ, clause="101, 7.3.4.3", causes=(REQUESTED,)),
    103: _acts("set-clock", Kind.TIME, of.CP56, clause="101, 7.3.4.4"),
    104: _acts("test", Kind.DIAGNOSTIC, of.FBP, clause="101, 7.3.4.5"),
    105: _acts("reset-process", Kind.STOP, of.QRP, clause="101, 7.3.4.6"),
    106: _acts("delay-acquisition", Kind.TIME, of.CP16, clause="101, 7.3.4.7"),
    107: _acts("test", Kind.DIAGNOSTIC, of.TSC, of.CP56, clause="104, 8.8"),
    110: _acts("set-parameter-normalized", Kind.PROGRAM_WRITE, of.NVA, of.QPM, clause="101, 7.3.5.1"),
    111: _acts("set-parameter-scaled", Kind.PROGRAM_WRITE, of.SVA, of.QPM, clause="101, 7.3.5.2"),
    112: _acts("set-parameter-float", Kind.PROGRAM_WRITE, of.R32, of.QPM, clause="101, 7.3.5.3"),
    113: _acts("activate-parameter", Kind.PROGRAM_WRITE, of.QPA, clause="101, 7.3.5.4", causes=_BOTH),
}
_FILES = {
    120: _file("file-ready", of.NOF, of.LOF, of.FRQ, clause="101, 7.3.6.1"),
    121: _file("section-ready", of.NOF, of.NOS, of.LOF, of.SRQ, clause="101, 7.3.6.2"),
    122: _file("call-file", of.NOF, of.NOS, of.SCQ, clause="101, 7.3.6.3", causes=(REQUESTED, FILE_TRANSFER)),
    123: _file("last-segment", of.NOF, of.NOS, of.LSQ, of.CHS, clause="101, 7.3.6.4"),
    124: _file("acknowledge-file", of.NOF, of.NOS, of.AFQ, clause="101, 7.3.6.5"),
    SEGMENT: _file("segment", of.NOF, of.NOS, of.LOS, clause="101, 7.3.6.6"),
    126: _file("file-directory", of.NOF, of.LOF, of.SOF, of.CP56, clause="101, 7.3.6.7", causes=()),
    127: _file("query-log", of.NOF, of.CP56, of.CP56, clause="104, 8.9"),
}
TYPES = dict(sorted({**_PLAIN, **_TIME_24, **_TIME_56, **_COMMANDS, **_SYSTEM, **_FILES}.items()))

COUNTER_FREEZE, QCC_FREEZE = "counter-freeze", 0xC0  # 101, 7.2.6.23: freezes or resets what it reads, unless 0
SELECT = 0x80  # 101, 7.2.6.26 and 39: S/E
# What no station does, or not with these words: never harmless, whoever would execute it.
UNKNOWN, UNKNOWN_CAUSE, REVERSED = "unknown", "unknown-cause", "monitor-direction"


def listed() -> tuple[FunctionInfo, ...]:
    """All that have a name, in the order of their types; what has no ASDU before."""
    found = [FunctionInfo("acknowledge", "S", Kind.SESSION, "104, 5.1")]
    found += [FunctionInfo(name, "U", Kind.SESSION, "104, 5.2 and 5.3") for name in UNNUMBERED.values()]
    for number, each in TYPES.items():
        found += [FunctionInfo(name, str(number), kind, each.clause) for name, kind in _names(number, each)]
    for name, clause in ((UNKNOWN, "101, 7.2.1"), (UNKNOWN_CAUSE, "101, 7.2.3"), (REVERSED, "101, 7.2.1")):
        found.append(FunctionInfo(name, "any", Kind.UNKNOWN, clause))
    return tuple(found)


def _names(number: int, each: Type) -> list[tuple[str, Kind]]:
    if each.select is None:
        named = [(each.name, each.kind)]
    else:
        named = [(f"{each.name}-{step}", each.kind) for step in ("select", "execute")]
    if number == COUNTER_INTERROGATION:
        named.append((COUNTER_FREEZE, Kind.CONTROL))
    if DEACTIVATION in each.causes:
        named.append((f"{each.name}-cancel", each.kind))
    return named
