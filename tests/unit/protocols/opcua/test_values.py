# SPDX-License-Identifier: Apache-2.0
"""Each built-in type (Part 6 5.1.2, table 1), as asyncua encodes it, and targets as they are told."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from uuid import UUID

import pytest
from asyncua import ua
from asyncua.ua.ua_binary import nodeid_to_binary, to_binary, variant_to_binary

from portineria.protocols.opcua.binary import BadOpcUa, Reader
from portineria.protocols.operation import MAX_VALUES, Kind, Value
from tests.unit.protocols.opcua.conversation import HEADER, message, opened, reading, service, told, writing

T = ua.VariantType
GUID = UUID("72962b91-fa75-4ae6-8d28-b404dc7daf63")
NODE = nodeid_to_binary(ua.NodeId.from_string("ns=2;s=Speed"))
TYPES: dict[str, tuple[ua.Variant, Value]] = {
    "nothing": (ua.Variant(None, T.Null), None),
    "Boolean": (ua.Variant(True, T.Boolean), True),
    "SByte": (ua.Variant(-3, T.SByte), -3),
    "Byte": (ua.Variant(200, T.Byte), 200),
    "Int16": (ua.Variant(-30000, T.Int16), -30000),
    "UInt16": (ua.Variant(60000, T.UInt16), 60000),
    "Int32": (ua.Variant(-(1 << 31), T.Int32), -(1 << 31)),
    "UInt32": (ua.Variant((1 << 32) - 1, T.UInt32), (1 << 32) - 1),
    "Int64": (ua.Variant(-(1 << 63), T.Int64), -(1 << 63)),
    "UInt64": (ua.Variant((1 << 64) - 1, T.UInt64), (1 << 64) - 1),
    "Float": (ua.Variant(0.5, T.Float), 0.5),
    "Double": (ua.Variant(0.1, T.Double), 0.1),
    "String": (ua.Variant("città", T.String), "città"),
    "DateTime": (ua.Variant(datetime(1601, 1, 1, 0, 0, 1, tzinfo=UTC), T.DateTime), 10_000_000),
    "Guid": (ua.Variant(GUID, T.Guid), str(GUID)),
    "ByteString": (ua.Variant(b"\0\xff", T.ByteString), b"\0\xff"),
    "XmlElement": (ua.Variant(ua.XmlElement(ua.String("<a/>")), T.XmlElement), "<a/>"),
    "NodeId": (ua.Variant(ua.NodeId.from_string("ns=3;i=7"), T.NodeId), "ns=3;i=7"),
    "ExpandedNodeId": (ua.Variant(ua.ExpandedNodeId(ua.String("a"), ua.Int16(1)), T.ExpandedNodeId), "ns=1;s=a"),
    "StatusCode": (ua.Variant(ua.StatusCode(ua.UInt32(0x80340000)), T.StatusCode), 0x80340000),
    "QualifiedName": (ua.Variant(ua.QualifiedName("Speed", 2), T.QualifiedName), "2:Speed"),
    "LocalizedText": (ua.Variant(ua.LocalizedText("rosso", "it"), T.LocalizedText), "rosso"),
    "DataValue": (ua.Variant(ua.DataValue(ua.Variant(5, T.Byte)), T.DataValue), 5),
    "array": (ua.Variant([1, 2], T.Int16), 1),
}


@pytest.mark.parametrize(("variant", "value"), TYPES.values(), ids=TYPES)
def test_a_value_is_written_and_read_as_it_was_meant(variant: ua.Variant, value: Value) -> None:
    values = (1, 2) if variant.is_array else (value,)
    encoded = variant_to_binary(variant)
    inspection = opened()
    (request,) = inspection.from_client(message(2, writing(NODE, encoded)))
    (operation,) = request.operations
    assert (operation.function, operation.kind, operation.values) == ("write", Kind.WRITE, values)
    assert str(operation.targets[0]) == "node ns=2;s=Speed"
    inspection.refuse(request)
    (request,) = inspection.from_client(message(3, reading(NODE)))
    inspection.forward(request)
    (answer,) = inspection.from_device(message(2, told(encoded), request=3))
    assert (answer.to, answer.error, answer.values) == (request, "", (values,))


def test_an_extension_object_a_variant_and_a_matrix_are_read() -> None:
    assert Reader(b"\x16\1\0\x57\2\1\3\0\0\0abc").variant() == (b"abc",)
    matrix = b"\xc3" + struct.pack("<i", 4) + b"\1\2\3\4" + struct.pack("<iii", 2, 2, 2)
    reader = Reader(matrix)
    assert (reader.variant(), reader.at) == ((1, 2, 3, 4), len(matrix))
    assert Reader(b"\x98" + struct.pack("<i", 1) + b"\3\x07").variant() == (7,)
    assert Reader(b"\x99" + struct.pack("<i", 1) + b"\0").variant() == (None,)


def test_a_data_value_with_everything_is_read_to_its_end() -> None:
    value = ua.DataValue(
        ua.Variant(9, T.Byte),
        ua.StatusCode(ua.UInt32(0)),
        ua.DateTime(2026, 1, 1),
        ua.DateTime(2026, 1, 1),
        ua.UInt16(1),
        ua.UInt16(2),
    )
    reader = Reader(to_binary(ua.DataValue, value))
    assert (reader.data_value(), reader.at) == ((9,), len(reader.data))


def test_more_values_than_an_operation_has_are_words_that_no_limit_admits() -> None:
    assert Reader(b"\x83" + struct.pack("<i", MAX_VALUES + 1) + bytes(MAX_VALUES + 1)).variant() == ("2049 values",)


@pytest.mark.parametrize(
    ("encoded", "name"),
    [
        (b"\0\x0d", "i=13"),
        (b"\1\0\x0d\0", "i=13"),
        (b"\2\0\0\x0d\0\0\0", "i=13"),
        (b"\2\2\0\x0d\0\0\0", "ns=2;i=13"),
        (b"\4\1\0" + GUID.bytes_le, f"ns=1;g={GUID}"),
        (b"\5\1\0\2\0\0\0\xab\xcd", "ns=1;b=abcd"),
    ],
)
def test_a_node_has_one_name_whatever_its_form(encoded: bytes, name: str) -> None:
    assert Reader(encoded).node() == name


@pytest.mark.parametrize("encoded", [b"\6\0", b"\x80\0\0\0\0\0", b"\3\0\0" + struct.pack("<i", 300) + b"a" * 300])
def test_a_node_that_could_be_taken_for_another_ends_it(encoded: bytes) -> None:
    with pytest.raises(BadOpcUa, match="node id"):
        Reader(encoded).node()


def test_writing_what_a_node_is_is_another_thing_than_its_value() -> None:
    (request,) = opened().from_client(message(2, writing(NODE, b"\3\3", attribute=17)))
    (operation,) = request.operations
    assert (operation.function, operation.kind) == ("write-attribute", Kind.PROGRAM_WRITE)
    assert str(operation.targets[0]) == "node ns=2;s=Speed attribute 17"


def test_a_call_names_object_and_method_and_hands_over_its_arguments() -> None:
    body = HEADER + struct.pack("<i", 1) + NODE + b"\1\2\x07\0" + struct.pack("<i", 2) + b"\3\5" + b"\1\1"
    (request,) = opened().from_client(message(2, service(712, body)))
    (operation,) = request.operations
    assert (operation.kind, operation.values) == (Kind.CONTROL, (5, True))
    assert [str(target) for target in operation.targets] == ["node ns=2;s=Speed", "method ns=2;i=7"]


def test_bytes_after_the_last_element_end_it() -> None:
    with pytest.raises(BadOpcUa, match="after the last element"):
        opened().from_client(message(2, reading(NODE) + b"\0"))
