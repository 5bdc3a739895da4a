# SPDX-License-Identifier: Apache-2.0
"""Programs and files that a session carries are told by hash and size, in every protocol that is decoded."""

from __future__ import annotations

import hashlib
import struct

import pytest

from portineria.dataplane.gateway.transfers import OPEN_AT_ONCE, Transfers, step_of
from portineria.dataplane.gateway.work import MOST_BLOCKS, Work
from portineria.protocols.cip import INFO as CIP
from portineria.protocols.dnp3 import INFO as DNP3
from portineria.protocols.inspection import Inspection
from portineria.protocols.operation import Kind, Operation, Target
from tests.unit.protocols.cip import conversation as cip
from tests.unit.protocols.dnp3 import conversation as dnp3
from tests.unit.protocols.iec104 import conversation as iec104
from tests.unit.protocols.opcua import conversation as opcua

FIRST, SECOND = b"first part of it", b"the second"
BOTH = FIRST + SECOND
Told = tuple[str, str, bool, int, bool, str]


class Talk:
    """One inspected stream of a session, and what is told of it."""

    def __init__(self, inspection: Inspection) -> None:
        self._inspection, self.work = inspection, Work()
        self._stream = self.work.of("svc_1")

    def asks(self, *said: bytes) -> None:
        for data in said:
            for request in self._inspection.from_client(data):
                self._inspection.forward(request)
                self._stream.asked(request, refused=False, noted=False)

    def tells(self, *said: bytes) -> None:
        for data in said:
            for answer in self._inspection.from_device(data):
                self._stream.answered(answer)

    def told(self) -> list[Told]:
        """Target, kind, into the device, size, whole, hash."""
        self._stream.close()
        lines = [fields for code, fields in self.work.lines() if code == "work.transferred"]
        names = ("targets", "operation", "into_device", "bytes", "whole", "content_sha256")
        return [tuple(line[name] for name in names) for line in lines]

    @property
    def changed(self) -> list[object]:
        return [fields["targets"] for code, fields in self.work.lines() if code == "work.changed"]


def line(target: str, content: bytes, *, into: bool, whole: bool = True, kind: str = "file") -> Told:
    return target, kind, into, len(content), whole, hashlib.sha256(content).hexdigest()


# -- CIP ---------------------------------------------------------------------------------------------------------

FILE = "2037 24c8"
FIRST_PACKET, MIDDLE, LAST, ABORT, ONLY = range(5)
CHECKSUM = b"\x12\x34"


def cip_talk(*exchanges: tuple[bytes, bytes]) -> Talk:
    talk = Talk(CIP.begin())
    for asked, told in exchanges:
        talk.asks(cip.unconnected(asked))
        talk.tells(cip.unconnected(told))
    return talk


def cip_upload(*packets: tuple[int, int, bytes], size: int = len(BOTH)) -> Talk:
    """Read from the device. ``packets``: number, type, what it carries."""
    started = cip.request(0x4B, FILE, "ff"), b"\xcb\0\0\0" + struct.pack("<IB", size, 255)
    parts = [
        (cip.request(0x4F, FILE, bytes((number,))), b"\xcf\0\0\0" + bytes((number, kind)) + content)
        for number, kind, content in packets
    ]
    return cip_talk(started, *parts)


@pytest.mark.parametrize(
    ("packets", "content", "whole"),
    [
        (((0, FIRST_PACKET, FIRST), (1, LAST, SECOND + CHECKSUM)), BOTH, True),
        (((0, ONLY, BOTH + CHECKSUM),), BOTH, True),
        (((0, FIRST_PACKET, FIRST), (0, FIRST_PACKET, FIRST), (1, LAST, SECOND + CHECKSUM)), BOTH, True),
        (((0, FIRST_PACKET, FIRST), (2, LAST, SECOND + CHECKSUM)), BOTH, False),
        (((0, FIRST_PACKET, FIRST), (1, ABORT, b"")), FIRST, False),
        (((0, FIRST_PACKET, FIRST),), FIRST, False),
        (((0, ONLY, FIRST + CHECKSUM),), FIRST, False),  # shorter than the device had announced
    ],
)
def test_a_file_of_a_cip_device_is_whole_when_its_last_packet_came(
    packets: tuple[tuple[int, int, bytes], ...], content: bytes, whole: bool
) -> None:
    assert cip_upload(*packets).told() == [line("file instance 200", content, into=False, whole=whole)]


def test_a_file_into_a_cip_device_is_what_it_took() -> None:
    begun = cip.request(0x4C, FILE, struct.pack("<I", len(BOTH)) + b"\1\0\1\1"), b"\xcc\0\0\0" + bytes(7)
    first = cip.request(0x50, FILE, b"\0\0" + FIRST), b"\xd0\0\0\0\0"
    refused = cip.request(0x50, FILE, b"\1\2not taken"), b"\xd0\0\x20\0"
    last = cip.request(0x50, FILE, b"\1\2" + SECOND + CHECKSUM), b"\xd0\0\0\0\1"
    talk = cip_talk(begun, first, refused, last)
    assert talk.told() == [line("file instance 200", BOTH, into=True)]
    assert talk.changed == []


def pccc(function: int, data: bytes = b"") -> bytes:
    return cip.request(0x4B, "2067 2401", b"\x07\x4d\0\x01\x02\x03\x04" + b"\x0f\0\1\0" + bytes((function,)) + data)


def pccc_told(data: bytes = b"") -> bytes:
    return b"\xcb\0\0\0" + b"\x07\x4d\0\x01\x02\x03\x04" + b"\x4f\0\1\0" + data


def test_a_program_of_a_plc_5_is_told_without_the_addresses_of_its_parts() -> None:
    down = [(0x50, b""), (0x18, bytes(4) + FIRST), (0x18, b"\x10\0\0\0" + SECOND), (0x52, b"")]
    talk = cip_talk(*((pccc(function, data), pccc_told()) for function, data in down))
    assert talk.told() == [line("program", BOTH, into=True, kind="program-write")]
    up = [(0x53, b""), (0x17, FIRST), (0x17, SECOND), (0x55, b"")]
    talk = cip_talk(*((pccc(function, bytes(4)), pccc_told(data)) for function, data in up))
    assert talk.told() == [line("program", BOTH, into=False, kind="program-read")]


# -- OPC UA ------------------------------------------------------------------------------------------------------

NODE, OTHER = b"\1\2\x09\0", b"\1\2\x0a\0"  # ns=2;i=9 and 10
HANDLE = b"\x07" + struct.pack("<I", 7)


def octets(content: bytes) -> bytes:
    return b"\x0f" + struct.pack("<i", len(content)) + content


def method(number: int, *, of_its_own: bool) -> bytes:
    """By the type's node id, or by one that only this file has."""
    return struct.pack("<BBH", 1, 3 if of_its_own else 0, number)


class Opened(Talk):
    def __init__(self) -> None:
        super().__init__(opcua.opened())
        self._number = 1

    def call(self, method: bytes, *given: bytes, back: tuple[bytes, ...] = (), on: bytes = NODE, bad: int = 0) -> None:
        self._number += 1
        self.asks(opcua.message(self._number, opcua.calling(on, method, *given)))
        self.tells(opcua.message(self._number, opcua.called(*back, result=bad)))


@pytest.mark.parametrize("of_its_own", [False, True])
@pytest.mark.parametrize(
    ("asked", "pieces", "closes", "whole"),
    [
        (len(FIRST), (FIRST, SECOND), True, True),
        (len(FIRST), (FIRST,), True, True),  # as much as was asked for, which is all that a client knows of
        (len(FIRST), (FIRST, SECOND), False, False),
        (len(FIRST), (FIRST, b""), True, True),
    ],
)
def test_a_file_of_an_opc_ua_server_is_whole_when_it_was_closed(
    of_its_own: bool, asked: int, pieces: tuple[bytes, ...], closes: bool, whole: bool
) -> None:
    talk = Opened()
    ids = {name: method(id_, of_its_own=of_its_own) for name, id_ in
           (("open", 11580), ("read", 11585), ("close", 11583))}  # fmt: skip
    talk.call(ids["open"], b"\x03\x01", back=(HANDLE,))
    for piece in pieces:
        talk.call(ids["read"], HANDLE, b"\x06" + struct.pack("<i", asked), back=(octets(piece),))
    if closes:
        talk.call(ids["close"], HANDLE)
    kind = "control" if of_its_own else "file"
    assert talk.told() == [line("file ns=2;i=9", b"".join(pieces), into=False, whole=whole, kind=kind)]


def test_what_is_written_into_a_file_of_an_opc_ua_server_is_told_and_a_control_stays_a_control() -> None:
    talk = Opened()
    talk.call(method(11580, of_its_own=False), b"\x03\x06", back=(HANDLE,))
    talk.call(method(11588, of_its_own=False), HANDLE, octets(FIRST))
    talk.call(method(11588, of_its_own=False), HANDLE, octets(b"not taken"), bad=0x801F0000)
    talk.call(method(11588, of_its_own=False), HANDLE, octets(SECOND))
    talk.call(method(77, of_its_own=True), b"\x07" + bytes(4), on=OTHER)  # a pump, perhaps
    talk.call(method(11583, of_its_own=False), HANDLE)
    assert talk.told() == [line("file ns=2;i=9", BOTH, into=True)]
    assert talk.changed == ["node ns=2;i=10, method ns=3;i=77"]


def test_a_file_that_was_only_emptied_is_told() -> None:
    talk = Opened()
    talk.call(method(11580, of_its_own=False), b"\x03\x06", back=(HANDLE,))
    talk.call(method(11590, of_its_own=False), HANDLE, back=(b"\x09" + bytes(8),))
    talk.call(method(11583, of_its_own=False), HANDLE)
    assert talk.told() == [line("file ns=2;i=9", b"", into=True)]
    assert talk.changed == []


def test_a_file_of_which_only_a_place_was_read_is_not_whole() -> None:
    talk = Opened()
    talk.call(method(11580, of_its_own=False), b"\x03\x01", back=(HANDLE,))
    talk.call(method(11593, of_its_own=False), HANDLE, b"\x09" + struct.pack("<Q", 40))
    talk.call(method(11585, of_its_own=False), HANDLE, b"\x06" + struct.pack("<i", 100), back=(octets(SECOND),))
    talk.call(method(11583, of_its_own=False), HANDLE)
    assert talk.told() == [line("file ns=2;i=9", SECOND, into=False, whole=False)]


# -- IEC 60870-5-104 ---------------------------------------------------------------------------------------------


class Station(Talk):
    def __init__(self) -> None:
        super().__init__(iec104.started())
        self._asked = self._told = 0

    def asdu(self, kind: int, rest: bytes, *, told: bool) -> None:
        asdu = bytes((kind, 1, 13, 0, 1, 0)) + b"\x10\0\0" + rest  # station 1, object 16
        if told:
            self.tells(iec104.frame(asdu, self._told, self._asked))
            self._told += 1
        else:
            self.asks(iec104.frame(asdu, self._asked, self._told))
            self._asked += 1

    def file(self, *sections: tuple[int, bytes], into: bool, size: int | None = None, acknowledged: int = 1) -> None:
        """File 5: announced, called, sent in sections of 8 bytes each segment, acknowledged."""
        file, sends, gets = b"\5\0", not into, into
        size = sum(len(content) for _, content in sections) if size is None else size
        self.asdu(120, file + size.to_bytes(3, "little") + b"\0", told=sends)
        self.asdu(122, file + b"\0\2", told=gets)
        for number, content in sections:
            self.asdu(121, file + bytes((number,)) + len(content).to_bytes(3, "little") + b"\0", told=sends)
            self.asdu(122, file + bytes((number, 6)), told=gets)
            for at in range(0, len(content), 8):
                part = content[at : at + 8]
                self.asdu(125, file + bytes((number, len(part))) + part, told=sends)
            self.asdu(123, file + bytes((number, 3, sum(content) & 255)), told=sends)
            self.asdu(124, file + bytes((number, 3)), told=gets)
        self.asdu(123, file + b"\0\1\0", told=sends)
        if acknowledged:
            self.asdu(124, file + bytes((0, acknowledged)), told=gets)


@pytest.mark.parametrize("into", [False, True])
def test_a_file_of_a_station_is_told_by_whoever_announced_it(into: bool) -> None:
    talk = Station()
    talk.file((1, FIRST), (2, SECOND), into=into)
    assert talk.told() == [line("file 5 at 16", BOTH, into=into)]
    counts = {fields["function"]: fields["unconfirmed"] for code, fields in talk.work.lines() if code == "work.done"}
    assert set(counts.values()) == {0}
    assert talk.changed == []


def test_to_delete_a_file_of_a_station_is_a_change() -> None:
    talk = Station()
    talk.asdu(122, b"\5\0\0\4", told=False)
    assert (talk.told(), talk.changed) == ([], ["ca 1 16"])


@pytest.mark.parametrize(
    ("sections", "size", "acknowledged", "content", "whole"),
    [
        (((1, b"damaged"), (1, FIRST), (2, SECOND)), len(BOTH), 1, BOTH, True),  # a section sent once more
        (((1, FIRST),), len(BOTH), 1, FIRST, False),
        (((1, FIRST), (2, SECOND)), len(BOTH), 2, BOTH, False),
        (((1, FIRST), (2, SECOND)), len(BOTH), 0, BOTH, False),
    ],
)
def test_a_file_that_a_station_did_not_get_whole_is_told_as_that(
    sections: tuple[tuple[int, bytes], ...], size: int, acknowledged: int, content: bytes, whole: bool
) -> None:
    talk = Station()
    talk.file(*sections, into=True, size=size, acknowledged=acknowledged)
    assert talk.told() == [line("file 5 at 16", content, into=True, whole=whole)]


# -- DNP3 --------------------------------------------------------------------------------------------------------

NAME = b"logs/a.b"


class Outstation(Talk):
    def __init__(self) -> None:
        super().__init__(DNP3.begin())
        self._number = 0

    def exchange(self, function: int, asked: bytes, told: bytes = b"", indications: bytes = b"\0\0") -> None:
        head = bytes((0xC0 | self._number & 15,))
        self.asks(dnp3.asks(head + bytes((function,)) + asked, self._number))
        self.tells(dnp3.tells(head + b"\x81" + indications + told, self._number))
        self._number += 1

    def open(self, mode: int, size: int = 0) -> None:
        named = struct.pack("<HH6xHIIHHH", 26, len(NAME), 0o777, 0, size, mode, 1024, 1) + NAME
        status = struct.pack("<IIHHB", 7, size, 1024, 1, 0)
        self.exchange(25, sized(3, named), sized(4, status))

    def read(self, block: int, content: bytes, *, last: bool = False) -> None:
        number = block | (0x80000000 if last else 0)
        self.exchange(
            1, sized(5, struct.pack("<II", 7, block)), sized(5, struct.pack("<II", 7, number) + content)
        )  # fmt: skip

    def write(self, block: int, content: bytes, *, last: bool = False, status: int = 0) -> None:
        number = block | (0x80000000 if last else 0)
        told = sized(6, struct.pack("<IIB", 7, number, status))
        self.exchange(2, sized(5, struct.pack("<II", 7, number) + content), told)

    def close(self) -> None:
        self.exchange(
            26, sized(4, struct.pack("<IIHHB", 7, 0, 0, 1, 0)), sized(4, struct.pack("<IIHHB", 7, 0, 0, 1, 0))
        )


def sized(variation: int, content: bytes) -> bytes:
    return bytes((70, variation, 0x5B, 1)) + struct.pack("<H", len(content)) + content


def test_a_file_of_an_outstation_is_told_by_its_name() -> None:
    talk = Outstation()
    talk.open(1)
    talk.read(0, FIRST)
    talk.read(0, FIRST)  # its answer was lost on the way
    talk.read(1, SECOND, last=True)
    talk.close()
    talk.open(2, len(BOTH))
    talk.write(0, FIRST)
    talk.write(1, b"not taken", status=16)
    talk.write(1, SECOND, last=True)
    talk.close()
    assert talk.told() == [line("file logs/a.b", BOTH, into=False), line("file logs/a.b", BOTH, into=True)]
    assert talk.changed == []


def test_what_is_asked_about_a_file_of_an_outstation_is_no_change() -> None:
    talk = Outstation()
    named = struct.pack("<HHIQIHH", 20, len(NAME), 0, 0, 0, 0, 1)[:20] + NAME
    talk.exchange(28, sized(7, named), sized(7, named))
    talk.open(2, len(BOTH))
    talk.write(0, FIRST)
    talk.exchange(30, sized(4, struct.pack("<IIHHB", 7, 0, 0, 1, 0)), sized(4, struct.pack("<IIHHB", 7, 0, 0, 1, 0)))
    assert talk.told() == [line("file logs/a.b", FIRST, into=True, whole=False)]
    assert talk.changed == []


def test_a_file_of_an_outstation_of_which_blocks_are_missing_is_not_whole() -> None:
    for blocks, closes in ((((0, FIRST, False),), True), (((0, FIRST, False),), False), (((1, FIRST, True),), True)):
        talk = Outstation()
        talk.open(1)
        for number, content, last in blocks:
            talk.read(number, content, last=last)
        if closes:
            talk.close()
        assert talk.told() == [line("file logs/a.b", FIRST, into=False, whole=False)]


def test_a_file_that_another_connection_opened_is_told_as_not_whole() -> None:
    talk = Outstation()
    talk.read(0, FIRST, last=True)
    assert talk.told() == [line("file-handle 7", FIRST, into=False, whole=False)]


# -- all ---------------------------------------------------------------------------------------------------------


def test_a_transfer_that_was_cut_off_is_told_as_that() -> None:
    transfers, work = Transfers(), Work()
    blocks = []
    for number in range(OPEN_AT_ONCE + 50):
        target = Target("block", name=f"db {number}")
        begin = Operation("s7comm", "start-upload", "0x1d", Kind.PROGRAM_READ, (target,))
        step = step_of(begin, ())
        assert step is not None
        blocks += transfers.step(begin, step, ())
    assert len(blocks) == 50
    blocks += transfers.close()
    assert {block.whole for block in blocks} == {False}
    work.transferred("svc_1", blocks)
    assert (len(work.blocks), work.beyond) == (MOST_BLOCKS, len(blocks) - MOST_BLOCKS)


def test_what_only_looks_like_the_opening_of_a_file_pushes_none_out() -> None:
    talk = Opened()
    talk.call(method(11580, of_its_own=False), b"\x03\x02", back=(HANDLE,))
    talk.call(method(11588, of_its_own=False), HANDLE, octets(FIRST))
    for number in range(OPEN_AT_ONCE * 2):
        talk.call(method(77, of_its_own=True), b"\x03\x01", back=(b"\x07" + struct.pack("<I", number),), on=OTHER)
    talk.call(method(11588, of_its_own=False), HANDLE, octets(SECOND))
    talk.call(method(11583, of_its_own=False), HANDLE)
    assert talk.told() == [line("file ns=2;i=9", BOTH, into=True)]
