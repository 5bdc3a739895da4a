# SPDX-License-Identifier: Apache-2.0
"""What a service number means: by class, since the same number means different things in different objects.

Sources: THE CIP NETWORKS LIBRARY Volume 1 ("V1"), appendix A (common services) and chapter 5 (objects); Volume 2
("V2"), chapter 5; Volume 7; Rockwell Automation publication 1756-PM020 (tags, templates, program scope, PCCC).
"""

from typing import Final

from portineria.protocols.operation import Kind

IDENTITY, MESSAGE_ROUTER, CONNECTION_MANAGER, FILE = 0x01, 0x02, 0x06, 0x37  # V1, 5-1, 5A
TIME_SYNC = 0x43  # V1, 5A-47
PASSWORDS = 0x61  # Volume 8: the authenticator that compares a name and a password
PCCC, PROGRAM, SYMBOL, TEMPLATE, WALL_CLOCK = 0x67, 0x68, 0x6B, 0x6C, 0x8B  # 1756-PM020; wall clock: 1756-RM003
TAG: Final = -1  # not a class: a path that begins with a symbol

CLASSES: Final = {
    IDENTITY: "identity",
    MESSAGE_ROUTER: "message router",
    0x03: "devicenet",
    0x04: "assembly",
    0x05: "connection",
    CONNECTION_MANAGER: "connection manager",
    0x07: "register",
    0x08: "discrete input",
    0x09: "discrete output",
    0x0A: "analog input",
    0x0B: "analog output",
    0x0E: "presence sensing",
    0x0F: "parameter",
    0x10: "parameter group",
    0x12: "group",
    0x1D: "discrete input group",
    0x1E: "discrete output group",
    0x1F: "discrete group",
    0x20: "analog input group",
    0x21: "analog output group",
    0x22: "analog group",
    0x23: "position sensor",
    0x24: "position controller supervisor",
    0x25: "position controller",
    0x26: "block sequencer",
    0x27: "command block",
    0x28: "motor data",
    0x29: "control supervisor",
    0x2A: "drive",
    0x2B: "acknowledge handler",
    0x2C: "overload",
    0x2D: "softstart",
    0x2E: "selection",
    0x30: "s-device supervisor",
    FILE: "file",
    0x39: "safety supervisor",
    0x3A: "safety validator",
    0x41: "event log",
    0x42: "motion device axis",
    TIME_SYNC: "time sync",
    0x44: "modbus",
    0x45: "originator connection list",
    0x46: "modbus serial link",
    0x47: "device level ring",
    0x48: "qos",
    0x4D: "target connection list",
    0x52: "snmp",
    0x5D: "cip security",  # Volume 8, as the next five
    0x5E: "ethernet/ip security",
    0x5F: "certificate management",
    0x60: "authority",
    PASSWORDS: "password authenticator",
    0x62: "certificate authenticator",
    0xF0: "controlnet",
    0xF1: "controlnet keeper",
    0xF2: "controlnet scheduling",
    0xF3: "connection configuration",
    0xF4: "port",
    0xF5: "tcp/ip interface",
    0xF6: "ethernet link",
}
# Makers' own: Volume 1, 4-7, table 4-7.1. Those of Rockwell Automation that its publications, or clients that cite
# them, name; what services of their own do is known of those in SPECIFIC alone.
VENDORS: Final = (range(0x64, 0xC8), range(0x0300, 0x0500))
OF_ROCKWELL: Final = {
    0x64: ("program name", "pycomm3, object_library.py, by technote 23341"),
    PCCC: ("pccc", "1756-PM020, PCCC commands"),
    PROGRAM: ("program", "1756-PM020, symbol object"),
    0x69: ("map", "1756-PM020, symbol object: names that the system keeps, as the next ones"),
    SYMBOL: ("symbol", "1756-PM020, symbol object"),
    TEMPLATE: ("template", "1756-PM020, template object"),
    0x6D: ("routine", "1756-PM020, symbol object"),
    0x70: ("task", "1756-PM020, symbol object"),
    0x7E: ("module connection", "1756-PM020, symbol object"),
    WALL_CLOCK: ("wall clock", "1756-RM003, GSV and SSV"),
    0xAC: ("program changes", "1756-PM020, detecting changes of tags"),
}

# Classes of the process: writing there sets values. Writing anywhere else (communication, safety, program, whatever
# a maker keeps in classes of its own: V1, 4-7, table 4-7.1) changes what the device is, as a download does.
PROCESS: Final = frozenset({0x04, *range(0x07, 0x0C), *range(0x0E, 0x13), *range(0x1D, 0x2F)})
CLOCKS: Final = frozenset({TIME_SYNC, WALL_CLOCK})

BUNDLE: Final = 0x0A  # Multiple_Service_Packet: V1, A-4.10
GET: Final = {  # V1, A-4.1, A-4.3, A-4.14, A-4.17, A-4.24
    0x01: "get-attributes-all",
    0x03: "get-attribute-list",
    0x0E: "get-attribute-single",
    0x11: "find-next-object-instance",
    0x18: "get-member",
}
SET: Final = {  # V1, A-4.2, A-4.4, A-4.13, A-4.16, A-4.25 to
    0x02: "set-attributes-all",
    0x04: "set-attribute-list",
    0x0D: "apply-attributes",
    0x10: "set-attribute-single",
    0x19: "set-member",
    0x1A: "insert-member",
    0x1B: "remove-member",
}
ACT: Final = {  # V1, A-4.5 to
    0x05: ("reset", Kind.CONTROL),
    0x06: ("start", Kind.START),
    0x07: ("stop", Kind.STOP),
    0x08: ("create", Kind.PROGRAM_WRITE),
    0x09: ("delete", Kind.PROGRAM_WRITE),
    0x15: ("restore", Kind.PROGRAM_WRITE),
    0x16: ("save", Kind.PROGRAM_WRITE),
    0x17: ("no-operation", Kind.SESSION),
    0x1C: ("group-sync", Kind.TIME),
}
LAST_COMMON: Final = 0x31  # V1, 4-9, table 4-9.1: 0x32-0x4A are the maker's, 0x4B-0x63 the object's

FORWARD_CLOSE, UNCONNECTED_SEND, FORWARD_OPEN, LARGE_FORWARD_OPEN = 0x4E, 0x52, 0x54, 0x5B  # V1, 3-5.4
EXECUTE_PCCC: Final = 0x4B  # 1756-PM020, "PCCC commands"

_TAGS = {  # 1756-PM020, "CIP services and logix 5000 controllers"
    0x4C: ("read-tag", Kind.READ),
    0x4D: ("write-tag", Kind.WRITE),
    0x4E: ("read-modify-write-tag", Kind.WRITE),
    0x52: ("read-tag-fragmented", Kind.READ),
    0x53: ("write-tag-fragmented", Kind.WRITE),
}

SPECIFIC: Final[dict[tuple[int, int], tuple[str, Kind]]] = {
    (CONNECTION_MANAGER, FORWARD_CLOSE): ("forward-close", Kind.SESSION),
    (CONNECTION_MANAGER, 0x56): ("get-connection-data", Kind.READ),  # V1, 3-5.4, as the next two
    (CONNECTION_MANAGER, 0x57): ("search-connection-data", Kind.READ),
    (CONNECTION_MANAGER, 0x5A): ("get-connection-owner", Kind.READ),
    (0x0F, 0x4B): ("get-enum-string", Kind.READ),  # V1, 5A-14
    (FILE, 0x4B): ("file-initiate-upload", Kind.FILE),  # V1, 5A-42, as all of this object
    (FILE, 0x4C): ("file-initiate-download", Kind.FILE),
    (FILE, 0x4D): ("file-initiate-partial-read", Kind.FILE),
    (FILE, 0x4E): ("file-initiate-partial-write", Kind.FILE),
    (FILE, 0x4F): ("file-upload-transfer", Kind.FILE),
    (FILE, 0x50): ("file-download-transfer", Kind.FILE),
    (FILE, 0x51): ("file-clear", Kind.FILE),
    (0x44, 0x4B): ("modbus-read-discrete-inputs", Kind.READ),  # Volume 7, 2-2, as all of this object
    (0x44, 0x4C): ("modbus-read-coils", Kind.READ),
    (0x44, 0x4D): ("modbus-read-input-registers", Kind.READ),
    (0x44, 0x4E): ("modbus-read-holding-registers", Kind.READ),
    (0x44, 0x4F): ("modbus-write-coils", Kind.WRITE),
    (0x44, 0x50): ("modbus-write-holding-registers", Kind.WRITE),
    (0xF6, 0x4C): ("get-and-clear", Kind.DIAGNOSTIC),  # V2, 5-5
    (SYMBOL, 0x55): ("get-instance-attribute-list", Kind.READ),  # 1756-PM020, "Symbol object"
    (TEMPLATE, 0x4C): ("read-template", Kind.READ),  # 1756-PM020, "Template object"
    **{(TAG, service): meaning for service, meaning in _TAGS.items()},
    **{(SYMBOL, service): meaning for service, meaning in _TAGS.items()},
}


def meaning(class_: int, service: int) -> tuple[str, Kind]:
    """Our name and kind of ``service`` in ``class_`` (TAG for symbols)."""
    if found := SPECIFIC.get((class_, service)):
        return found
    if name := GET.get(service):
        return name, Kind.IDENTIFY if class_ == IDENTITY else Kind.READ
    if name := SET.get(service):
        return name, _writing(class_)
    if found := ACT.get(service):
        name, kind = found
        return name, Kind.STOP if service == 0x05 and class_ == IDENTITY else kind  # the device restarts: V1, 5A-2.3
    return f"service-{service:02x}", Kind.UNKNOWN


def is_of_a_maker(class_: int) -> bool:
    return any(class_ in each for each in VENDORS)


def _writing(class_: int) -> Kind:
    if class_ == PASSWORDS:
        return Kind.MODE
    if class_ in CLOCKS:
        return Kind.TIME
    if class_ == FILE:
        return Kind.FILE
    return Kind.WRITE if class_ in PROCESS else Kind.PROGRAM_WRITE


def class_name(class_: int) -> str:
    if found := OF_ROCKWELL.get(class_):
        return found[0]
    return CLASSES.get(class_) or f"class 0x{class_:02x}"
