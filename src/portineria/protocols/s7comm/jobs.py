# SPDX-License-Identifier: Apache-2.0
"""Jobs: setup, variables, blocks, program invocation services, stop. Source: see ``header``."""

from portineria.protocols.operation import MAX_TEXT, Kind, Operation, Target, Value
from portineria.protocols.s7comm import functions as known
from portineria.protocols.s7comm.errors import BadS7
from portineria.protocols.s7comm.functions import Function
from portineria.protocols.s7comm.header import JOB, Pdu
from portineria.protocols.s7comm.variables import Item, items, written_values

NAME = "s7comm"
_OTHER_SERVICE = Function("pi-service", Kind.UNKNOWN)
_PI_PARAMETERS, _STOP_NAME, _BLOCK_NAME = 8, 6, 8  # where lengths stand in the parameter parts


def operation(
    function: Function, code: str, targets: tuple[Target, ...] = (), values: tuple[Value, ...] = ()
) -> Operation:
    return Operation(NAME, function.name, code, function.kind, targets, values)


def operations(pdu: Pdu) -> tuple[tuple[Operation, ...], tuple[Item, ...]]:
    """What a job asks for; the items too, where it reads or writes. Raise BadS7."""
    if not pdu.parameter:
        raise BadS7("job without function")
    function = pdu.parameter[0]
    if function in (known.READ, known.WRITE):
        return _variables(pdu, function)
    if pdu.data:  # no other job has a data part
        raise BadS7(f"job 0x{function:02x} with a data part of {len(pdu.data)} bytes")
    if function == known.PI_SERVICE:
        return (_pi_service(pdu.parameter),), ()
    if function not in known.JOBS:
        return (operation(known.UNKNOWN, f"0x{function:02x}"),), ()
    return (operation(known.JOBS[function], f"0x{function:02x}", *_handed_over(function, pdu.parameter)),), ()


def read_of(write: Pdu) -> Pdu:
    """A read of the one item that is written, under its reference with the first bit turned."""
    return Pdu(JOB, write.reference ^ 0x8000, 0, bytes((known.READ, 1)) + write.parameter[2:], b"")


def _variables(pdu: Pdu, function: int) -> tuple[tuple[Operation, ...], tuple[Item, ...]]:
    """One operation for each item: a permission looks at each by itself."""
    parameter, written = pdu.parameter, function == known.WRITE
    if len(parameter) < 2 or (pdu.data and not written):
        raise BadS7(f"job 0x{function:02x} with {len(parameter)} and {len(pdu.data)} bytes")
    found = items(parameter, 2, parameter[1], written=written)
    values = written_values(found, pdu.data) if written else [()] * len(found)
    name, kind = known.JOBS[function]
    code = "0x05" if written else "0x04"
    told = tuple(
        Operation(NAME, name, code, kind if item.known else Kind.UNKNOWN, item.targets, value, item.route)
        for item, value in zip(found, values, strict=True)
    )
    return told, tuple(found)


def _handed_over(function: int, parameter: bytes) -> tuple[tuple[Target, ...], tuple[Value, ...]]:
    if function == known.SETUP:
        setup_length(parameter)
        return (), ()
    if function == known.PLC_STOP:
        name, end = _text(parameter, _STOP_NAME)
        if end != len(parameter):
            raise BadS7("stop with bytes after its name")
        return (Target("program", name=name),), ()
    if function in (known.UPLOAD, known.END_UPLOAD):
        if len(parameter) != 8:
            raise BadS7(f"upload of {len(parameter)} bytes, expected 8")
        return (), ()
    name, end = _text(parameter, _BLOCK_NAME)
    target = Target("block", name=block(name))
    if function != known.REQUEST_DOWNLOAD or end == len(parameter):
        if end != len(parameter):
            raise BadS7("block job with bytes after its name")
        return (target,), ()
    sizes, end = _text(parameter, end)  # "1", size in load memory, size of the code, in decimal digits
    if end != len(parameter) or len(sizes) != 13 or not sizes.isdecimal():
        raise BadS7("download with sizes that are no numbers")
    return (target,), (int(sizes[1:7]), int(sizes[7:]))


def setup_length(parameter: bytes) -> int:
    """The PDU length that a setup, or its answer, names."""
    if len(parameter) != 8:
        raise BadS7(f"setup of {len(parameter)} bytes, expected 8")
    return int.from_bytes(parameter[6:8], "big")


def block_target(parameter: bytes) -> tuple[Target, ...]:
    """Of a job of the station that fetches a block from the client."""
    name, end = _text(parameter, _BLOCK_NAME)
    if end != len(parameter):
        raise BadS7("block job with bytes after its name")
    return (Target("block", name=block(name)),)


def _pi_service(parameter: bytes) -> Operation:
    """Argument and name. Some clients have forms of their own for it: unknown, as are services that nobody listed."""
    at = _PI_PARAMETERS
    size = int.from_bytes(parameter[at : at + 2], "big")
    argument, rest = parameter[at + 2 : at + 2 + size], parameter[at + 2 + size :]
    if not rest or len(rest) != 1 + rest[0]:
        return operation(_OTHER_SERVICE, "0x28", (), (parameter,))
    name = rest[1:].decode("latin-1")
    code = f"0x28 {name}"
    if function := known.PI_SERVICES.get((name, argument)):
        return operation(function, code)
    if (function := known.PI_BLOCKS.get(name)) and argument and len(argument) == 2 + 8 * argument[0]:
        names = [argument[at : at + 8].decode("latin-1") for at in range(2, len(argument), 8)]
        if all(_is_block(each) for each in names):
            return operation(function, code, tuple(Target("block", name=block(each)) for each in names))
    return operation(_OTHER_SERVICE, code, (), (argument,))


def _text(parameter: bytes, at: int) -> tuple[str, int]:
    """The text whose length stands at ``at``, and where it ends."""
    if at >= len(parameter) or at + 1 + parameter[at] > len(parameter):
        raise BadS7(f"text at byte {at} of a parameter part of {len(parameter)}")
    end = at + 1 + parameter[at]
    return parameter[at + 1 : end].decode("latin-1"), end


def _is_block(name: str) -> bool:
    """Type as two hexadecimal digits, number as five decimal ones, file system: A active, P passive, B both."""
    return len(name) == 8 and name[:2] in known.BLOCK_TYPES and name[2:7].isdecimal() and name[7] in "ABP"


def block(name: str) -> str:
    """ "db 1" for the file name "_0A00001P"; any other name as it is."""
    bare = name[1:] if name[:1] in ("_", "$") else name
    return f"{known.BLOCK_TYPES[bare[:2]]} {int(bare[2:7])}" if _is_block(bare) else name[:MAX_TEXT]
