# SPDX-License-Identifier: Apache-2.0
"""Which function does what. Kinds follow what the station does, not who usually asks. Source: see ``header``."""

from typing import NamedTuple

from portineria.protocols.inspection import FunctionInfo
from portineria.protocols.operation import Kind


class Function(NamedTuple):
    name: str
    kind: Kind


SETUP, READ, WRITE = 0xF0, 0x04, 0x05
REQUEST_DOWNLOAD, DOWNLOAD_BLOCK, DOWNLOAD_ENDED = 0x1A, 0x1B, 0x1C
START_UPLOAD, UPLOAD, END_UPLOAD = 0x1D, 0x1E, 0x1F
PI_SERVICE, PLC_STOP = 0x28, 0x29
UNKNOWN = Function("unknown", Kind.UNKNOWN)
PLUS = Function("s7comm-plus", Kind.UNKNOWN)

JOBS = {
    SETUP: Function("setup-communication", Kind.SESSION),
    READ: Function("read-variable", Kind.READ),
    WRITE: Function("write-variable", Kind.WRITE),
    REQUEST_DOWNLOAD: Function("request-download", Kind.PROGRAM_WRITE),
    DOWNLOAD_BLOCK: Function("download-block", Kind.PROGRAM_WRITE),
    DOWNLOAD_ENDED: Function("download-ended", Kind.PROGRAM_WRITE),
    START_UPLOAD: Function("start-upload", Kind.PROGRAM_READ),
    UPLOAD: Function("upload", Kind.PROGRAM_READ),
    END_UPLOAD: Function("end-upload", Kind.PROGRAM_READ),
    PLC_STOP: Function("plc-stop", Kind.STOP),
}

# Program invocation services by name and argument; any other is unknown (a Sinumerik has a hundred).
PI_SERVICES = {
    ("P_PROGRAM", b""): Function("plc-warm-start", Kind.START),
    ("P_PROGRAM", b"C "): Function("plc-cold-start", Kind.START),
    ("_GARB", b""): Function("compress-memory", Kind.PROGRAM_WRITE),
    ("_MODU", b"EP"): Function("copy-ram-to-rom", Kind.PROGRAM_WRITE),
}
PI_BLOCKS = {
    "_INSE": Function("activate-block", Kind.PROGRAM_WRITE),
    "_DELE": Function("delete-block", Kind.PROGRAM_WRITE),
}

PROGRAMMER, CYCLIC, BLOCKS, CPU, SECURITY, PARTNER, TIME = 1, 2, 3, 4, 5, 6, 7
RECORD_ROUTING = 0x20
READ_SZL, LIST_TYPE, BLOCK_INFO, SET_TIME = (CPU, 1), (BLOCKS, 2), (BLOCKS, 3), (TIME, 2)
CYCLIC_ITEMS = frozenset({(CYCLIC, 1), (CYCLIC, 5), (CYCLIC, 7)})

USERDATA = {
    (PROGRAMMER, 0x01): Function("block-status", Kind.DIAGNOSTIC),
    (PROGRAMMER, 0x02): Function("variable-status", Kind.DIAGNOSTIC),
    (PROGRAMMER, 0x03): Function("interrupt-stack", Kind.DIAGNOSTIC),
    (PROGRAMMER, 0x04): Function("block-stack", Kind.DIAGNOSTIC),
    (PROGRAMMER, 0x05): Function("local-stack", Kind.DIAGNOSTIC),
    (PROGRAMMER, 0x06): Function("measure-time", Kind.DIAGNOSTIC),
    (PROGRAMMER, 0x07): Function("select-force", Kind.CONTROL),
    (PROGRAMMER, 0x08): Function("modify-variable", Kind.WRITE),
    (PROGRAMMER, 0x09): Function("force", Kind.CONTROL),
    (PROGRAMMER, 0x0A): Function("breakpoint", Kind.CONTROL),
    (PROGRAMMER, 0x0B): Function("exit-hold", Kind.START),
    (PROGRAMMER, 0x0C): Function("memory-reset", Kind.PROGRAM_WRITE),
    (PROGRAMMER, 0x0D): Function("disable-job", Kind.CONTROL),
    (PROGRAMMER, 0x0E): Function("enable-job", Kind.CONTROL),
    (PROGRAMMER, 0x0F): Function("delete-job", Kind.CONTROL),
    (PROGRAMMER, 0x10): Function("read-job-list", Kind.DIAGNOSTIC),
    (PROGRAMMER, 0x11): Function("read-job", Kind.DIAGNOSTIC),
    (PROGRAMMER, 0x12): Function("replace-job", Kind.CONTROL),
    (PROGRAMMER, 0x13): Function("block-status-2", Kind.DIAGNOSTIC),
    (PROGRAMMER, 0x16): Function("flash-led", Kind.CONTROL),
    (CYCLIC, 0x01): Function("cyclic-read", Kind.READ),
    (CYCLIC, 0x04): Function("cyclic-end", Kind.SESSION),
    (CYCLIC, 0x05): Function("read-on-change", Kind.READ),
    (CYCLIC, 0x07): Function("read-on-change-modify", Kind.READ),
    (CYCLIC, 0x08): Function("read-record", Kind.READ),
    (BLOCKS, 0x01): Function("list-blocks", Kind.IDENTIFY),
    LIST_TYPE: Function("list-blocks-of-type", Kind.IDENTIFY),
    BLOCK_INFO: Function("block-info", Kind.IDENTIFY),
    READ_SZL: Function("read-szl", Kind.DIAGNOSTIC),  # or identify, by its id
    (CPU, 0x02): Function("message-service", Kind.SESSION),
    (CPU, 0x03): Function("diagnostic-message", Kind.DIAGNOSTIC),
    (CPU, 0x05): Function("alarm-8-indication", Kind.READ),
    (CPU, 0x06): Function("notify-indication", Kind.READ),
    (CPU, 0x07): Function("alarm-lock", Kind.CONTROL),
    (CPU, 0x08): Function("alarm-unlock", Kind.CONTROL),
    (CPU, 0x09): Function("scan-indication", Kind.READ),
    (CPU, 0x0B): Function("alarm-acknowledge", Kind.CONTROL),
    (CPU, 0x0C): Function("alarm-acknowledged-indication", Kind.READ),
    (CPU, 0x0D): Function("alarm-locked-indication", Kind.READ),
    (CPU, 0x0E): Function("alarm-unlocked-indication", Kind.READ),
    (CPU, 0x10): Function("archive-indication", Kind.READ),
    (CPU, 0x11): Function("alarm-sq-indication", Kind.READ),
    (CPU, 0x12): Function("alarm-s-indication", Kind.READ),
    (CPU, 0x13): Function("alarm-query", Kind.READ),
    (CPU, 0x16): Function("notify-8-indication", Kind.READ),
    (SECURITY, 0x01): Function("plc-password", Kind.MODE),
    (SECURITY, 0x02): Function("clear-password", Kind.MODE),
    (TIME, 0x01): Function("read-clock", Kind.READ),
    SET_TIME: Function("set-clock", Kind.TIME),
    (TIME, 0x03): Function("read-clock-following", Kind.READ),
    (TIME, 0x04): Function("set-clock-following", Kind.TIME),
    (0x3F, 0x01): Function("nc-request-download", Kind.FILE),
    (0x3F, 0x02): Function("nc-download-block", Kind.FILE),
    (0x3F, 0x03): Function("nc-continue-download", Kind.FILE),
    (0x3F, 0x04): Function("nc-download-ended", Kind.FILE),
    (0x3F, 0x06): Function("nc-start-upload", Kind.FILE),
    (0x3F, 0x07): Function("nc-upload", Kind.FILE),
    (0x3F, 0x08): Function("nc-continue-upload", Kind.FILE),
    (PARTNER, 0x01): Function("block-send", Kind.WRITE),
    (RECORD_ROUTING, 0x01): Function("record-routing-begin", Kind.UNKNOWN),
    (RECORD_ROUTING, 0x02): Function("record-routing-end", Kind.UNKNOWN),
    (RECORD_ROUTING, 0x03): Function("record-routing-data", Kind.UNKNOWN),
}
INDICATIONS = frozenset(
    {
        (CPU, 0x03),
        (CPU, 0x05),
        (CPU, 0x06),
        (CPU, 0x09),
        *((CPU, sub) for sub in (0x0C, 0x0D, 0x0E, 0x10, 0x11, 0x12, 0x16)),
    }
)  # only stations send these: from a client they are unknown

# System status lists that say what a station is, by the low byte of their id (Siemens, System Software for S7-300/400,
# System and Standard Functions, chapter "System Status Lists"): module, characteristics, memory and system areas, block
# types, components, abilities of communication, Ethernet. All others tell its condition.
IDENTIFYING_SZL = frozenset({0x00, 0x11, 0x12, 0x13, 0x14, 0x15, 0x1C, 0x31, 0x37})
BLOCK_TYPES = {
    "08": "ob", "09": "cmod", "0A": "db", "0B": "sdb", "0C": "fc", "0D": "sfc", "0E": "fb", "0F": "sfb",
}  # fmt: skip

# Classes and codes that stations answer with, as far as they are met often; Siemens, SIMATIC error codes (S7 protocol).
ERRORS = {
    0x8104: "service not implemented or wrong frame", 0x8304: "no further parallel upload",
    0x8402: "not possible in the state of the object", 0x8404: "function cannot be performed",
    0x8500: "wrong frame", 0x8702: "service not supported", 0x8703: "access refused",
    0xD0A1: "not permitted in the current protection level", 0xD209: "block not found",
    0xD20E: "no further block", 0xD240: "coordination rules violated",
    0xD241: "not permitted in the current protection level", 0xD401: "information not available",
    0xD602: "wrong password", 0xDC01: "date or time invalid",
}  # fmt: skip
NOT_PERMITTED, NOT_PERMITTED_TEST = 0xD241, 0xD0A1

_CLAUSE = "S7 communication, {}; unpublished, see header"


def listed() -> tuple[FunctionInfo, ...]:
    """All that have a name. A connection, its end and its keep-alive are of the transport."""
    transport = "ISO 8073, 13"
    found = [
        FunctionInfo("connect", "0xe0", Kind.SESSION, f"{transport}.3"),
        FunctionInfo("disconnect", "0x80", Kind.SESSION, f"{transport}.5"),
        FunctionInfo("transport-error", "0x70", Kind.SESSION, f"{transport}.12"),
        FunctionInfo("keep-alive", "0xf0", Kind.SESSION, f"{transport}.7"),
    ]
    for code, job in JOBS.items():
        found.append(FunctionInfo(job.name, f"0x{code:02x}", job.kind, _CLAUSE.format("jobs")))
    for (service, _), job in PI_SERVICES.items():
        found.append(FunctionInfo(job.name, f"0x28 {service}", job.kind, _CLAUSE.format("program invocation")))
    for service, job in PI_BLOCKS.items():
        found.append(FunctionInfo(job.name, f"0x28 {service}", job.kind, _CLAUSE.format("program invocation")))
    for (group, number), job in USERDATA.items():
        told = 0 if (group, number) in INDICATIONS else 0x40
        sent = f"0x{told | group:02x} 0x{number:02x}"
        found.append(FunctionInfo(job.name, sent, job.kind, _CLAUSE.format(f"userdata group {group}")))
    for name, sent in (("pi-service", "0x28"), ("answer", "0x03"), (PLUS.name, "0x72"), (UNKNOWN.name, "any")):
        found.append(FunctionInfo(name, sent, Kind.UNKNOWN, _CLAUSE.format("what is not read")))
    return tuple(found)
