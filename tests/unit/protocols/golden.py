# SPDX-License-Identifier: Apache-2.0
"""Functions as Zeek with the analysers of ICSNPP logged them, beside those that we read in the same captures.

Of IEC 60870-5-104 and DNP3 the corpus has no such logs. Each row of a log is one function of one message.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from portineria.protocols.modbus.frame import HEADER
from tests.unit.protocols.cip import figures as cip
from tests.unit.protocols.modbus import figures as modbus
from tests.unit.protocols.opcua import figures as opcua
from tests.unit.protocols.s7comm import figures as s7comm

Found = Counter[tuple[object, ...]]
Seen = tuple[Found, Found]  # theirs, ours
MODBUS = {  # Zeek's names -> codes: AP 6
    "READ_COILS": 1, "READ_DISCRETE_INPUTS": 2, "READ_HOLDING_REGISTERS": 3, "READ_INPUT_REGISTERS": 4,
    "WRITE_SINGLE_COIL": 5, "WRITE_SINGLE_REGISTER": 6, "READ_EXCEPTION_STATUS": 7, "DIAGNOSTICS": 8,
    "WRITE_MULTIPLE_COILS": 15, "WRITE_MULTIPLE_REGISTERS": 16, "REPORT_SLAVE_ID": 17, "READ_FILE_RECORD": 20,
    "WRITE_FILE_RECORD": 21, "MASK_WRITE_REGISTER": 22, "READ_WRITE_MULTIPLE_REGISTERS": 23, "READ_FIFO_QUEUE": 24,
    "ENCAP_INTERFACE_TRANSPORT": 43,
}  # fmt: skip
OPCUA_REQUEST, OPCUA_SERVICE, OPCUA_ANSWER = 26, 29, 48  # columns of opcua_binary.log


def measure(protocol: str, corpus: Path) -> dict[str, int] | None:
    """None where there is no log."""
    if protocol not in LOGS:
        return None
    theirs, ours = LOGS[protocol](corpus)
    return {"functions": theirs.total(), "agreed": (theirs & ours).total()}


def rows(log: Path) -> Iterator[list[str]]:
    lines = log.read_text("utf-8").splitlines()
    return (line.split("\t") for line in lines if not line.startswith("#"))


def _modbus(corpus: Path) -> Seen:
    """One row for each exchange."""
    log = rows(corpus / "golden_icsnpp/modbus_example/modbus.log")
    theirs = Found((MODBUS[row[6].removesuffix("_EXCEPTION")],) for row in log)
    requests = modbus.read(corpus / "pcaps/modbus/modbus_example.pcap").requests
    return theirs, Found((request.data[HEADER],) for request in requests)


def _s7comm(corpus: Path) -> Seen:
    """Requests, by their reference, whose bytes it logs swapped."""
    theirs, ours = Found(), Found()
    for name in ("s7ident", "snap7", "s7comm_plus"):
        for row in rows(corpus / f"golden_icsnpp/{name}/s7comm.log"):
            code = row[14] + (f" {row[16]}" if row[16] != "-" else "")
            if row[6] == "T":
                theirs[name, int(row[11]), int(row[13]), code] += 1
        for request in s7comm.read(corpus / f"pcaps/s7/{name}.pcap").requests:
            if request.data[5] == 0xF0 and request.data[7:8] == b"\x32":
                reference = int.from_bytes(request.data[11:13], "little")
                ours[name, request.data[8], reference, request.operations[0].code] += 1
    return theirs, ours


def _cip(corpus: Path) -> Seen:
    """Services with class and instance, and commands of the encapsulation."""
    theirs, ours = Found(), Found()
    for name in ("multiple_service_packet", "set_attribute_single"):
        for row in rows(corpus / f"golden_icsnpp/{name}/cip.log"):
            if row[12] == "request" and row[13] != "0x0a":
                theirs[name, row[13], row[19], row[21]] += 1
        for asked in cip.read(corpus / f"pcaps/enip_cip/{name}.pcapng").requests:
            for operation in asked.operations:
                service, class_ = operation.code.split("/")
                ours[name, service, class_, f"0x{int(operation.targets[0].name.split()[1]):02x}"] += 1
    theirs.update((row[6], row[11]) for row in rows(corpus / "golden_icsnpp/enip_cip_example/enip.log"))
    reading = cip.read(corpus / "pcaps/enip_cip/enip_cip_example.pcap")
    ours.update(("T", f"0x{asked.command:02x}") for asked in reading.requests)
    ours.update(("F", f"0x{int.from_bytes(told.data[:2], 'little'):02x}") for told in reading.answers)
    return theirs, ours


def _opcua(corpus: Path) -> Seen:
    """Requests and answers by request id and service."""
    theirs, ours = Found(), Found()
    for name in ("open62541_mainloop", "opcua_with_gap"):
        for row in rows(corpus / f"golden_icsnpp/{name}/opcua_binary.log"):
            services = (row[column] for column in (OPCUA_SERVICE, OPCUA_ANSWER) if row[column] != "-")
            theirs.update((name, int(row[OPCUA_REQUEST]), int(service)) for service in services)
        counts = opcua.read(corpus / f"pcaps/opcua/{name}.pcap").counts()
        ours.update((name, *key[3:]) for key in counts.elements() if len(key) > 2)
    return theirs, ours


LOGS: dict[str, Callable[[Path], Seen]] = {"modbus": _modbus, "s7comm": _s7comm, "cip": _cip, "opcua": _opcua}
