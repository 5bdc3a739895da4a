# SPDX-License-Identifier: Apache-2.0
"""What holds for all bytes: any split, any damage, and what is called a read changes nothing in a device."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from portineria.protocols.cip import INFO
from portineria.protocols.inspection import Undecodable
from portineria.protocols.operation import Kind
from tests.unit.protocols.cip.conversation import (
    bundle,
    connected,
    forward_close,
    forward_open,
    path,
    request,
    sent_on,
    symbol,
    unconnected,
    wrapped,
)
from tests.unit.protocols.cip.device import Device

HARMLESS = {Kind.IDENTIFY, Kind.READ, Kind.SESSION, Kind.DIAGNOSTIC}
WHERE = [
    symbol("Speed"),
    symbol("Parts"),
    *map(path, ("206b 2401", "2001 2401", "2004 2464 3003", "2006 2401", "2002 2401", "208e 2401", "2067 2401")),
    *map(path, ("206b 2401 2004 2464", "2004 2464 206b 2401", "2068 2401 206b 2402", "2001 2401 2006 2401")),
    path("206b 2401 2402"),
    symbol("Speed") + path("206b 2402"),
    path("206b 2401") + symbol("Parts"),
]
DATA = [*map(bytes.fromhex, ("", "0100", "010000000000", "c400010078000000", "c40001000000000078000000"))]
DATA += [bytes.fromhex("0400 ffffffff ffffffff"), bytes.fromhex("01000100"), b"\x0f\0\0\0\xa2"]
SERVICES = st.sampled_from([*range(0x01, 0x1D), *range(0x4B, 0x5C)])


def requests(inner: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    bundles = st.lists(inner, min_size=1, max_size=4).map(lambda each: bundle(*each))
    elsewhere = st.tuples(inner, st.sampled_from(["2002 2401", "2001 2401", "206b 2401"]))
    return bundles | inner.map(sent_on) | elsewhere.map(lambda each: bundle(each[0], where=each[1]))


PLAIN = st.builds(request, SERVICES, st.sampled_from(WHERE), st.sampled_from(DATA) | st.binary(max_size=16))
OPENING = st.builds(forward_open, st.sampled_from(["2002 2401", "0100 2002 2401", "2004 2464"]))
REQUESTS = st.recursive(PLAIN | OPENING | st.just(forward_close()), requests, max_leaves=6)
MESSAGES = (
    REQUESTS.map(unconnected)
    | st.builds(connected, st.sampled_from([0x1000, 0x1001]), st.integers(0, 9), REQUESTS)
    | st.builds(wrapped, st.sampled_from([0, 4, 0x63, 0x64, 0x65, 0x66, 0x6F, 0x70]), st.binary(max_size=20))
)


PCCC, HEAD = "2067 2401", "07 4d00 12345678 0f00 0100 "
WRITE, MASKS = "c400 0100 78000000", "0400 ffffffff ffffffff"
ACTS = [  # each of them changes the device, if it gets there
    request(0x4D, symbol("Speed"), WRITE),
    request(0x53, symbol("Parts"), "c400 0100 00000000 78000000"),
    request(0x4E, symbol("Parts"), MASKS),
    request(0x4D, "206b 2401", WRITE),
    request(0x4E, "206b 2403", MASKS),
    request(0x10, "2004 2464 3003", "01020304"),
    *(request(service, "208e 2401") for service in (5, 6, 7)),
    request(0x4E, "2006 2401 206b 2403", MASKS),  # a Forward Close, a symbol: who knows what a device takes
    request(0x4D, "2001 2401 206b 2401", WRITE),
    request(0x4E, "206c 2401 206b 2403", MASKS),
    *(request(0x4B, PCCC, HEAD + each) for each in ("aa 02 07 89 03 00 0100", "a9 02 07 89 03 0100", "80 01")),
    *(request(0x4B, PCCC, HEAD + each) for each in ("aa 02 00 01 23 00 3132", "ab 02 07 89 03 00 ffff 0100")),
]
LOOKS = [
    request(0x4C, symbol("Speed"), "0100"),
    request(0x52, "206b 2401", "0100 00000000"),
    request(0x01, "2001 2401"),
    request(0x0E, "2004 2464 3003"),
    request(0x03, "2001 2401", "0100 0100"),
    forward_close(),
    *(
        request(0x4B, PCCC, HEAD + each)
        for each in ("a2 02 07 89 03 00", "a1 02 07 89 03", "68 0000 0100 06 07 1e 0100")
    ),
    request(0x4B, PCCC, "07 4d00 12345678 0600 0100 03"),
]
FILES = [  # begun, carried and ended, either way: packets of a file, and programs of a PLC-5
    *(
        request(service, "2037 24c8", data)
        for service, data in ((0x4B, "ff"), (0x4F, "00"), (0x4C, "05000000 0100 0101"))
    ),
    *(request(0x50, "2037 24c8", data) for data in ("00 00 6162", "01 02 63 1234", "00 04 6162 1234", "01 03")),
    *(request(0x4B, PCCC, HEAD + each) for each in ("50", "18 00000000 6162", "52", "53", "17 00000000 02", "55")),
]
ACTING = st.recursive(st.sampled_from(ACTS) | st.sampled_from(LOOKS), requests, max_leaves=5)
TELLING = ACTING.map(unconnected) | ACTING.map(lambda each: connected(0x1000, 1, each))


def damaged(messages: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """One or two bytes behind the header are others."""
    changes = st.lists(st.tuples(st.integers(0, 150), st.integers(0, 255)), min_size=1, max_size=2)
    return st.builds(_with, messages, changes)


def _with(message: bytes, changes: list[tuple[int, int]]) -> bytes:
    data = bytearray(message)
    for at, byte in changes:
        if len(data) > 24:
            data[24 + at % (len(data) - 24)] = byte
    return bytes(data)


def told(data: bytes, cuts: list[int], *, up: bool) -> tuple[list[object], bool]:
    """What comes out of ``data`` cut at ``cuts``, and whether it was refused."""
    inspection, found = INFO.begin(), list[object]()
    ends = sorted({cut % (len(data) + 1) for cut in cuts} | {len(data)})
    try:
        for start, end in zip([0, *ends], ends, strict=False):
            if up:
                found += [
                    (each.operations, inspection.forward(each)) for each in inspection.from_client(data[start:end])
                ]
            else:
                found += [(each.error, each.values, each.data) for each in inspection.from_device(data[start:end])]
    except Undecodable:
        return found, True
    return found, False


@given(st.lists(MESSAGES, min_size=1, max_size=4), st.lists(st.integers(0, 2000), max_size=20))
def test_splitting_the_stream_changes_nothing(messages: list[bytes], cuts: list[int]) -> None:
    data = b"".join(messages)
    one_by_one = told(data, list(range(len(data))), up=True)
    in_pieces = told(data, cuts, up=True)
    assert one_by_one[1] == in_pieces[1]
    assert in_pieces[0] == one_by_one[0][: len(in_pieces[0])]
    if not one_by_one[1]:
        assert in_pieces == one_by_one
        assert b"".join(each[1] for each in one_by_one[0]) == data  # type: ignore[index]


@given(st.binary(max_size=200) | damaged(MESSAGES | TELLING), st.lists(st.integers(0, 200), max_size=4), st.booleans())
def test_bytes_are_understood_or_refused_and_nothing_else(data: bytes, cuts: list[int], up: bool) -> None:
    told(data, cuts, up=up)


@given(MESSAGES, st.binary(max_size=60))
def test_so_are_answers_to_requests(asked: bytes, rest: bytes) -> None:
    inspection = INFO.begin()
    try:
        for each in inspection.from_client(asked):
            inspection.forward(each)
        service = asked[40] if len(asked) > 40 else 0
        inspection.from_device(unconnected(bytes([service | 0x80, 0, rest[0] & 3 if rest else 0, 0]) + rest))
    except Undecodable:
        pass


@given(st.lists(TELLING | damaged(TELLING) | damaged(MESSAGES), min_size=1, max_size=6))
def test_what_is_called_harmless_changes_nothing_in_a_device(messages: list[bytes]) -> None:
    """The device takes what it can make sense of; it must never do more than was announced."""
    inspection, device = INFO.begin(), Device()
    for message in (unconnected(forward_open("2002 2401")), *messages):
        try:
            for asked in inspection.from_client(message):
                if not all(each.kind in HARMLESS for each in asked.operations):
                    inspection.refuse(asked)
                elif answer := device.receive(inspection.forward(asked)):
                    inspection.from_device(answer)
        except Undecodable:
            break
    assert device.done == []


@given(st.sampled_from(ACTS))
def test_the_device_of_that_test_does_what_it_is_asked(message: bytes) -> None:
    device = Device()
    device.receive(unconnected(sent_on(bundle(message))))
    assert len(device.done) == 1


@given(REQUESTS)
def test_a_refusal_is_an_answer_that_we_understand_ourselves(message: bytes) -> None:
    inspection = INFO.begin()
    try:
        (asked,) = inspection.from_client(unconnected(message))
    except Undecodable:
        return
    no = inspection.refuse(asked).to_client
    inspection.forward(asked)
    (answer,) = inspection.from_device(no)
    assert answer.to is asked
    assert answer.error
