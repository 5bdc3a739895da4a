# SPDX-License-Identifier: Apache-2.0
"""Passwords and files of DNP3 outstations never get into a recording, and its frames still have the right checks."""

from __future__ import annotations

from hashlib import sha256

import pytest

from portineria.protocols.dnp3 import INFO
from portineria.protocols.dnp3.link import Splitter
from portineria.protocols.dnp3.transport import cut
from portineria.protocols.operation import Kind
from portineria.recording.cut import UNPLACED, UNREADABLE
from tests.unit.protocols.dnp3.conversation import ASKS, MASTER, OUTSTATION, READ, TELLS, asks, tells
from tests.unit.recording.test_cut import FROM_DEVICE, TO_DEVICE, Kept, Said

OTHER = 20  # another outstation on the same connection
CONTENT = bytes(range(256)) + b"recloser settings" * 12
PASSWORD = b"correct horse battery"


def sized(variation: int, content: bytes) -> bytes:
    """One object of group 70 that says its size: 4.2.2.7.3.2, code 5."""
    return bytes((70, variation, 0x5B, 1)) + len(content).to_bytes(2, "little") + content


def login(name: bytes, password: bytes, key: int = 0, *, password_at: int | None = None) -> bytes:
    """A.27.2."""
    at = 12 + len(name) if password_at is None else password_at
    numbers = b"".join(number.to_bytes(2, "little") for number in (12, len(name), at, len(password)))
    return sized(2, numbers + key.to_bytes(4, "little") + name + password)


def written(content: bytes = CONTENT) -> bytes:
    return b"\xc0\x02" + sized(5, bytes(4) + bytes((2, 0, 0, 0x80)) + content)


def frames(fragment: bytes, to: int = OUTSTATION, segment: int = 0) -> list[bytes]:
    return cut(fragment, ASKS, to, MASTER, segment)


def functions(sides: list[bytes]) -> list[str]:
    """What our own decoder reads in what was kept, checks included."""
    found = [each.operations[0].function for each in INFO.begin().from_client(sides[TO_DEVICE])]
    return found + [f"from {frame.source}" for frame in Splitter(from_master=False).take(sides[FROM_DEVICE])]


def test_a_file_is_its_hash_and_size_and_every_frame_can_still_be_read() -> None:
    block = written()
    said: Said = [(TO_DEVICE, b"".join(frames(block))), (TO_DEVICE, asks(READ, 2))]
    for protocol, step in (("dnp3", 0), ("", 0), ("dnp3", 7)):
        kept = Kept(said, protocol, step=step)
        assert functions(kept.sides) == ["write-file", "read"]
        assert (sum(size for _, _, size, _ in kept.where), set(kept.rules)) == (len(CONTENT), {"dnp3.file"})
        assert [each.sha256 for _, each in kept.cuts if each.sha256] == [sha256(CONTENT).hexdigest()]
        assert b"recloser" not in kept.sides[TO_DEVICE]
        places = [kept.sides[TO_DEVICE][at : at + size] for _, at, size, _ in kept.where]
        assert b"".join(places) == b"*" * len(CONTENT)
    agreed = Kept(said, "dnp3", contents=True)
    assert (agreed.cuts, agreed.sides[TO_DEVICE]) == ([], said[0][1] + said[1][1])


def test_so_is_one_that_the_outstation_sends_also_before_an_object_that_nobody_knows() -> None:
    read = asks("c0 01 46055b 01 0800 01000000 00000000")
    for behind in (b"", b"\xfa\x01\x55"):
        answer = b"\xc0\x81\0\0" + sized(5, bytes(8) + CONTENT[:90]) + behind
        kept = Kept([(TO_DEVICE, read), (FROM_DEVICE, tells(answer))], "dnp3")
        assert kept.sides[TO_DEVICE] == read
        assert functions(kept.sides) == ["read-file", f"from {OUTSTATION}"]
        assert CONTENT[:8] not in kept.sides[FROM_DEVICE]
        assert sum(size for _, _, size, _ in kept.where) == 90


@pytest.mark.parametrize(
    ("object_", "secret", "stays"),
    [
        (login(b"ann", PASSWORD, 0x01020304), 4 + len(PASSWORD), b"ann"),
        (login(b"ann", PASSWORD), len(PASSWORD), b"ann"),
        (login(b"ann", PASSWORD, password_at=12), 3 + len(PASSWORD), b"\x0c\0"),  # who knows what is the name there
        (sized(2, b"pass"), 4, b""),
    ],
)
def test_a_password_and_a_key_are_cut_out_and_a_name_is_not(object_: bytes, secret: int, stays: bytes) -> None:
    """Whatever is agreed about files; and the key where it comes back, and where it opens one."""
    command = bytes.fromhex("1a000200 000000000000 ff01 04030201 00000000 0200 0004 0100") + b"ab"
    said: Said = [
        (TO_DEVICE, asks(b"\xc0\x1d" + object_)),
        (FROM_DEVICE, tells(b"\xc0\x81\0\0" + login(b"", b"", 0x01020304))),
        (TO_DEVICE, asks(b"\xc1\x19" + sized(3, command), 1)),
    ]
    kept = Kept(said, "dnp3", contents=True)
    assert functions(kept.sides) == ["authenticate-file", "open-file", f"from {OUTSTATION}"]
    assert PASSWORD[:6] not in kept.sides[TO_DEVICE]
    assert stays in kept.sides[TO_DEVICE]
    assert b"\4\3\2\1" not in kept.sides[FROM_DEVICE] + kept.sides[TO_DEVICE]
    assert sum(size for way, _, size, _ in kept.where if way == TO_DEVICE) == secret + 4
    assert {each.sha256 for _, each in kept.cuts} == {""}


def test_what_cannot_be_read_of_a_login_is_cut_out_whole() -> None:
    kept = Kept([(TO_DEVICE, asks(b"\xc0\x1d\x46\x02\x33" + PASSWORD))], "dnp3")
    assert PASSWORD[:6] not in kept.sides[TO_DEVICE]
    assert functions(kept.sides) == ["unknown-object"]


def test_where_parts_of_two_requests_alternate_neither_says_what_the_other_hides() -> None:
    first, second = frames(written()), frames(b"\xc0\x1d" + login(b"ann", PASSWORD * 15), OTHER)
    mixed = b"".join(part for pair in zip(first, second, strict=True) for part in pair)
    for protocol, rules in (("dnp3", [UNPLACED]), ("", [UNPLACED])):
        kept = Kept([(TO_DEVICE, mixed), (TO_DEVICE, asks(READ, 2))], protocol)
        assert (kept.rules, kept.sides[TO_DEVICE]) == (rules, b"*" * len(mixed) + asks(READ, 2))
        left = Kept([(TO_DEVICE, mixed[:-1])], protocol)
        assert b"correct" not in left.sides[TO_DEVICE]
    plain = [frames(b"\xc0\x02" + bytes.fromhex("6e0300 0202 616263"), to) for to in (OUTSTATION, OTHER)]
    harmless = [(TO_DEVICE, b"".join(plain[0] + plain[1]))]
    assert Kept(harmless, "dnp3").cuts == []
    broken = Kept([(TO_DEVICE, mixed[: len(first[0]) + 30] + b"no frame" * 40)], "dnp3")
    assert broken.rules == [UNREADABLE]


def test_what_an_outstation_says_unasked_is_cut_too() -> None:
    said = cut(b"\xf0\x82\0\0" + sized(5, bytes(8) + CONTENT), TELLS, MASTER, OUTSTATION, 0)
    kept = Kept([(TO_DEVICE, asks(READ)), (FROM_DEVICE, b"".join(said))], "dnp3")
    assert b"recloser" not in kept.sides[FROM_DEVICE]


TYPED = b"ACC\r\nOTTER\r\n"
WHOLE = b"\xc0\x02" + bytes((112, len(TYPED), 0x17, 1, 2)) + TYPED
TWICE = b"\xc0\x02" + bytes((112, 5, 0x00, 2, 3)) + TYPED[:10]  # by range: ports 2 and 3
SIZED = b"\xc0\x02" + bytes((112, 0, 0x5B, 1)) + len(TYPED).to_bytes(2, "little") + TYPED


@pytest.mark.parametrize("asked", [WHOLE, TWICE, SIZED, b"\xc0\x02" + bytes((112, 0, 0x00, 2, 2)) + TYPED])
def test_what_is_typed_at_a_terminal_is_not_kept_at_all(asked: bytes) -> None:
    """Whatever is agreed about files: what is a password there, nobody but the terminal says."""
    kept = Kept([(TO_DEVICE, asks(asked)), (TO_DEVICE, asks(READ, 1))], "dnp3", contents=True)
    assert TYPED[:4] not in kept.sides[TO_DEVICE]
    assert TYPED[5:9] not in kept.sides[TO_DEVICE]
    assert kept.sides[TO_DEVICE].endswith(asks(READ, 1))
    assert (set(kept.rules), {each.sha256 for _, each in kept.cuts}) == ({"dnp3.terminal"}, {""})
    assert len(list(Splitter(from_master=True).take(kept.sides[TO_DEVICE]))) == 2
    [request] = INFO.begin().from_client(asks(asked))
    assert not any(isinstance(value, bytes) for each in request.operations for value in each.values)
    assert {each.kind for each in request.operations} == {Kind.UNKNOWN}


def test_nor_is_what_the_terminal_says_asked_or_not() -> None:
    said = bytes((113, len(TYPED), 0x17, 1, 2)) + TYPED
    for told, way in ((b"\xc0\x81\0\0" + said, "asked"), (b"\xf0\x82\0\0" + said, "unasked")):
        kept = Kept([(TO_DEVICE, asks("c0 01 710006")), (FROM_DEVICE, tells(told))], "dnp3")
        assert TYPED[:4] not in kept.sides[FROM_DEVICE], way
        assert (kept.sides[TO_DEVICE], set(kept.rules)) == (asks("c0 01 710006"), {"dnp3.terminal"})
    inspection = INFO.begin()
    [request] = inspection.from_client(asks("c0 01 710006"))
    inspection.forward(request)
    [answer] = inspection.from_device(tells(b"\xc0\x81\0\0" + said))
    assert [each.values for each in answer.operations] + [*answer.values] == [(len(TYPED),)]
