# SPDX-License-Identifier: Apache-2.0
"""What answers say: whether the server did it, and what was read. Part 4 5.10 and 5.11, 7.29."""

from collections.abc import Iterator

from portineria.protocols.opcua.binary import BadOpcUa, Reader
from portineria.protocols.opcua.services import CALL, READ, SERVICE_FAULT, SERVICES, WRITE, service_of
from portineria.protocols.operation import MAX_VALUES, Value

Told = tuple[str, tuple[tuple[Value, ...], ...], tuple[int, ...]]


def result_of(reader: Reader) -> tuple[int, str]:
    """Service and bad result of an answer: Part 4 7.29."""
    service = service_of(reader)
    reader.take(12)  # time stamp, handle
    result = reader.number("I")
    reader.diagnostic()
    for _ in range(reader.count()):
        reader.text()
    reader.extension()
    return service, f"{result:#010x}" if result >> 31 else ""


def told(reader: Reader, wanted: int) -> Told:
    """Error, values, and how many of these are of each node. ``wanted``: the service that was asked for."""
    service, error = result_of(reader)
    if service != SERVICE_FAULT and wanted in SERVICES and service != wanted + 3:
        raise BadOpcUa(f"service {wanted} answered by {service}")
    if service == WRITE + 3 and not error:
        results = [reader.number("I") for _ in range(reader.few())]
        error = next((f"{result:#010x}" for result in results if result >> 31), "")
    if service == CALL + 3 and not error:
        return _called(reader)
    return (error, *_values(reader)) if service == READ + 3 else (error, (), ())


def _values(reader: Reader) -> tuple[tuple[tuple[Value, ...], ...], tuple[int, ...]]:
    values, shares = list[Value](), list[int]()
    for _ in range(reader.few()):
        found = reader.data_value()
        values += found
        shares.append(len(found))
    if len(values) > MAX_VALUES:
        return ((f"{len(values)} values",),), ()
    return (tuple(values),), tuple(shares)


def _called(reader: Reader) -> Told:
    """Of each method what it gave back; none where that cannot be read. The reader stays where it is."""
    again = Reader(reader.data, reader.at)
    try:
        found = list(_results(again))
    except BadOpcUa:
        return "", (), ()
    error = next((f"{result:#010x}" for result, _ in found if result >> 31), "")
    return error, tuple(values for _, values in found) if any(values for _, values in found) else (), ()


def _results(reader: Reader) -> Iterator[tuple[int, tuple[Value, ...]]]:
    """Part 4 5.11.2: result, results and diagnostics of what was handed over, what is given back."""
    for _ in range(reader.few()):
        result = reader.number("I")
        reader.take(4 * reader.count())
        for _ in range(reader.count()):
            reader.diagnostic()
        values = list[Value]()
        for _ in range(reader.few()):
            values += reader.variant()
        yield result, tuple(values) if len(values) <= MAX_VALUES else (f"{len(values)} values",)
