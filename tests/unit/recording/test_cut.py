# SPDX-License-Identifier: Apache-2.0
"""Secrets in clear and contents of programs never get into a recording, and what is left can still be read."""

from __future__ import annotations

import struct
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portineria.protocols.cip import INFO as CIP
from portineria.recording.cut import UNFINISHED, UNREADABLE, Scissors
from portineria.recording.kept import Cut
from tests.unit.protocols.cip import conversation as cip
from tests.unit.protocols.iec104 import conversation as iec104
from tests.unit.protocols.modbus import conversation as modbus
from tests.unit.protocols.opcua import conversation as opcua
from tests.unit.protocols.s7comm import conversation as s7

TO_DEVICE, FROM_DEVICE = 0, 1
UNKNOWN_OBJECT = 47  # 101, 7.2.3
Said = list[tuple[int, bytes]]
Where = list[tuple[int, int, int, str]]  # direction, place in its stream, size, rule


class Kept:
    """What a recording keeps of a conversation, pieced together."""

    def __init__(self, said: Said, protocol: str = "", *, contents: bool = False, step: int = 0) -> None:
        scissors = Scissors(protocol, contents=lambda: contents)
        self.sides, self.cuts = [b"", b""], list[tuple[int, Cut]]()
        self.where: Where = []
        for direction, data in said:
            for at in range(0, len(data), step or len(data)):
                self._add(direction, scissors.take(direction, data[at : at + (step or len(data))]))
        for direction in (TO_DEVICE, FROM_DEVICE):
            self._add(direction, scissors.rest(direction))
        for direction in (TO_DEVICE, FROM_DEVICE):
            assert len(self.sides[direction]) == sum(len(data) for way, data in said if way == direction)

    def _add(self, direction: int, kept: object) -> None:
        for cut in kept.cuts:  # type: ignore[attr-defined]
            self.cuts.append((direction, cut))
            self.where.append((direction, len(self.sides[direction]) + cut.at, cut.size, cut.rule))
        self.sides[direction] += kept.data  # type: ignore[attr-defined]

    @property
    def rules(self) -> list[str]:
        return [rule for _, _, _, rule in self.where]


def activation(token: bytes) -> bytes:
    body = opcua.HEADER + struct.pack("<ii", -1, -1) + struct.pack("<ii", 0, 0) + token + struct.pack("<ii", -1, -1)
    return opcua.service(467, body)


def user_name(password: bytes, algorithm: bytes = b"") -> bytes:
    texts = b"".join(struct.pack("<i", len(text)) + text for text in (b"policy", b"admin", password, algorithm))
    return b"\1\0" + struct.pack("<H", 324) + b"\1" + struct.pack("<i", len(texts)) + texts


S7_OPENED: Said = [
    (TO_DEVICE, s7.CONNECT), (FROM_DEVICE, s7.CONFIRM),
    (TO_DEVICE, s7.job("f00000010001 03c0")), (FROM_DEVICE, s7.told("f00000010001 03c0")),
]  # fmt: skip
OPC_OPENED: Said = [
    (TO_DEVICE, opcua.hello()), (FROM_DEVICE, opcua.acknowledge()),
    (TO_DEVICE, opcua.opening()), (FROM_DEVICE, opcua.opened_as()),
]  # fmt: skip
PASSWORD = "5571556415571556"  # as it travels: each byte with the one before it
BLOCK = bytes(range(64, 144))
S7_NAMES = "00000000000000 09 5f3041303030303141"


def s7_download() -> Said:
    data = f"{len(BLOCK):04x}00fb{BLOCK.hex()}"
    return [
        *S7_OPENED,
        (TO_DEVICE, s7.job(f"1a{S7_NAMES} 0d31303030303530303030303430")), (FROM_DEVICE, s7.told("1a")),
        (FROM_DEVICE, s7.job(f"1b{S7_NAMES}")), (TO_DEVICE, s7.told("1b00", data)),
    ]  # fmt: skip


def s7_upload() -> Said:
    data = f"{len(BLOCK):04x}00fb{BLOCK.hex()}"
    return [
        *S7_OPENED,
        (TO_DEVICE, s7.job(f"1d{S7_NAMES}")), (FROM_DEVICE, s7.told("1d00010000000007")),
        (TO_DEVICE, s7.job("1e00000000000007")), (FROM_DEVICE, s7.told("1e00", data)),
    ]  # fmt: skip


def test_the_password_of_an_s7_station_is_cut_out_and_its_message_can_still_be_read() -> None:
    said = [*S7_OPENED, (TO_DEVICE, s7.userdata(5, 1, PASSWORD))]
    for protocol in ("s7comm", ""):  # inspected, or recognised
        kept = Kept(said, protocol)
        assert bytes.fromhex(PASSWORD) not in kept.sides[TO_DEVICE]
        end = len(kept.sides[TO_DEVICE])
        assert kept.where == [(TO_DEVICE, end - 8, 8, "s7comm.password")]
        assert kept.cuts[0][1].sha256 == ""  # eight bytes would be found by trying
        again = Kept([*S7_OPENED, (TO_DEVICE, kept.sides[TO_DEVICE][-len(said[-1][1]) :])])
        assert again.rules == ["s7comm.password"]


@pytest.mark.parametrize("said", [s7_download(), s7_upload()], ids=["download", "upload"])
def test_a_block_of_a_program_is_its_hash_and_size_unless_both_sides_agreed(said: Said) -> None:
    direction = said[-1][0]
    kept = Kept(said)
    assert BLOCK not in kept.sides[direction]
    assert [(way, cut.size, cut.rule, cut.sha256) for way, cut in kept.cuts] == [
        (direction, len(BLOCK), "s7comm.block", sha256(BLOCK).hexdigest())
    ]
    agreed = Kept(said, contents=True)
    assert BLOCK in agreed.sides[direction]
    assert agreed.cuts == []


def test_a_block_in_fragments_is_cut_in_each_of_them() -> None:
    *before, (direction, whole) = s7_download()
    message = whole[7:]
    fragments = s7.packet(message[:50], last=False) + s7.packet(message[50:])
    kept = Kept([*before, (direction, fragments)])
    assert [cut.size for _, cut in kept.cuts] == [50 - (len(message) - len(BLOCK)), len(message) - 50]
    assert not any(BLOCK[at : at + 4] in kept.sides[direction] for at in range(0, len(BLOCK), 4))
    assert kept.sides[direction].endswith(b"*" * (len(message) - 50))


def test_a_password_of_opc_ua_in_clear_is_cut_out_and_an_encrypted_one_is_not() -> None:
    kept = Kept([*OPC_OPENED, (TO_DEVICE, opcua.message(2, activation(user_name(b"admin"))))])
    assert kept.rules == ["opcua.password"]
    assert kept.sides[TO_DEVICE].count(b"admin") == 1  # the name, which is the same word
    assert kept.sides[TO_DEVICE].index(b"admin") < kept.where[0][1]
    sealed = Kept([*OPC_OPENED, (TO_DEVICE, opcua.message(2, activation(user_name(b"\x01\x02", b"rsa-oaep"))))])
    assert sealed.rules == []


def test_a_password_that_two_chunks_share_is_cut_in_both() -> None:
    body = activation(user_name(b"correct horse"))
    at = body.index(b"correct horse") + 7
    chunks = opcua.message(2, body[:at], b"MSGC") + opcua.message(3, body[at:], request=2)
    kept = Kept([*OPC_OPENED, (TO_DEVICE, chunks)])
    assert [cut.size for _, cut in kept.cuts] == [7, 6]
    assert b"correct" not in kept.sides[TO_DEVICE]
    assert b"horse" not in kept.sides[TO_DEVICE]


def test_an_identity_that_cannot_be_read_is_cut_out_whole() -> None:
    kept = Kept([*OPC_OPENED, (TO_DEVICE, opcua.message(2, opcua.service(467, opcua.HEADER + b"secret")))])
    assert kept.rules == ["opcua.identity"]
    assert b"secret" not in kept.sides[TO_DEVICE]


def variants(*arguments: bytes) -> bytes:
    return struct.pack("<i", len(arguments)) + b"".join(arguments)


def octets(content: bytes, kind: int = 15) -> bytes:
    return bytes((kind,)) + struct.pack("<i", len(content)) + content


def called(method: int, *arguments: bytes, answered: bytes = b"") -> Said:
    """A method by its numeric node id, and what it gives back."""
    node = b"\1\0" + struct.pack("<H", method)
    asked = opcua.service(712, opcua.HEADER + struct.pack("<i", 1) + node + node + variants(*arguments))
    result = struct.pack("<iIii", 1, 0, 0, 0) + (variants(answered) if answered else struct.pack("<i", 0))
    told = opcua.service(715, opcua.RESULT + result + struct.pack("<i", 0))
    return [*OPC_OPENED, (TO_DEVICE, opcua.message(2, asked)), (FROM_DEVICE, opcua.message(2, told))]


HANDLE = b"\x07" + struct.pack("<I", 1)
TWO_BLOCKS = b"\x8f" + struct.pack("<i", 2) + 2 * (struct.pack("<i", len(BLOCK)) + BLOCK)


def test_passwords_that_opc_ua_methods_take_are_cut_out_and_names_are_not() -> None:
    ann, secret, words = octets(b"ann", 12), octets(b"hunter2", 12), octets(b"hunter2 again", 12)
    for said, cuts in (
        (called(24304, ann, secret, HANDLE, words), 2),  # AddUser of the server
        (called(24271, ann, b"\1\1", secret, b"\1\0", HANDLE, b"\1\0", words), 2),  # ModifyUser of the type
        (called(24310, secret, words), 2),  # ChangePassword
    ):
        kept = Kept(said, "opcua", contents=True)
        assert kept.rules == ["opcua.password"] * cuts
        assert b"hunter2" not in kept.sides[TO_DEVICE]
        assert (b"ann" in kept.sides[TO_DEVICE]) == (ann in said[-2][1])
        again = opcua.opened()
        (request,) = again.from_client(said[-2][1])  # nor does an operation name it, wherever it is told
        assert not [value for each in request.operations for value in each.values if "hunter2" in str(value)]
        assert request.operations[0].kind == "mode"
    assert Kept(called(4711, ann, secret), "opcua").cuts == []  # a method of its own: a text is a value


def segment(direction: int, cause: int = 13) -> Said:
    asdu = bytes((125, 1, cause)) + bytes.fromhex("00 0100 010000 0100 01") + bytes([len(BLOCK)]) + BLOCK
    said = [(TO_DEVICE, iec104.START), (FROM_DEVICE, iec104.STARTED), (direction, iec104.frame(asdu))]
    if cause == UNKNOWN_OBJECT:  # the device's no to one of the client's, with what it was sent
        said.insert(2, (TO_DEVICE, iec104.frame(asdu[:2] + b"\x0d" + asdu[3:12] + b"\0")))
    return said


def umas(sub: str, tail: str, told: str) -> Said:
    return [(TO_DEVICE, modbus.frame(f"5a 00 {sub} {tail}")), (FROM_DEVICE, modbus.frame(f"5a 00 fe {told}"))]


def test_a_reservation_of_a_controller_is_cut_out_whatever_is_agreed_about_programs() -> None:
    proof = bytes(range(32)).hex()
    kept = Kept(umas("10", f"4a41 0000 03 414e4e {proof}", proof), "modbus", contents=True)
    assert kept.where == [(TO_DEVICE, 10, 40, "modbus.umas-login"), (FROM_DEVICE, 10, 32, "modbus.umas-login")]
    assert [cut.sha256 for _, cut in kept.cuts] == ["", ""]
    assert kept.sides[TO_DEVICE][:10] == modbus.frame(f"5a 00 10 4a41 0000 03 414e4e {proof}")[:10]


def test_what_is_left_of_a_method_with_two_contents_is_read_as_before() -> None:
    said = called(4711, HANDLE, TWO_BLOCKS)
    kept = Kept(said, "opcua")
    assert [cut.size for _, cut in kept.cuts] == [len(BLOCK)] * 2
    (request,) = opcua.opened().from_client(kept.sides[TO_DEVICE][-len(said[-2][1]) :])
    assert request.operations[0].values == (1, b"*" * len(BLOCK), b"*" * len(BLOCK))


def pccc(function: str, tail: bytes) -> bytes:
    return cip.request(0x4B, "2067 2401", bytes.fromhex(f"07 4d00 12345678 0f00 0100 {function}") + tail)


def answered(service: int, data: bytes) -> bytes:
    return bytes((service | 0x80, 0, 0, 0)) + data


@pytest.mark.parametrize(
    ("said", "direction", "rule"),
    [
        (segment(TO_DEVICE), TO_DEVICE, "iec104.file"),
        (segment(FROM_DEVICE), FROM_DEVICE, "iec104.file"),
        (segment(FROM_DEVICE, 5), FROM_DEVICE, "iec104.file"),
        (segment(FROM_DEVICE, 37), FROM_DEVICE, "iec104.file"),
        (segment(FROM_DEVICE, UNKNOWN_OBJECT), FROM_DEVICE, "iec104.file"),
        (called(11588, HANDLE, octets(BLOCK)), TO_DEVICE, "opcua.file"),
        (called(4711, HANDLE, TWO_BLOCKS), TO_DEVICE, "opcua.file"),  # a file's own node of its method
        (called(11585, HANDLE, HANDLE, answered=octets(BLOCK)), FROM_DEVICE, "opcua.file"),
        (umas("31", f"0001 0200 {BLOCK.hex()}", ""), TO_DEVICE, "modbus.umas-program"),
        (umas("34", "0001 0200 0000", BLOCK.hex()), FROM_DEVICE, "modbus.umas-program"),
        (umas("20", "01 3000 00000000 5000", BLOCK.hex()), FROM_DEVICE, "modbus.umas-program"),
        ([(TO_DEVICE, cip.unconnected(pccc("03", BLOCK)))], TO_DEVICE, "cip.program"),
        ([(TO_DEVICE, cip.unconnected(cip.sent_on(pccc("03", BLOCK))))], TO_DEVICE, "cip.program"),
        (
            [(TO_DEVICE, cip.unconnected(cip.bundle(pccc("03", BLOCK), pccc("18", BLOCK[:9]))))],
            TO_DEVICE,
            "cip.program",
        ),
        (
            [
                (TO_DEVICE, cip.unconnected(pccc("04", b"\1\2"))),
                (
                    FROM_DEVICE,
                    cip.unconnected(answered(0x4B, bytes.fromhex("07 4d00 12345678 4f00 0100") + BLOCK)),
                ),
            ],
            FROM_DEVICE,
            "cip.program",
        ),
        (
            [(TO_DEVICE, cip.unconnected(cip.request(0x50, "2037 2401", b"\1\0" + BLOCK)))],
            TO_DEVICE,
            "cip.program",
        ),
        (
            [
                (TO_DEVICE, cip.unconnected(cip.request(0x4F, "2037 2401", b"\1"))),
                (FROM_DEVICE, cip.unconnected(answered(0x4F, b"\1\0" + BLOCK))),
            ],
            FROM_DEVICE,
            "cip.program",
        ),
    ],
)
def test_contents_of_programs_are_cut_out_of_every_protocol(said: Said, direction: int, rule: str) -> None:
    protocol = rule.partition(".")[0]
    kept = Kept(said, protocol)
    assert BLOCK[:8] not in kept.sides[direction]
    assert set(kept.rules) == {rule}
    assert all(cut.sha256 for _, cut in kept.cuts)
    assert Kept(said, protocol, contents=True).cuts == []
    other = 1 - direction
    assert kept.sides[other] == b"".join(data for way, data in said if way == other)


TALKS: list[tuple[str, Said]] = [
    ("s7comm", s7_download()),
    ("opcua", [*OPC_OPENED, (TO_DEVICE, opcua.message(2, activation(user_name(b"correct horse"))))]),
    ("", [(FROM_DEVICE, b"220 plc FTP\r\n"), (TO_DEVICE, b"USER a\r\nPASS secret\r\nSYST\r\n")]),
    ("", [(TO_DEVICE, b"GET / HTTP/1.1\r\nAuthorization: Basic c2VjcmV0\r\n\r\n"), (FROM_DEVICE, b"HTTP/1.1 200\r\n")]),
]


@given(st.sampled_from(TALKS), st.integers(1, 40))
@settings(deadline=None, max_examples=60)
def test_however_it_is_split_the_same_bytes_are_cut_out(talk: tuple[str, Said], step: int) -> None:
    protocol, said = talk
    whole, split = Kept(said, protocol), Kept(said, protocol, step=step)
    assert split.sides == whole.sides
    assert set(split.rules) == set(whole.rules)


def test_what_was_not_finished_or_cannot_be_read_is_not_kept_either() -> None:
    *before, (direction, last) = s7_download()
    kept = Kept([*before, (direction, last[:-1])])
    assert kept.rules == [UNFINISHED]
    assert BLOCK[:8] not in kept.sides[direction]
    broken = Kept([*S7_OPENED, (TO_DEVICE, b"\3\0\0\4 no packet"), (TO_DEVICE, b"later")], "s7comm")
    assert broken.rules == [UNREADABLE]
    assert broken.sides[TO_DEVICE].endswith(b"later")


# Whoever begins as a protocol does, and goes on as something else: a message that never ends, with their work in it.
BEGUN = opcua.hello() + b"OPNF" + struct.pack("<I", 65535)


@pytest.mark.parametrize(
    "said",
    [
        [(TO_DEVICE, BEGUN + b"rm -r /\n")],
        [(TO_DEVICE, BEGUN), (TO_DEVICE, b"rm -r /\n"), (FROM_DEVICE, b"no\n"), (TO_DEVICE, b"rm -f /\n")],
        [(TO_DEVICE, opcua.hello()), (TO_DEVICE, b"what\nrm -r /\n"), (FROM_DEVICE, b"no\n")],
        [*S7_OPENED, (TO_DEVICE, b"\3\0\0\4 no packet\nrm -r /\n")],
    ],
)
def test_nobody_hides_their_work_behind_first_bytes_of_a_protocol(said: Said) -> None:
    kept = Kept(said)
    assert kept.rules == []
    assert kept.sides == [b"".join(data for way, data in said if way == side) for side in (TO_DEVICE, FROM_DEVICE)]
    secret = Kept([*said, (FROM_DEVICE, b"Password: "), (TO_DEVICE, b"hunter2\n"), (FROM_DEVICE, b"welcome\n")])
    assert secret.sides[TO_DEVICE] == kept.sides[TO_DEVICE] + b"*" * 7 + b"\n"


def test_what_cannot_be_read_any_more_is_kept_in_its_place() -> None:
    *before, (_, last) = s7_upload()[:-1]
    size = sum(len(data) for way, data in before if way == TO_DEVICE)
    said = [*before, (TO_DEVICE, last[:-1]), (FROM_DEVICE, b"\3\0\0\4 no packet"), (TO_DEVICE, b"later")]
    kept = Kept(said, "s7comm")
    assert (TO_DEVICE, size, len(last) - 1, UNREADABLE) in kept.where
    assert kept.sides[TO_DEVICE].endswith(b"*later")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (pccc("aa", b"\x0a\0\x03\x07\0" + b"1234567890"), b""),  # into a system file
        (pccc("a2", b"\x0a\0\x03\x07\0"), b"1234567890"),
        (pccc("ee", b"1234567890"), b"1234567890"),  # a function that no document describes
        (pccc("67", b"\0\0\1\0\7\3\0\7" + b"1234567890"), b""),
        (cip.sent_on(pccc("ee", b"1234567890")), b"1234567890"),
        (cip.bundle(pccc("a2", b"\2\7\x89\0\0"), pccc("ee", b"1234567890")), b""),
    ],
)
def test_what_may_be_a_password_of_an_older_processor_is_not_kept(asked: bytes, told: bytes) -> None:
    """Its system files have it, and its programming tools log in by what is not published. Whatever is agreed."""
    said: Said = [(TO_DEVICE, cip.unconnected(asked))]
    if told:
        answer = answered(0x4B, bytes.fromhex("07 4d00 12345678 4f00 0100") + told)
        said += [(FROM_DEVICE, cip.unconnected(answer))]
    kept = Kept(said, "cip", contents=True)
    assert b"1234567890" not in b"".join(kept.sides)
    assert (set(kept.rules), {each.sha256 for _, each in kept.cuts}) == ({"cip.system"}, {""})
    inspection = CIP.begin()
    for way, data in said:
        values: list[object] = [each.values for each in inspection.from_device(data)] if way else []
        for request in inspection.from_client(data) if not way else ():
            values += [each.values for each in request.operations]
            inspection.forward(request)
        assert "1234567890" not in repr(values)


def test_passwords_of_the_authenticator_are_not_kept() -> None:
    where = "2061 2401 3005"
    said: Said = [
        (TO_DEVICE, cip.unconnected(cip.request(0x10, where, b"1234567890"))),
        (FROM_DEVICE, cip.unconnected(answered(0x10, b""))),
        (TO_DEVICE, cip.unconnected(cip.request(0x0E, where))),
        (FROM_DEVICE, cip.unconnected(answered(0x0E, b"1234567890"))),
    ]
    kept = Kept(said, "cip", contents=True)
    assert b"1234567890" not in b"".join(kept.sides)
    assert kept.rules == ["cip.password"] * 2
