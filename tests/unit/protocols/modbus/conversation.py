# SPDX-License-Identifier: Apache-2.0
"""What a client and a device say to each other, written as PDUs in hex."""

from __future__ import annotations

from portineria.protocols.inspection import Answer, Request
from portineria.protocols.modbus import INFO


def frame(pdu: str, transaction: int = 1, unit: int = 17) -> bytes:
    body = bytes([unit]) + bytes.fromhex(pdu)
    return transaction.to_bytes(2, "big") + b"\0\0" + len(body).to_bytes(2, "big") + body


def ask(pdu: str) -> Request:
    (request,) = INFO.begin().from_client(frame(pdu))
    return request


def converse(asked: str, told: str) -> tuple[Request, Answer]:
    inspection = INFO.begin()
    (request,) = inspection.from_client(frame(asked))
    assert inspection.forward(request) == request.data == frame(asked)
    (answer,) = inspection.from_device(frame(told))
    assert answer.data == frame(told)
    return request, answer
