# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portineria.dataplane.gateway.journal import Journal
from portineria.dataplane.gateway.last_read import MOST_TOLD, MOST_VALUES, LastRead
from portineria.dataplane.gateway.work import MOST_CHANGES, MOST_FUNCTIONS, UNANSWERED, StreamWork, Work
from portineria.protocols.inspection import Answer, Request
from portineria.protocols.operation import Kind, Operation, Target, Value
from tests.unit.protocols.modbus import conversation as modbus
from tests.unit.protocols.s7comm.conversation import converse, job, opened, told

BLOCK_NAME = "09 5f3041303030303141"  # _0A00001A
Values = tuple[Value, ...]


def holding(first: int, count: int = 1) -> Target:
    return Target("holding", first, count)


def operation(target: Target, values: Values = (), kind: Kind = Kind.READ, function: str = "") -> Operation:
    return Operation("modbus", function or f"{kind}-it", "3", kind, (target,), values)


def read(stream: StreamWork, target: Target, values: Values) -> None:
    request = Request((operation(target),), b"")
    stream.asked(request, refused=False, noted=False)
    stream.answered(Answer(b"", request, values=(values,)))


def write(stream: StreamWork, target: Target, values: Values, error: str | None = "") -> Values | None:
    """What was known before. ``error`` None: it is never answered."""
    request = Request((operation(target, values, Kind.WRITE),), b"")
    [before] = stream.asked(request, refused=False, noted=False)
    if error is not None:
        stream.answered(Answer(b"", request, error))
    return before


def lines(work: Work, code: str) -> list[dict[str, object]]:
    return [fields for name, fields in work.lines() if name == code]


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def stream(work: Work) -> Iterator[StreamWork]:
    stream = work.of("svc_1")
    yield stream
    stream.close()


def test_an_old_value_is_gathered_from_what_was_read(stream: StreamWork) -> None:
    read(stream, holding(100, 4), (1, 2, 3, 4))
    read(stream, holding(104, 2), (120, 121))
    assert write(stream, holding(103, 2), (7, 8)) == (4, 120)
    assert write(stream, holding(106), (7,)) is None


def test_a_write_is_no_reading(stream: StreamWork) -> None:
    """The device may have rounded it, or not taken it at all: until it is read again nobody knows."""
    read(stream, holding(104), (120,))
    assert write(stream, holding(104), (180,)) == (120,)
    assert write(stream, holding(104), (200,)) is None
    read(stream, holding(104), (199,))
    assert write(stream, holding(104), (120,)) == (199,)


def test_other_services_and_devices_behind_them_are_other_machines(work: Work, stream: StreamWork) -> None:
    read(stream, holding(104), (120,))
    assert write(work.of("svc_2"), holding(104), (1,)) is None
    behind = Operation("modbus", "w", "6", Kind.WRITE, (holding(104),), (1,), ("unit 7",))
    assert stream.asked(Request((behind,), b""), refused=False, noted=False) == [None]


def test_bytes_are_known_address_by_address_and_types_only_as_they_were_read(stream: StreamWork) -> None:
    read(stream, Target("db 1", 0, 8), (bytes(range(8)),))
    assert write(stream, Target("db 1", 2, 2), (b"\xff\xff",)) == (b"\x02\x03",)
    assert write(stream, Target("db 1", 4, 4), (1.5,)) is None
    read(stream, Target("db 1", 4, 4), (2.5,))
    assert write(stream, Target("db 1", 4, 4), (1.5,)) == (2.5,)
    assert write(stream, Target("db 1", 4, 4), (b"1234",)) is None


def test_what_is_written_in_one_way_is_unknown_in_every_other(stream: StreamWork) -> None:
    for name, part in (("Speed", "Speed[3]"), ("Line.Speed", "Line"), ("A[1]", "A[2]")):
        read(stream, Target("tag", name=name), (1,))
        write(stream, Target("tag", name=part), (2,))
        assert write(stream, Target("tag", name=name), (3,)) is None
    read(stream, Target("flags", 5, 1, "bit 3"), (True,))
    write(stream, Target("flags", 5, 1, "bit 2"), (False,))
    assert write(stream, Target("flags", 5, 1, "bit 3"), (False,)) == (True,)
    read(stream, Target("flags", 5, 1, "bit 3"), (True,))
    write(stream, Target("flags", 4, 2), (b"..",))
    assert write(stream, Target("flags", 5, 1, "bit 3"), (False,)) is None


def test_values_of_several_nodes_are_told_apart_only_where_the_decoder_does(stream: StreamWork) -> None:
    nodes = tuple(Target("node", name=f"ns=2;i={number}") for number in range(2))
    for shares, known in (((1, 2), (2, 3)), ((), None)):
        request = Request((Operation("opcua", "read", "631", Kind.READ, nodes),), b"")
        stream.asked(request, refused=False, noted=False)
        stream.answered(Answer(b"", request, values=((1, 2, 3),), shares=shares))
        assert write(stream, nodes[1], (5, 6)) == known


def test_changes_of_a_target_are_one_line_from_the_first_old_to_the_last_new_value(
    work: Work, stream: StreamWork
) -> None:
    read(stream, holding(104), (120,))
    write(stream, holding(104), (150,))
    write(stream, holding(104), (180,))
    write(stream, holding(104), (999,), "exception 3")
    write(stream, holding(104), (998,), None)
    stream.close()
    [changed] = lines(work, "work.changed")
    assert (changed["targets"], changed["before"], changed["after"]) == ("holding 104", "120", "180")
    assert (changed["count"], changed["unconfirmed"]) == (4, 2)
    counts = {line["function"]: (line["count"], line["unconfirmed"]) for line in lines(work, "work.done")}
    assert counts == {"read-it": (1, 0), "write-it": (4, 2)}


def test_what_was_refused_changed_nothing_and_is_counted(work: Work, stream: StreamWork) -> None:
    request = Request((operation(holding(1), (1,), Kind.WRITE),), b"")
    stream.asked(request, refused=True, noted=False)
    [line] = lines(work, "work.done")
    assert (line["count"], line["refused"]) == (0, 1)
    assert lines(work, "work.changed") == []


def test_a_password_is_no_value_of_a_change(work: Work, stream: StreamWork) -> None:
    request = Request((operation(Target("plc"), ("secret",), Kind.MODE),), b"", expects_answer=False)
    stream.asked(request, refused=False, noted=False)
    [line] = lines(work, "work.changed")
    assert line.keys().isdisjoint({"before", "after"})


def test_whatever_comes_what_is_kept_is_bounded(work: Work, stream: StreamWork) -> None:
    for number in range(3000):
        target = Target("tag", name=f"T{number}")
        read(stream, target, tuple(range(100)))
        request = Request((operation(target, (b"x" * 5000,), Kind.WRITE, f"f{number}"),), b"")
        stream.asked(request, refused=False, noted=False)
    stream.close()
    known = work.last_read
    assert len(known._told) <= MOST_TOLD
    assert known._values <= MOST_VALUES
    assert (len(work.functions), len(work.changes)) == (MOST_FUNCTIONS, MOST_CHANGES)
    assert work.beyond + work.others.count == 3000 - MOST_CHANGES + 3000 - MOST_FUNCTIONS + 1
    assert len(stream._open) <= UNANSWERED
    assert max(len(change.after) for change in work.changes.values()) <= 120


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 12), st.integers(1, 5)), max_size=60))
def test_an_old_value_is_never_older_than_the_last_write(steps: list[tuple[bool, int, int]]) -> None:
    """Against a plain model: an address is known from a read until something is written there."""
    last, model = LastRead(), dict[int, int]()
    for number, (writes, first, count) in enumerate(steps):
        target = holding(first, count)
        addresses, values = range(first, first + count), tuple(number * 10 + place for place in range(count))
        if writes:
            expected = tuple(model[each] for each in addresses if each in model)
            before = last.before("svc", operation(target, values, Kind.WRITE))
            assert before == (expected if len(expected) == count else None)
            last.written("svc", operation(target, values, Kind.WRITE))
            for each in addresses:
                model.pop(each, None)
        else:
            last.read("svc", operation(target), [values])
            model |= zip(addresses, values, strict=True)


def test_an_upload_is_told_by_hash_and_size_whatever_the_size_of_its_parts(work: Work, stream: StreamWork) -> None:
    inspection = opened()
    for sent, came in (
        (job(f"1d00000000000000 {BLOCK_NAME}"), told("1d00010000000007 07 30303030323136")),
        (job("1e00000000000007"), told("1e01", "0002 00fb 0102")),
        (job("1e00000000000007"), told("1e00", "0001 00fb 03")),
        (job("1f00000000000007"), told("1f")),
    ):
        request, answer = converse(inspection, sent, came)
        stream.asked(request, refused=False, noted=False)
        stream.answered(answer)
    [block] = lines(work, "work.transferred")
    assert (block["targets"], block["operation"], block["bytes"], block["whole"]) == (
        "block db 1", "program-read", 3, True,
    )  # fmt: skip
    assert block["content_sha256"] == hashlib.sha256(b"\x01\x02\x03").hexdigest()


def test_a_download_is_what_the_station_fetched(work: Work, stream: StreamWork) -> None:
    inspection = opened()
    request, answer = converse(
        inspection, job(f"1a00000000000000 {BLOCK_NAME} 0d 31303030303530303030303430"), told("1a")
    )
    stream.asked(request, refused=False, noted=False)
    stream.answered(answer)
    for number, (asks, said) in enumerate(
        ((f"1b00000000000000 {BLOCK_NAME}", "0003 00fb 010203"), (f"1c00000000000000 {BLOCK_NAME}", "")), start=90
    ):
        inspection.from_device(job(asks, reference=number))
        [request] = inspection.from_client(told("1b00" if said else "1c", said, reference=number))
        inspection.forward(request)
        stream.asked(request, refused=False, noted=False)
    [block] = lines(work, "work.transferred")
    assert (block["operation"], block["bytes"], block["whole"]) == ("program-write", 3, True)
    assert lines(work, "work.changed") == []


def test_a_program_of_a_modicon_is_told_whole_however_it_was_cut(work: Work, stream: StreamWork) -> None:
    """As a real tool reads one: its parts have numbers and no name."""
    asked = ["33", "34 0001 0100 0000", "34 0001 0200 0000", "35"]
    told = ["", b"first".hex(), b"second".hex(), ""]
    for sub, came in zip(asked, told, strict=True):
        request, answer = modbus.converse(f"5a 00 {sub}", f"5a 00 fe {came}")
        stream.asked(request, refused=False, noted=False)
        stream.answered(answer)
    [block] = lines(work, "work.transferred")
    assert (block["targets"], block["operation"], block["bytes"], block["whole"]) == (
        "program", "program-read", 11, True,
    )  # fmt: skip
    assert block["content_sha256"] == hashlib.sha256(b"firstsecond").hexdigest()


def test_the_line_of_a_write_in_a_recording_says_what_was_there(stream: StreamWork) -> None:
    written: list[Mapping[str, object]] = []

    def write(fields: Mapping[str, object], passes: bool) -> int:
        written.append(fields)
        return len(written)

    journal = Journal(stream)
    journal.write_to(write)
    asked = Request((operation(holding(104)),), b"")
    journal.asked(asked, refused=False, noted=False)
    journal.answered(Answer(b"", asked, values=((120,),)))
    journal.asked(Request((operation(holding(104), (180,), Kind.WRITE),), b""), refused=False, noted=False)
    assert [line.get("before") for line in written] == [None, None, [120]]
