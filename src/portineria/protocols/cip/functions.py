# SPDX-License-Identifier: Apache-2.0
"""All functions that have a name, for people to choose from."""

from collections.abc import Iterator

from portineria.protocols.cip import pccc, services
from portineria.protocols.cip.session import OWN
from portineria.protocols.inspection import FunctionInfo
from portineria.protocols.operation import Kind

_OPENINGS = (
    ("forward-open", Kind.SESSION),
    ("forward-open-io", Kind.CONTROL),
    ("forward-open-null", Kind.CONTROL),
    ("forward-open-other", Kind.UNKNOWN),
)
_CLAUSES = {
    services.TAG: "1756-PM020, CIP services",
    services.SYMBOL: "1756-PM020, symbol object",
    services.TEMPLATE: "1756-PM020, template object",
    services.CONNECTION_MANAGER: "CIP Volume 1, 3-5.4",
    services.FILE: "CIP Volume 1, 5A-42",
    0x0F: "CIP Volume 1, 5A-14",
    0x44: "CIP Volume 7, 2-2",
    0xF6: "CIP Volume 2, 5-5",
}


def known() -> tuple[FunctionInfo, ...]:
    """Each name once, in the order of the documents. The kind of a get or set is that of most classes."""
    return tuple({each.name: each for each in _all()}.values())


def _all() -> Iterator[FunctionInfo]:
    for command, (name, kind) in OWN.items():
        yield FunctionInfo(name, f"0x{command:04x}", kind, "CIP Volume 2, 2-4")
    for names, kind in ((services.GET, Kind.READ), (services.SET, Kind.WRITE)):
        for service, name in names.items():
            yield FunctionInfo(name, f"0x{service:02x}", kind, "CIP Volume 1, A-4")
    for service, (name, kind) in services.ACT.items():
        yield FunctionInfo(name, f"0x{service:02x}", kind, "CIP Volume 1, A-4")
    for name, kind in _OPENINGS:
        yield FunctionInfo(name, "0x54/0x06", kind, "CIP Volume 1, 3-5.5.2")
    for (class_, service), (name, kind) in services.SPECIFIC.items():
        code = f"0x{service:02x}" if class_ == services.TAG else f"0x{service:02x}/0x{class_:02x}"
        yield FunctionInfo(name, code, kind, _CLAUSES[class_])
    for first, last, whose in ((0x32, 0x4A, "the maker's"), (0x4B, 0x63, "the class's own")):
        code = f"0x{first:02x}-0x{last:02x}, {whose}"
        yield FunctionInfo(f"service-{first:02x} to service-{last:02x}", code, Kind.UNKNOWN, "CIP Volume 1, 4-9")
    for name, kind in pccc.NAMED_BY_FILE:
        yield FunctionInfo(name, "0x4b/0x67 0f", kind, "1770-6.5.16, chapter 13")
    for (command, function), (name, kind) in pccc.FUNCTIONS.items():
        code = f"0x4b/0x67 {command:02x}" + (f" {function:02x}" if function is not None else "")
        yield FunctionInfo(f"pccc-{name}", code, kind, "1770-6.5.16, chapter 7")
