# SPDX-License-Identifier: Apache-2.0
"""Channels, chunks, numbers and the protocol's own no."""

from __future__ import annotations

import struct

import pytest

from portineria.protocols.inspection import Inspection, Undecodable
from portineria.protocols.opcua import INFO
from portineria.protocols.operation import Kind
from tests.unit.protocols.opcua.conversation import (
    DENIED,
    HEADER,
    RESULT,
    acknowledge,
    chunk,
    hello,
    message,
    opened,
    opened_as,
    opening,
    reading,
    service,
    told,
    writing,
)

NODE = b"\1\2\x07\0"
SIGNED = b"http://opcfoundation.org/UA/SecurityPolicy#Basic256Sha256"
SECURED = chunk(b"OPNF", struct.pack("<Ii", 0, len(SIGNED)) + SIGNED + struct.pack("<i", 3) + b"abc\xff\xff\xff\xff")
LAST = 0xFFFFFFFF - 1024  # Part 6 6.7.2.4


def numbers(data: bytes) -> tuple[int, int]:
    number, request = struct.unpack_from("<II", data, 16)
    return number, request


def passed(inspection: Inspection, data: bytes) -> bytes:
    (request,) = inspection.from_client(data)
    return inspection.forward(request)


def refused(inspection: Inspection, data: bytes) -> bytes:
    (request,) = inspection.from_client(data)
    refusal = inspection.refuse(request)
    assert refusal.to_device == b""
    return refusal.to_client


def test_a_refused_write_is_a_fault_and_nobody_misses_a_number() -> None:
    inspection = opened()
    fault = refused(inspection, message(2, writing(NODE, b"\3\5"), request=40))
    assert fault[:4] == b"MSGF"
    assert int.from_bytes(fault[4:8], "little") == len(fault)
    assert numbers(fault) == (2, 40)
    assert fault[24:28] == b"\1\0\x8d\1"  # service fault: 397
    assert fault[36:44] == struct.pack("<I", 7) + DENIED
    assert numbers(passed(inspection, message(3, reading(NODE), request=41))) == (2, 41)
    (answer,) = inspection.from_device(message(2, told(b"\3\5"), request=41))
    assert (numbers(answer.data), answer.values) == ((3, 41), ((5,),))


def test_a_refused_session_is_a_fault_and_the_channel_stays() -> None:
    inspection = opened()
    fault = refused(inspection, message(2, service(461, HEADER + bytes(100))))
    assert fault[24:28] == b"\1\0\x8d\1"
    assert fault[40:44] == DENIED
    passed(inspection, message(3, reading(NODE)))


@pytest.mark.parametrize(("beginning", "code"), [([SECURED], 0x80550000), ([opening()], 0x801F0000)])
def test_a_refused_channel_is_an_error_and_the_end(beginning: list[bytes], code: int) -> None:
    inspection = INFO.begin()
    passed(inspection, hello())
    inspection.from_device(acknowledge())
    error = refused(inspection, *beginning)
    assert error[:4] == b"ERRF"
    assert int.from_bytes(error[4:8], "little") == len(error)
    assert struct.unpack_from("<I", error, 8) == (code,)
    assert struct.unpack_from("<i", error, 12) == (len(error) - 16,)
    with pytest.raises(Undecodable, match="refused"):
        inspection.from_client(message(1, reading(NODE)))


def test_what_is_secured_is_encrypted_to_us_and_unknown() -> None:
    inspection = INFO.begin()
    passed(inspection, hello())
    inspection.from_device(acknowledge())
    for data in (SECURED, chunk(b"MSGF", bytes(50)), chunk(b"CLOF", bytes(50))):
        (request,) = inspection.from_client(data)
        assert [(each.function, each.kind) for each in request.operations] == [("encrypted", Kind.UNKNOWN)]
        assert inspection.forward(request) == data
    with pytest.raises(Undecodable, match="without security after"):
        inspection.from_client(opening())


def test_behind_a_refused_secured_channel_nothing_of_the_server_passes_unread() -> None:
    """It has not heard of that channel: whatever it says there is no answer of it."""
    inspection = INFO.begin()
    inspection.forward(inspection.from_client(hello())[0])
    policy = b"http://opcfoundation.org/UA/SecurityPolicy#Basic256Sha256"
    [request] = inspection.from_client(chunk(b"OPNF", struct.pack("<Ii", 0, len(policy)) + policy + bytes(40)))
    assert inspection.refuse(request).to_client[:4] == b"ERRF"
    assert [answer.data for answer in inspection.from_device(acknowledge())] == [acknowledge()]
    with pytest.raises(Undecodable):
        inspection.from_device(message(2, b"anything"))


def test_an_open_channel_never_becomes_secured() -> None:
    with pytest.raises(Undecodable, match="with security after"):
        opened().from_client(SECURED)


def test_a_channel_without_security_of_another_mode_ends_it() -> None:
    inspection = INFO.begin()
    passed(inspection, hello())
    with pytest.raises(Undecodable, match="another mode"):
        inspection.from_client(opening(mode=2))


def test_a_request_in_chunks_is_one_and_goes_on_in_the_same() -> None:
    inspection = opened()
    refused(inspection, message(2, writing(NODE, b"\3\5")))
    body = writing(NODE, b"\3\5")
    parts = [message(3, body[:20], b"MSGC", request=3), message(4, body[20:], request=3)]
    assert inspection.from_client(parts[0]) == []
    (request,) = inspection.from_client(parts[1])
    assert (request.operations[0].values, request.data) == ((5,), b"".join(parts))
    given = [message(2, body[:20], b"MSGC", request=3), message(3, body[20:], request=3)]
    assert inspection.forward(request) == b"".join(given)


def test_an_answer_in_chunks_is_one() -> None:
    inspection = opened()
    passed(inspection, message(2, reading(NODE)))
    body = told(b"\3\5")
    parts = [message(2, body[:10], b"MSGC", request=2), message(3, body[10:], request=2)]
    assert inspection.from_device(parts[0]) == []
    (answer,) = inspection.from_device(parts[1])
    assert (answer.data, answer.values) == (b"".join(parts), ((5,),))


def test_an_aborted_answer_says_so_and_an_aborted_request_is_told() -> None:
    inspection = opened()
    passed(inspection, message(2, reading(NODE)))
    inspection.from_device(message(2, b"", b"MSGC", request=2))
    (answer,) = inspection.from_device(message(3, bytes(8), b"MSGA", request=2))
    assert answer.error == "aborted"
    inspection.from_client(message(3, b"", b"MSGC", request=3))
    (request,) = inspection.from_client(message(4, bytes(8), b"MSGA", request=3))
    assert (request.operations[0].function, request.expects_answer) == ("abort", False)
    assert inspection.refuse(request).to_client == b""


def test_a_renewed_channel_takes_both_tokens_and_no_third() -> None:
    inspection = opened()
    passed(inspection, opening(2, renew=1))
    inspection.from_device(opened_as(2, token=7))
    passed(inspection, message(3, reading(NODE)))
    passed(inspection, message(4, reading(NODE), token=7))
    passed(inspection, opening(5, renew=1))
    inspection.from_device(opened_as(3, token=8, asked=5))
    with pytest.raises(Undecodable, match="never opened"):
        inspection.from_client(message(6, reading(NODE)))


def begun_at(number: int) -> Inspection:
    """Both sides count from ``number``."""
    inspection = INFO.begin()
    passed(inspection, hello())
    inspection.from_device(acknowledge())
    passed(inspection, opening(number))
    inspection.from_device(opened_as(number))
    return inspection


@pytest.mark.parametrize("first", [0, 1, 1023])
def test_numbers_start_again_after_the_last(first: int) -> None:
    inspection = begun_at(LAST)
    given = passed(inspection, message(first, reading(NODE), request=2))
    assert numbers(given) == (first, 2)
    (answer,) = inspection.from_device(message(first, told(b"\3\5"), request=2))
    assert numbers(answer.data) == (first, 2)


def test_numbers_start_again_neither_earlier_nor_higher() -> None:
    for begun, after in ((LAST - 1, 1), (LAST, 1024), (5, 7), (5, 5)):
        with pytest.raises(Undecodable, match="sequence number"):
            begun_at(begun).from_client(message(after, reading(NODE)))


def test_what_a_write_came_to_is_told() -> None:
    inspection = opened()
    passed(inspection, message(2, writing(NODE, b"\3\5")))
    (answer,) = inspection.from_device(
        message(2, service(676, RESULT + struct.pack("<iIi", 1, 0x803B0000, -1)), request=2)
    )
    assert answer.error == "0x803b0000"
