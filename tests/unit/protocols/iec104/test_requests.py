# SPDX-License-Identifier: Apache-2.0
"""What is asked, what is told, and what is impossible."""

from __future__ import annotations

import pytest

from portineria.protocols.iec104 import INFO
from portineria.protocols.iec104.apci import BadIec104
from portineria.protocols.iec104.functions import TYPES
from portineria.protocols.operation import Kind, Target
from tests.unit.protocols.iec104.conversation import (
    FLOAT,
    INTERROGATION,
    READ,
    SINGLE,
    START,
    STARTED,
    STOP,
    TEST,
    TESTED,
    acknowledge,
    ask,
    cause,
    frame,
    one,
    started,
    tell,
)

TIME = "c35a 0f 0b 17 08 1a"  # 2026-08-23 11:15:23.235
CLOCK = "2026-08-23T11:15:23.235"
# Control direction: ASDU, function, kind, target, values.
ASKED = [
    (SINGLE, "single-command-execute", Kind.CONTROL, "ca 1 4000", (True, 0)),
    ("2d 01 06 00 0100 a00f00 84", "single-command-select", Kind.CONTROL, "ca 1 4000", (False, 1)),
    (cause(SINGLE, 8), "single-command-cancel", Kind.CONTROL, "ca 1 4000", (True, 0)),
    (cause(SINGLE, 0x86), "single-command-execute", Kind.CONTROL, "ca 1 4000", (True, 0)),
    ("2e 01 06 00 0200 010001 82", "double-command-select", Kind.CONTROL, "ca 2 65537", (2, 0)),
    ("2f 01 06 00 0200 010000 01", "regulating-step-execute", Kind.CONTROL, "ca 2 1", (1, 0)),
    ("30 01 06 00 0100 010000 00c0 00", "set-normalized-execute", Kind.WRITE, "ca 1 1", (-0.5, 0)),
    ("31 01 06 00 0100 010000 18fc 80", "set-scaled-select", Kind.WRITE, "ca 1 1", (-1000, 0)),
    ("32 01 06 00 0100 010000 0000c842 00", "set-float-execute", Kind.WRITE, "ca 1 1", (100.0, 0)),
    ("32 01 06 00 0100 010000 0000c8c2 80", "set-float-select", Kind.WRITE, "ca 1 1", (-100.0, 0)),
    ("33 01 06 00 0100 010000 efbeadde", "set-bitstring", Kind.WRITE, "ca 1 1", (0xDEADBEEF,)),
    (f"3a 01 06 00 0100 010000 81 {TIME}", "single-command-select", Kind.CONTROL, "ca 1 1", (True, 0, CLOCK)),
    (f"3b 01 06 00 0100 010000 01 {TIME}", "double-command-execute", Kind.CONTROL, "ca 1 1", (1, 0, CLOCK)),
    (f"3c 01 06 00 0100 010000 02 {TIME}", "regulating-step-execute", Kind.CONTROL, "ca 1 1", (2, 0, CLOCK)),
    (f"3d 01 06 00 0100 010000 0040 00 {TIME}", "set-normalized-execute", Kind.WRITE, "ca 1 1", (0.5, 0, CLOCK)),
    (f"3e 01 06 00 0100 010000 0100 80 {TIME}", "set-scaled-select", Kind.WRITE, "ca 1 1", (1, 0, CLOCK)),
    (f"3f 01 06 00 0100 010000 0000803f 00 {TIME}", "set-float-execute", Kind.WRITE, "ca 1 1", (1.0, 0, CLOCK)),
    (f"40 01 06 00 0100 010000 01000000 {TIME}", "set-bitstring", Kind.WRITE, "ca 1 1", (1, CLOCK)),
    (INTERROGATION, "interrogation", Kind.READ, "ca 1", (20,)),
    (cause(INTERROGATION, 8), "interrogation-cancel", Kind.READ, "ca 1", (20,)),
    ("65 01 06 00 0100 000000 05", "counter-interrogation", Kind.READ, "ca 1", (5,)),
    ("65 01 06 00 0100 000000 45", "counter-freeze", Kind.CONTROL, "ca 1", (0x45,)),
    ("65 01 06 00 0100 000000 c5", "counter-freeze", Kind.CONTROL, "ca 1", (0xC5,)),
    (READ, "read", Kind.READ, "ca 1 100", ()),
    (f"67 01 06 00 0100 000000 {TIME}", "set-clock", Kind.TIME, "ca 1", (CLOCK,)),
    ("68 01 06 00 0100 000000 aa55", "test", Kind.DIAGNOSTIC, "ca 1", (0x55AA,)),
    ("69 01 06 00 ffff 000000 01", "reset-process", Kind.STOP, "ca 65535", (1,)),
    ("6a 01 06 00 0100 000000 e803", "delay-acquisition", Kind.TIME, "ca 1", (1000,)),
    (f"6b 01 06 00 0100 000000 0500 {TIME}", "test", Kind.DIAGNOSTIC, "ca 1", (5, CLOCK)),
    ("6e 01 06 00 0100 010000 0040 01", "set-parameter-normalized", Kind.PROGRAM_WRITE, "ca 1 1", (0.5, 1)),
    ("6f 01 06 00 0100 010000 0100 01", "set-parameter-scaled", Kind.PROGRAM_WRITE, "ca 1 1", (1, 1)),
    ("70 01 06 00 0100 010000 0000803f 03", "set-parameter-float", Kind.PROGRAM_WRITE, "ca 1 1", (1.0, 3)),
    ("71 01 06 00 0100 010000 01", "activate-parameter", Kind.PROGRAM_WRITE, "ca 1 1", (1,)),
    ("71 01 08 00 0100 010000 01", "activate-parameter-cancel", Kind.PROGRAM_WRITE, "ca 1 1", (1,)),
    ("78 01 0d 00 0100 010000 0100 000100 00", "file-ready", Kind.FILE, "ca 1 1", (1, 256, 0)),
    ("79 01 0d 00 0100 010000 0100 02 000100 00", "section-ready", Kind.FILE, "ca 1 1", (1, 2, 256, 0)),
    ("7a 01 05 00 0100 010000 0100 00 01", "call-file", Kind.FILE, "ca 1 1", (1, 0, 1)),
    ("7b 01 0d 00 0100 010000 0100 01 01 55", "last-segment", Kind.FILE, "ca 1 1", (1, 1, 1, 0x55)),
    ("7c 01 0d 00 0100 010000 0100 01 01", "acknowledge-file", Kind.FILE, "ca 1 1", (1, 1, 1)),
    ("7d 01 0d 00 0100 010000 0100 01 03 abcdef", "segment", Kind.FILE, "ca 1 1", (1, 1, b"\xab\xcd\xef")),
    (f"7f 01 0d 00 0100 010000 0100 {TIME} {TIME}", "query-log", Kind.FILE, "ca 1 1", (1, CLOCK, CLOCK)),
    # Nothing that a station does, or not with these words.
    (cause(SINGLE, 3), "unknown-cause", Kind.UNKNOWN, "ca 1 4000", (True, 0)),
    (cause(SINGLE, 0x46), "unknown-cause", Kind.UNKNOWN, "ca 1 4000", (True, 0)),
    (cause(READ, 6), "unknown-cause", Kind.UNKNOWN, "ca 1 100", ()),
    (FLOAT, "monitor-direction", Kind.UNKNOWN, "ca 1 100", (100.0, 0)),
    ("34 01 06 00 0100 010000 01", "unknown", Kind.UNKNOWN, "", (b"\1\0\0\1",)),
    ("c8 7f 06 00 0100", "unknown", Kind.UNKNOWN, "", (b"",)),
]
# Monitor direction: ASDU, function, targets, values.
TOLD = [
    ("01 04 14 00 0100 010000 00 020000 01 030000 80 090000 01", "single-point", "ca 1 1-3, ca 1 9", 8),
    ("01 83 14 00 0100 010000 00 01 80", "single-point", "ca 1 1-3", (False, 0, True, 0, False, 0x80)),
    (f"02 01 03 00 0100 010000 01 {TIME[:7]}", "single-point", "ca 1 1", (True, 0, "15:23.235")),
    ("03 01 03 00 0100 010000 12", "double-point", "ca 1 1", (2, 0x10)),
    ("05 01 03 00 0100 010000 ff 00", "step-position", "ca 1 1", (-1, True, 0)),
    ("07 01 03 00 0100 010000 01000080 00", "bitstring", "ca 1 1", (0x80000001, 0)),
    ("09 82 03 00 0100 010000 ff7f 00 0080 80", "normalized-value", "ca 1 1-2", (32767 / 32768, 0, -1.0, 0x80)),
    ("0b 01 03 00 0100 010000 ffff 00", "scaled-value", "ca 1 1", (-1, 0)),
    (FLOAT, "float-value", "ca 1 100", (100.0, 0)),
    ("0f 01 25 00 0100 010000 ffffffff 03", "integrated-total", "ca 1 1", (-1, 3)),
    ("14 01 14 00 0100 010000 0f000300 00", "packed-single-points", "ca 1 1", (0x3000F, 0)),
    ("15 81 14 00 0100 010000 0040", "normalized-value", "ca 1 1", (0.5,)),
    (f"24 01 03 00 0100 010000 0000c842 00 {TIME}", "float-value", "ca 1 1", (100.0, 0, CLOCK)),
    (f"26 01 03 00 0100 010000 02 e803 {TIME}", "protection-event", "ca 1 1", (2, 1000, CLOCK)),
    (f"27 01 03 00 0100 010000 02 00 e803 {TIME}", "protection-start", "ca 1 1", (2, 0, 1000, CLOCK)),
    ("46 01 04 00 0100 000000 00", "end-of-initialization", "ca 1", (0,)),
    (f"7e 81 05 00 0100 010000 0100 000100 00 {TIME}", "file-directory", "ca 1 1", (1, 256, 0, CLOCK)),
    ("c8 01 03 00 0100 01", "unknown", "", (b"\1",)),
]
IMPOSSIBLE = [
    "2d 01 06 00 01",  # no header
    "2d 00 06 00 0100",  # no object
    "2d 01 06 00 0100 a00f00",  # no element
    "2d 01 06 00 0100 a00f00 01 00",  # a byte too many
    "2d 02 06 00 0100 a00f00 01 a10f00 01",  # two commands
    "2d 81 06 00 0100 a00f00 01",  # a sequence of commands
    "66 01 05 00 0100 640000 00",
    "1e 81 03 00 0100 010000 01 c35a0f0b17081a",  # a sequence with time
    "01 82 03 00 0100 ffffff 01 01",  # beyond the last address
    "7d 01 0d 00 0100 010000 0100 01 04 abcdef",
    "7d 01 0d 00 0100 010000 0100",
    "7d 81 0d 00 0100 010000 0100 01 00",
]


@pytest.mark.parametrize(("asdu", "function", "kind", "target", "values"), ASKED)
def test_what_is_asked(asdu: str, function: str, kind: Kind, target: str, values: tuple[object, ...]) -> None:
    operation = ask(asdu)
    assert (operation.function, operation.kind, operation.values) == (function, kind, values)
    assert ", ".join(map(str, operation.targets)) == target
    station = int.from_bytes(bytes.fromhex(asdu)[4:6], "little")
    assert (operation.code, operation.route) == (str(bytes.fromhex(asdu)[0]), (f"ca {station}",))


@pytest.mark.parametrize(("asdu", "function", "target", "values"), TOLD)
def test_what_is_told_unasked(asdu: str, function: str, target: str, values: tuple[object, ...] | int) -> None:
    answer = tell(asdu)
    (operation,) = answer.operations
    assert (answer.data, answer.to, answer.error, operation.function) == (frame(asdu), None, "", function)
    assert ", ".join(map(str, operation.targets)) == target
    assert values in (operation.values, len(operation.values))


@pytest.mark.parametrize("asdu", IMPOSSIBLE)
def test_what_is_impossible_ends_the_connection_from_either_side(asdu: str) -> None:
    with pytest.raises(BadIec104):
        ask(asdu)
    with pytest.raises(BadIec104):
        tell(asdu)


@pytest.mark.parametrize("number", TYPES)
def test_each_type_has_exactly_one_length(number: int) -> None:
    size = TYPES[number].first.size
    body = bytes(size)
    tell(bytes((number, 1, 3, 0, 1, 0)) + body)
    for wrong in (body[:-1], body + b"\0"):
        with pytest.raises(BadIec104):
            tell(bytes((number, 1, 3, 0, 1, 0)) + wrong)


@pytest.mark.parametrize(
    "data",
    [
        "67",
        "6803",
        "68fe",
        "68050700000000",
        "680407000001",
        "680417000000",
        "680401010000",
        "680401000100",
        "680403000000",
        "68040b000000",  # a confirmation from the controlling station
        "680e0000010064010600010000000014",
        "6804000000 00",
    ],
)
def test_impossible_frames_of_the_client(data: str) -> None:
    inspection = started()
    with pytest.raises(BadIec104):
        inspection.from_client(bytes.fromhex(data))


@pytest.mark.parametrize("data", [START, STARTED, STOP, TESTED])
def test_a_station_neither_starts_nor_confirms_what_nobody_asked(data: bytes) -> None:
    with pytest.raises(BadIec104):
        started().from_device(data)


def test_nothing_is_asked_before_the_start_and_after_the_end() -> None:
    with pytest.raises(BadIec104):
        INFO.begin().from_client(frame(SINGLE))
    inspection = started()
    inspection.forward(one(inspection, STOP))
    with pytest.raises(BadIec104):
        inspection.from_client(frame(SINGLE))


def test_a_refused_start_starts_nothing_and_a_refused_stop_ends_nothing() -> None:
    """The station has not heard of either."""
    inspection = INFO.begin()
    inspection.refuse(one(inspection, START))
    with pytest.raises(BadIec104, match="not started"):
        inspection.from_client(frame(SINGLE))
    running = started()
    running.refuse(one(running, STOP))
    assert running.forward(one(running, frame(SINGLE))) == frame(SINGLE)


def test_both_sides_test_the_line() -> None:
    inspection = started()
    request = one(inspection, TEST)
    assert (inspection.forward(request), request.operations[0].kind) == (TEST, Kind.SESSION)
    (answer,) = inspection.from_device(TESTED)
    assert answer.to is request
    (answer,) = inspection.from_device(TEST)
    assert (answer.data, answer.to, answer.operations[0].function) == (TEST, None, "testfr-act")
    request = one(inspection, TESTED)
    assert (inspection.forward(request), request.expects_answer) == (TESTED, False)


def test_answers_find_their_requests() -> None:
    """A select and its command, an interrogation with what it brings, a read, and a no."""
    inspection = started()
    asked = ["2d 01 06 00 0100 a00f00 81", SINGLE, INTERROGATION, READ, "66 01 05 00 0100 630000"]
    requests = [one(inspection, frame(asdu, number)) for number, asdu in enumerate(asked)]
    for request in requests:
        inspection.forward(request)
    told = [
        (cause(asked[0], 7), 0, ""),
        (cause(SINGLE, 7), 1, ""),
        (cause(SINGLE, 10), 1, ""),
        (cause(INTERROGATION, 7), 2, ""),
        (cause(FLOAT, 20), 2, ""),
        (cause(FLOAT, 3), None, ""),
        (cause(FLOAT, 5), 3, ""),
        (cause(INTERROGATION, 10), 2, ""),
        (cause(FLOAT, 20), None, ""),
        (cause(asked[4], 0x40 | 47), 4, "cause 47: unknown information object address"),
    ]
    for number, (asdu, place, error) in enumerate(told):
        (answer,) = inspection.from_device(frame(asdu, number, 5))
        assert (answer.to, answer.error) == (None if place is None else requests[place], error), asdu
        assert answer.values == (((100.0, 0),) if place == 3 else ())


def test_a_broadcast_is_answered_by_each_station() -> None:
    inspection = started()
    request = one(inspection, frame("64 01 06 00 ffff 000000 14"))
    inspection.forward(request)
    for number, asdu in enumerate(("64 01 07 00 ffff 000000 14", cause(INTERROGATION, 7), cause(FLOAT, 20))):
        (answer,) = inspection.from_device(frame(asdu, number, 1))
        assert answer.to is request


@pytest.mark.parametrize(
    ("asdu", "no"),
    [
        (SINGLE, 0x47),
        (cause(SINGLE, 0x86), 0xC7),
        (cause(SINGLE, 8), 0x49),
        (cause(SINGLE, 3), 0x40 | 45),
        (cause(SINGLE, 0x46), 0x40 | 45),
        (INTERROGATION, 0x47),
        (READ, 0x40 | 47),
        (FLOAT, 0x40 | 44),
        ("34 01 06 07 0100 010000 01", 0x40 | 44),
        ("7a 01 05 00 0100 010000 0100 00 01", 0x40 | 44),
    ],
)
def test_a_refusal_is_the_request_mirrored(asdu: str, no: int) -> None:
    inspection = started()
    refusal = inspection.refuse(one(inspection, frame(asdu)))
    assert (refusal.to_client, refusal.to_device) == (frame(cause(asdu, no), 0, 1), b"")


def test_what_begins_as_a_controlling_station_does_is_recognised() -> None:
    assert all(INFO.recognise(data) for data in (START, TEST, STOP, START + frame(INTERROGATION)))
    assert not any(INFO.recognise(data) for data in (STARTED, START[:5], acknowledge(0), frame(SINGLE)))


def test_a_range_is_a_target() -> None:
    assert ask(SINGLE).targets == (Target("ca 1", 4000),)
