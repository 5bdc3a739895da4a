# SPDX-License-Identifier: Apache-2.0
"""Every function code (4.2.2.5), and what it does to the outstation with which objects."""

from typing import NamedTuple

from portineria.protocols.dnp3 import link, objects
from portineria.protocols.inspection import FunctionInfo
from portineria.protocols.operation import Kind

CONFIRM, READ, WRITE, SELECT, OPERATE, DIRECT, DIRECT_UNANSWERED = range(7)
FREEZE_AT_TIME, FREEZE_AT_TIME_UNANSWERED = 11, 12
AUTHENTICATE_FILE = 29
AUTHENTICATE, AUTHENTICATE_UNANSWERED = 32, 33
RESPONSE, UNSOLICITED, AUTHENTICATION_RESPONSE = 129, 130, 131


class Function(NamedTuple):
    name: str
    kind: Kind
    clause: str
    answered: bool = True


# Those that do the same with every object.
PLAIN = {
    CONFIRM: Function("confirm", Kind.SESSION, "4.4.1", answered=False),
    7: Function("freeze", Kind.CONTROL, "4.4"),
    8: Function("freeze-unanswered", Kind.CONTROL, "4.4", answered=False),
    9: Function("freeze-and-clear", Kind.CONTROL, "4.4"),
    10: Function("freeze-and-clear-unanswered", Kind.CONTROL, "4.4", answered=False),
    FREEZE_AT_TIME: Function("freeze-at-time", Kind.CONTROL, "4.4"),
    FREEZE_AT_TIME_UNANSWERED: Function("freeze-at-time-unanswered", Kind.CONTROL, "4.4", answered=False),
    13: Function("cold-restart", Kind.STOP, "4.4"),
    14: Function("warm-restart", Kind.STOP, "4.4"),
    15: Function("initialize-data", Kind.PROGRAM_WRITE, "4.4"),
    16: Function("initialize-application", Kind.MODE, "4.4"),
    17: Function("start-application", Kind.START, "4.4"),
    18: Function("stop-application", Kind.STOP, "4.4"),
    19: Function("save-configuration", Kind.PROGRAM_WRITE, "4.4"),
    20: Function("enable-unsolicited", Kind.MODE, "4.4"),
    21: Function("disable-unsolicited", Kind.MODE, "4.4"),
    22: Function("assign-class", Kind.MODE, "4.4"),
    23: Function("measure-delay", Kind.SESSION, "4.4"),
    24: Function("record-current-time", Kind.TIME, "4.4"),
    25: Function("open-file", Kind.FILE, "4.4"),
    26: Function("close-file", Kind.FILE, "4.4"),
    27: Function("delete-file", Kind.FILE, "4.4"),
    28: Function("file-information", Kind.FILE, "4.4"),
    AUTHENTICATE_FILE: Function("authenticate-file", Kind.FILE, "4.4"),
    30: Function("abort-file", Kind.FILE, "4.4"),
    31: Function("activate-configuration", Kind.PROGRAM_WRITE, "4.4"),
}
AUTHENTICATES = Function("authenticate", Kind.SESSION, "7.5")
CHANGES_USERS = Function("change-users", Kind.MODE, "7.5")
_HARMLESS_AUTHENTICATION = frozenset({1, 2, 3, 4, 5, 6, 7, 9})  # A.45: challenges, replies, session keys, their status
READS = {
    objects.ATTRIBUTE: Function("read-attributes", Kind.IDENTIFY, "4.4.2"),
    objects.FILE: Function("read-file", Kind.FILE, "4.4.2"),
}
READS_POINTS = Function("read", Kind.READ, "4.4.2")
CLEARS_RESTART = Function("clear-restart", Kind.SESSION, "4.4.3")
WRITES = {
    objects.ATTRIBUTE: Function("write-attribute", Kind.PROGRAM_WRITE, "4.4.3"),
    objects.DEADBAND: Function("set-deadband", Kind.PROGRAM_WRITE, "4.4.3"),
    objects.TIME_GROUP: Function("set-clock", Kind.TIME, "4.4.3"),
    objects.FILE: Function("write-file", Kind.FILE, "4.4.3"),
    objects.INDICATION: Function("write-indication", Kind.MODE, "4.4.3"),
    85: Function("define-data-set", Kind.PROGRAM_WRITE, "4.4.3"),
    86: Function("define-data-set", Kind.PROGRAM_WRITE, "4.4.3"),
    objects.TERMINAL: Function("write-terminal", Kind.UNKNOWN, "A.43"),  # what the words do, only that terminal knows
}
WRITES_POINTS = Function("write", Kind.WRITE, "4.4.3")
_WRITABLE = frozenset({10, 40, 87, 101, 102, 110})
STEPS = {  # 4.4.4 and 4.4.5
    SELECT: ("select", "4.4.4"),
    OPERATE: ("operate", "4.4.4"),
    DIRECT: ("direct-operate", "4.4.4"),
    DIRECT_UNANSWERED: ("direct-operate-unanswered", "4.4.5"),
}
_CONTROLS = {"binary": Kind.CONTROL, "pattern": Kind.CONTROL, "analog": Kind.WRITE}
CONTROLS = {
    (code, what): Function(f"{what}-{step}", kind, clause, code != DIRECT_UNANSWERED)
    for code, (step, clause) in STEPS.items()
    for what, kind in _CONTROLS.items()
}
# What no outstation does, or not with these objects: never harmless, whoever would execute it.
UNKNOWN = Function("unknown", Kind.UNKNOWN, "4.2.2.5")
UNKNOWN_OBJECT = Function("unknown-object", Kind.UNKNOWN, "annex A")
TOLD = {
    RESPONSE: Function("response", Kind.READ, "4.4"),
    UNSOLICITED: Function("unsolicited-response", Kind.READ, "4.4"),
    AUTHENTICATION_RESPONSE: Function("authentication-response", Kind.SESSION, "7.5"),
}
LINK = {name: Kind.SESSION for name in (*link.PRIMARIES.values(), *link.SECONDARIES.values()) if "data" not in name}
LINK["link-reset-user"] = Kind.STOP  # obsolete; restarts the process behind the link where it is still known


def answered(code: int) -> bool:
    """Whether the outstation says something to it: those without an answer stand in 4.2.2.5, table 4-2."""
    if code in PLAIN:
        return PLAIN[code].answered
    return code not in (DIRECT_UNANSWERED, AUTHENTICATE_UNANSWERED)


def holds(code: int, group: int) -> bool:
    """Whether objects follow the headers of this group in a request."""
    if group == objects.AUTHENTICATION:
        return True
    if code in (FREEZE_AT_TIME, FREEZE_AT_TIME_UNANSWERED):
        return group == objects.TIME_GROUP
    return code in (WRITE, *STEPS)


def of_object(code: int, group: int, variation: int) -> Function:
    """What a request does with the objects of one header."""
    if group == objects.AUTHENTICATION:
        return AUTHENTICATES if variation in _HARMLESS_AUTHENTICATION else CHANGES_USERS
    if code in (AUTHENTICATE, AUTHENTICATE_UNANSWERED) or group not in objects.AREAS:
        return UNKNOWN_OBJECT
    if code in PLAIN:
        return PLAIN[code]
    if code == READ:
        return READS.get(group, READS_POINTS)
    if code == WRITE:
        return WRITES.get(group) or (WRITES_POINTS if group in _WRITABLE else UNKNOWN_OBJECT)
    return _control(code, group, variation)


def _control(code: int, group: int, variation: int) -> Function:
    if (group, variation) == objects.CONTROL_BLOCK:
        return CONTROLS[code, "binary"]
    if (group, variation) in (objects.PATTERN_BLOCK, objects.PATTERN_MASK):
        return CONTROLS[code, "pattern"]
    return CONTROLS[code, "analog"] if group == objects.SETPOINT else UNKNOWN_OBJECT


def listed() -> tuple[FunctionInfo, ...]:
    """All that have a name, in the order of their codes; the link layer before them."""
    found = [FunctionInfo(name, "link", kind, "9.2.4.1.3") for name, kind in LINK.items()]

    def add(code: object, *functions: Function) -> None:
        for each in functions:
            info = FunctionInfo(each.name, str(code), each.kind, each.clause)
            if info not in found:
                found.append(info)

    add(CONFIRM, PLAIN[CONFIRM])
    add(READ, READS_POINTS, *READS.values())
    add(WRITE, WRITES_POINTS, CLEARS_RESTART, *WRITES.values())
    for (code, _), function in CONTROLS.items():
        add(code, function)
    for code, function in PLAIN.items():
        add(code, function)
    add(AUTHENTICATE, AUTHENTICATES, CHANGES_USERS)
    for code, function in TOLD.items():
        add(code, function)
    add("any", UNKNOWN, UNKNOWN_OBJECT)
    return tuple(found)
