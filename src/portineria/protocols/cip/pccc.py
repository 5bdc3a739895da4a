# SPDX-License-Identifier: Apache-2.0
"""PCCC, the command set of PLC-5, SLC 500 and MicroLogix, as it travels in service Execute PCCC.

Source: Rockwell Automation publication 1770-6.5.16, "DF1 Protocol and Command Set", chapter 7 (commands) and
chapter 13 (PLC addressing); the frame around it: 1756-PM020, "PCCC commands".

What is read or written decides as well as the command: a file that is not of data, or an area beside the data table, is
the processor's own. Of these, and of what the publication does not describe, nothing is told but the length.
"""

import struct
from typing import Final

from portineria.protocols.cip import plc5
from portineria.protocols.operation import Kind, Target, Value

_EXTENDED: Final = frozenset({0x06, 0x07, 0x0F})  # commands that are followed by a function byte

FUNCTIONS: Final[dict[tuple[int, int | None], tuple[str, Kind]]] = {
    (0x00, None): ("protected-write", Kind.WRITE),
    (0x01, None): ("unprotected-read", Kind.READ),
    (0x02, None): ("protected-bit-write", Kind.WRITE),
    (0x03, None): ("physical-write", Kind.PROGRAM_WRITE),  # anywhere in memory, program included
    (0x04, None): ("physical-read", Kind.PROGRAM_READ),
    (0x05, None): ("unprotected-bit-write", Kind.WRITE),
    (0x08, None): ("unprotected-write", Kind.WRITE),
    (0x06, 0x00): ("echo", Kind.DIAGNOSTIC),
    (0x06, 0x01): ("read-diagnostic-counters", Kind.READ),
    (0x06, 0x02): ("set-variables", Kind.DIAGNOSTIC),
    (0x06, 0x03): ("diagnostic-status", Kind.IDENTIFY),
    (0x06, 0x04): ("set-timeout", Kind.DIAGNOSTIC),
    (0x06, 0x05): ("set-naks", Kind.DIAGNOSTIC),
    (0x06, 0x06): ("set-enqs", Kind.DIAGNOSTIC),
    (0x06, 0x07): ("reset-diagnostic-counters", Kind.DIAGNOSTIC),
    (0x06, 0x08): ("set-data-table-size", Kind.PROGRAM_WRITE),
    (0x06, 0x09): ("read-link-parameters", Kind.READ),
    (0x06, 0x0A): ("set-link-parameters", Kind.DIAGNOSTIC),
    (0x07, 0x00): ("disable-outputs", Kind.CONTROL),
    (0x07, 0x01): ("enable-outputs", Kind.CONTROL),
    (0x07, 0x03): ("enable-scanning", Kind.START),
    (0x07, 0x04): ("enter-download-mode", Kind.PROGRAM_WRITE),
    (0x07, 0x05): ("exit-transfer-mode", Kind.PROGRAM_WRITE),
    (0x07, 0x06): ("enter-upload-mode", Kind.PROGRAM_READ),
    (0x0F, 0x00): ("word-range-write", Kind.WRITE),
    (0x0F, 0x01): ("word-range-read", Kind.READ),
    (0x0F, 0x02): ("bit-write", Kind.WRITE),
    (0x0F, 0x03): ("file-write", Kind.PROGRAM_WRITE),
    (0x0F, 0x04): ("file-read", Kind.PROGRAM_READ),
    (0x0F, 0x05): ("download-request", Kind.PROGRAM_WRITE),
    (0x0F, 0x06): ("upload", Kind.PROGRAM_READ),
    (0x0F, 0x07): ("shutdown", Kind.STOP),
    (0x0F, 0x08): ("plc-3-physical-write", Kind.PROGRAM_WRITE),
    (0x0F, 0x09): ("plc-3-physical-read", Kind.PROGRAM_READ),
    (0x0F, 0x0A): ("restart-request", Kind.STOP),
    (0x0F, 0x11): ("get-edit-resource", Kind.PROGRAM_WRITE),
    (0x0F, 0x12): ("return-edit-resource", Kind.PROGRAM_WRITE),
    (0x0F, 0x17): ("read-bytes-physical", Kind.PROGRAM_READ),
    (0x0F, 0x18): ("write-bytes-physical", Kind.PROGRAM_WRITE),
    (0x0F, 0x26): ("read-modify-write", Kind.WRITE),
    (0x0F, 0x29): ("read-section-size", Kind.READ),
    (0x0F, 0x3A): ("set-cpu-mode", Kind.MODE),
    (0x0F, 0x41): ("disable-forces", Kind.CONTROL),
    (0x0F, 0x50): ("download-all-request", Kind.PROGRAM_WRITE),
    (0x0F, 0x52): ("download-completed", Kind.PROGRAM_WRITE),
    (0x0F, 0x53): ("upload-all-request", Kind.PROGRAM_READ),
    (0x0F, 0x55): ("upload-completed", Kind.PROGRAM_READ),
    (0x0F, 0x57): ("initialize-memory", Kind.PROGRAM_WRITE),
    (0x0F, 0x5E): ("modify-compatibility-file", Kind.PROGRAM_WRITE),
    (0x0F, 0x67): ("typed-write", Kind.WRITE),
    (0x0F, 0x68): ("typed-read", Kind.READ),
    (0x0F, 0x79): ("read-modify-write-n", Kind.WRITE),
    (0x0F, 0x80): ("change-mode", Kind.MODE),
    (0x0F, 0x81): ("open-file", Kind.FILE),
    (0x0F, 0x82): ("close-file", Kind.FILE),
    (0x0F, 0x88): ("execute-multiple", Kind.UNKNOWN),  # commands of its own, whose layout the manual does not give
    (0x0F, 0x8F): ("apply-port-configuration", Kind.PROGRAM_WRITE),
    (0x0F, 0xA1): ("typed-logical-read-2", Kind.READ),
    (0x0F, 0xA2): ("typed-logical-read", Kind.READ),
    (0x0F, 0xA7): ("typed-file-read", Kind.PROGRAM_READ),
    (0x0F, 0xA9): ("typed-logical-write-2", Kind.WRITE),
    (0x0F, 0xAA): ("typed-logical-write", Kind.WRITE),
    (0x0F, 0xAB): ("typed-logical-masked-write", Kind.WRITE),
    (0x0F, 0xAF): ("typed-file-write", Kind.PROGRAM_WRITE),
}
_LOGICAL: Final = {0xA1: 2, 0xA2: 3, 0xA9: 2, 0xAA: 3, 0xAB: 3}  # how many address fields follow the size
_WRITES: Final = frozenset({0xA9, 0xAA})
_MASKED, _EVERY_BIT = 0xAB, b"\xff\xff"
_WRITING: Final = _WRITES | {_MASKED}
# Chapter 13, "file type", and what Wireshark's dissector and pycomm3 know besides: letter as people write it, and how
# the values stand on the wire.
FILE_TYPES: Final = {
    0x82: ("O", "h"),
    0x83: ("I", "h"),
    0x84: ("S", "h"),
    0x85: ("B", "h"),
    0x86: ("T", ""),
    0x87: ("C", ""),
    0x88: ("R", ""),
    0x89: ("N", "h"),
    0x8A: ("F", "f"),
    0x8D: ("ST", ""),
    0x8B: ("O", "h"),  # by slot, as the next one
    0x8C: ("I", "h"),
    0x8E: ("A", "h"),
    0x8F: ("D", "h"),
    0x91: ("L", "i"),
    0x92: ("MG", ""),
    0x93: ("PD", ""),
    0x94: ("PLS", ""),
    0xA1: ("force O", "h"),
    0xA2: ("force I", "h"),
    0xA5: ("DLG", ""),  # records of a log, as pycomm3 reads them
}
_FORCES: Final = frozenset({0xA1, 0xA2})
# Files of any other type are the processor's own: its directory, programs, configuration, and the passwords, which a
# MicroLogix tells whoever reads them (CVE-2020-6988, ICSA-20-070-06).
SYSTEM_READ, SYSTEM_WRITE, FORCES = "pccc-system-file-read", "pccc-system-file-write", "pccc-force-write"
_SYSTEM: Final = {False: (SYSTEM_READ, Kind.PROGRAM_READ), True: (SYSTEM_WRITE, Kind.PROGRAM_WRITE)}
NAMED_BY_FILE: Final = (*_SYSTEM.values(), (FORCES, Kind.CONTROL))
STATUS: Final = {  # of the remote node: chapter 8
    0x10: "illegal command or format",
    0x20: "host has a problem",
    0x30: "remote host is missing",
    0x40: "hardware fault",
    0x50: "addressing problem, or memory is protected",
    0x60: "not allowed by command protection",
    0x70: "processor is in program mode",
    0x80: "compatibility file is missing",
    0x90: "remote node cannot buffer it",
    0xA0: "wait",
    0xB0: "download has a problem",
    0xC0: "wait",
}
_EXTENDED_STATUS: Final = 0xF0

ADDRESSES: Final = {"pccc-write-bytes-physical": 4}  # bytes of the address before what is written: chapter 7
_ANSWERED: Final = 4  # command, status, number of the transaction, behind the requester's id: 1756-PM020

Decoded = tuple[str, str, Kind, tuple[Target, ...], tuple[Value, ...]]


def decode(data: bytes) -> Decoded:
    """Function, code, kind, targets and values of the data of an Execute PCCC. What does not fit is unknown."""
    size = data[0] if data else 0  # of the requester's id, this byte included: vendor and serial number, 7 in all
    unknown = "pccc-unknown", "0x4b/0x67", Kind.UNKNOWN, (), (data,) if data else ()
    if size < 1 or len(data) < size + 4:
        return unknown
    command, status = data[size], data[size + 1]
    rest = data[size + 4 :]  # after command, status and the two bytes of the transaction number
    function = None
    if command in _EXTENDED:
        if not rest:
            return unknown
        function, rest = rest[0], rest[1:]
    code = f"0x4b/0x67 {command:02x}" + (f" {function:02x}" if function is not None else "")
    name, kind = FUNCTIONS.get((command, function), (f"{command:02x}-{function or 0:02x}", Kind.UNKNOWN))
    name = f"pccc-{name}"
    if command & 0x40 or status:  # bit 6 is a reply, a status belongs to one
        return name, code, Kind.UNKNOWN, (), (rest,) if rest else ()
    if command == 0x0F and function in _LOGICAL:
        return _logical(name, code, kind, function, rest)
    if command == 0x0F and function in plc5.FUNCTIONS:
        return _by_levels(name, code, kind, function, rest)
    if (command, function) == (0x0F, plc5.READ_MODIFY_WRITE):
        return _masked(name, code, kind, rest)
    return name, code, kind, (), (rest,) if rest else ()


def told(data: bytes) -> bytes:
    """What an answer holds behind its head."""
    return data[data[0] + _ANSWERED :] if data else b""


def error(data: bytes) -> str:
    """The processor's no in the data of an answer, or empty: chapter 8."""
    at = data[0] + 1 if data else 0
    status = data[at] if 0 < at < len(data) else 0
    if not status:
        return ""
    if status == _EXTENDED_STATUS and len(data) > at + 3:
        return f"PCCC status 0x{status:02x}, extended 0x{data[at + 3]:02x}"
    return f"PCCC status 0x{status:02x}: {STATUS.get(status & 0xF0, 'of the link')}"


def _by_levels(name: str, code: str, kind: Kind, function: int, rest: bytes) -> Decoded:
    found = plc5.place(function, rest)
    if found is None:
        return name, code, Kind.UNKNOWN, (), (rest,) if rest else ()
    values: tuple[Value, ...] = (found.rest,) if found.rest else ()
    if found.system:
        name, kind = _SYSTEM[plc5.FUNCTIONS[function]]
    return name, code, kind, (found.target,), values


def _masked(name: str, code: str, kind: Kind, rest: bytes) -> Decoded:
    found = plc5.places(rest)
    if found is None:
        return name, code, Kind.UNKNOWN, (), (rest,) if rest else ()
    if any(each.system for each in found):
        name, kind = _SYSTEM[True]
    return name, code, kind, tuple(each.target for each in found), (rest,)


def _logical(name: str, code: str, kind: Kind, function: int, rest: bytes) -> Decoded:
    """Size in bytes, file number, file type, element, with three fields sub-element; 0xFF: two bytes follow."""
    fields, at = [], 1
    for position in range(_LOGICAL[function] + 1):
        if at < len(rest) and rest[at] == 0xFF and position != 1:
            fields.append(int.from_bytes(rest[at + 1 : at + 3], "little"))
            at += 3
        elif at < len(rest):
            fields.append(rest[at])
            at += 1
    if len(fields) != _LOGICAL[function] + 1 or at > len(rest):
        return name, code, Kind.UNKNOWN, (), (rest,) if rest else ()
    number, file_type, element, *sub = fields
    letter, form = FILE_TYPES.get(file_type, (f"0x{file_type:02x}/", ""))
    place = f"{letter}{number}:{element}" + (f".{sub[0]}" if sub and sub[0] else "")
    width = struct.calcsize(f"<{form}") if form else 1
    system = file_type not in FILE_TYPES
    target = Target("system file" if system else "data file", name=place, count=max(1, rest[0] // width))
    written = rest[at:]
    if system:
        name, kind = _SYSTEM[function in _WRITING]
    elif file_type in _FORCES and function in _WRITING:
        name, kind = FORCES, Kind.CONTROL
    if function not in _WRITING and written:
        kind = Kind.UNKNOWN  # a read says nothing after its address
    return name, code, kind, (target,), _written(function, written, rest[0], form)


def _written(function: int, data: bytes, size: int, form: str) -> tuple[Value, ...]:
    """As values of the file's type, where they are whole. A mask that leaves no bit as it was is no mask."""
    every = function == _MASKED and data[:2] == _EVERY_BIT
    values = data[2:] if every else data
    width = struct.calcsize(f"<{form}")
    if form and (every or function in _WRITES) and len(values) == size and size % width == 0:
        return struct.unpack(f"<{size // width}{form}", values)
    return (data,) if data else ()
