# SPDX-License-Identifier: Apache-2.0
"""What a write is about to change is read first on its own session, and numbers stay right on both sides."""

from __future__ import annotations

import struct

from portineria.protocols.opcua import INFO
from tests.unit.protocols.opcua import conversation as opcua

NODE = b"\1\2" + struct.pack("<H", 5)
WRITE = opcua.message(2, opcua.writing(NODE, b"\x07" + struct.pack("<I", 180)))
OURS = 2 ^ 0x80000000
WRITTEN = opcua.service(676, opcua.RESULT + struct.pack("<iIi", 1, 0, 0))


def number(message: bytes) -> int:
    return int(struct.unpack_from("<I", message, opcua.sequence_at(message))[0])


def test_the_server_sees_two_requests_in_order_and_the_client_one_answer() -> None:
    inspection = opcua.opened()
    (write,) = inspection.from_client(WRITE)
    ours = inspection.read_first(write)
    assert ours is not None
    passed = inspection.forward(write)
    assert (number(ours.data), number(passed), passed[20:]) == (2, 3, WRITE[20:])
    again = opcua.opened()  # as a server reads it
    first, second = again.from_client(ours.data + passed)
    assert [(each.operations[0].function, each.operations[0].targets) for each in (first, second)] == [
        ("read", write.operations[0].targets), ("write", write.operations[0].targets),
    ]  # fmt: skip
    header = opcua.HEADER[:10] + struct.pack("<I", 7 ^ 0x80000000) + opcua.HEADER[14:]
    assert ours.data[24:].startswith(opcua.service(631, header))  # the write's session, a handle of its own

    read = opcua.message(2, opcua.told(b"\x07" + struct.pack("<I", 120)), request=OURS)
    (answer,) = inspection.from_device(read)
    assert (answer.data, answer.to, answer.values) == (b"", ours, ((120,),))
    (answer,) = inspection.from_device(opcua.message(3, WRITTEN, request=2))
    assert (number(answer.data), answer.to, answer.data[20:]) == (2, write, opcua.message(3, WRITTEN, request=2)[20:])
    (refused,) = inspection.from_client(opcua.message(3, opcua.writing(NODE, b"\1\1")))
    assert number(inspection.refuse(refused).to_client) == 3


def test_a_request_that_waits_for_news_is_no_work_and_any_other_is() -> None:
    for service, idle in ((826, True), (527, False)):
        inspection = opcua.opened()
        (other,) = inspection.from_client(opcua.message(2, opcua.service(service, opcua.HEADER + bytes(4))))
        inspection.forward(other)
        (write,) = inspection.from_client(opcua.message(3, opcua.writing(NODE, b"\1\1")))
        assert (inspection.read_first(write) is not None) == idle


def test_attributes_and_what_is_no_service_are_never_read_first() -> None:
    inspection = opcua.opened()
    (attribute,) = inspection.from_client(opcua.message(2, opcua.writing(NODE, b"\1\1", attribute=17)))
    assert inspection.read_first(attribute) is None
    (hello,) = INFO.begin().from_client(opcua.hello())
    assert hello.operations[0].kind == "session"
