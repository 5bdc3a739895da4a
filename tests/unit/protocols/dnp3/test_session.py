# SPDX-License-Identifier: Apache-2.0
"""What is refused, and that neither side misses it: sequences of both layers, the bit of the link, whole fragments."""

from __future__ import annotations

import pytest

from portineria.protocols.dnp3 import INFO
from portineria.protocols.dnp3.link import BadDnp3, frame
from portineria.protocols.dnp3.transport import cut
from tests.unit.protocols.dnp3.conversation import (
    ASKS,
    CROB,
    MASTER,
    OUTSTATION,
    READ,
    RESPONSE,
    TELLS,
    asks,
    confirmed_frames,
    octets,
    one,
    passed,
    tells,
    with_sequence,
)

RESTART = "c0 0d"
SETPOINT = "290328 0100 0700 0000c842 00"


@pytest.mark.parametrize(
    ("question", "no"),
    [
        (READ, "c0 81 0001"),
        ("c7 0d", "c7 81 0001"),
        ("c3 19 46035b 00", "c3 81 0001"),
        (f"c2 03 {CROB}", f"c2 81 0000 {CROB[:-2]}09"),
        (f"c2 05 {CROB} {SETPOINT}", f"c2 81 0000 {CROB[:-2]}09 {SETPOINT[:-2]}09"),
        ("c2 05 0a0200 0303 81", "c2 81 0001"),
        ("c2 02 0a0900 0000 00", "c2 81 0002"),
        ("c2 62", "c2 81 0001"),
        (f"c2 06 {CROB}", ""),  # nothing is said to what wants no answer
        ("c2 08 140006", ""),
        ("c2 00", ""),
    ],
)
def test_each_refusal_is_the_no_of_an_outstation(question: str, no: str) -> None:
    inspection = INFO.begin()
    refusal = inspection.refuse(one(inspection, asks(question)))
    assert (refusal.to_client, refusal.to_device) == (tells(no) if no else b"", b"")


def test_a_refusal_repeats_what_the_outstation_said_of_itself_last() -> None:
    inspection = INFO.begin()
    passed(inspection, asks(READ))
    inspection.from_device(tells("c0 81 9102"))
    refusal = inspection.refuse(one(inspection, asks("c1 0d", 1)))
    assert refusal.to_client == tells("c1 81 9001", 1)  # restarted, needs the time; no broadcast was heard since


def test_a_broadcast_is_refused_in_silence() -> None:
    inspection = INFO.begin()
    assert inspection.refuse(one(inspection, asks(RESTART, to=0xFFFF))).to_client == b""


def test_segments_are_counted_on_over_what_was_left_out_and_put_in() -> None:
    inspection, segment = INFO.begin(), {"sent": 0, "seen": 0, "told": 0}
    for number in range(200):
        refused = number % 3 == 1
        request = one(inspection, asks(with_sequence(RESTART if refused else READ, number), number))
        if refused:
            to_client = inspection.refuse(request).to_client
        else:
            assert inspection.forward(request)[10] & 63 == segment["sent"] & 63
            segment["sent"] += 1
            (found,) = inspection.from_device(tells(with_sequence(RESPONSE, number), segment["told"]))
            segment["told"] += 1
            to_client = found.data
        assert to_client[10] & 63 == segment["seen"] & 63
        segment["seen"] += 1


def test_what_looks_like_a_repetition_only_because_of_refusals_is_given_another_number() -> None:
    """The outstation would answer the second command from memory, and do nothing."""
    inspection, command = INFO.begin(), f"c0 05 {CROB}"
    assert passed(inspection, asks(command)) == asks(command)
    inspection.from_device(tells(f"c0 81 0000 {CROB}"))
    for number in range(1, 16):
        inspection.refuse(one(inspection, asks(with_sequence(RESTART, number), number)))
    again = passed(inspection, asks(command, 16))
    assert again == asks(with_sequence(command, 1), 1)
    (found,) = inspection.from_device(tells(with_sequence(f"c0 81 0000 {CROB}", 1), 1))
    assert found.data == tells(f"c0 81 0000 {CROB}", 16)
    # What the master now sends once more is a repetition, and arrives as one; then its numbers are its own again.
    assert passed(inspection, asks(command, 17)) == asks(with_sequence(command, 1), 2)
    assert passed(inspection, asks(with_sequence(READ, 1), 18)) == asks(with_sequence(READ, 2), 3)
    assert passed(inspection, asks(with_sequence(READ, 4), 19)) == asks(with_sequence(READ, 4), 4)


def test_select_and_operate_stay_neighbours() -> None:
    inspection = INFO.begin()
    for number in (5, 6):
        step = with_sequence(f"c0 0{number - 2} {CROB}", number)
        assert passed(inspection, asks(step, number)) == asks(step, number)


def test_a_request_of_several_frames_passes_or_is_refused_whole() -> None:
    points = "".join(f"{index:04x}"[2:] + f"{index:04x}"[:2] for index in range(200))
    frames = cut(octets(f"c0 01 1e0028 c800 {points}"), ASKS, OUTSTATION, MASTER, 61)
    assert len(frames) == 2
    for allowed in (True, False):
        inspection = INFO.begin()
        assert inspection.from_client(frames[0]) == []
        request = one(inspection, frames[1])
        if allowed:
            assert inspection.forward(request) == request.data == b"".join(frames)
        else:
            assert inspection.refuse(request).to_client == tells("c0 81 0001")
            # The outstation has not heard of the two segments.
            assert passed(inspection, asks("c1 17", 63)) == asks("c1 17", 61)


def test_an_answer_of_several_fragments_is_confirmed_by_its_own_numbers() -> None:
    inspection, command = INFO.begin(), f"c0 05 {CROB}"
    passed(inspection, asks(command))
    for number in range(1, 16):
        inspection.refuse(one(inspection, asks(with_sequence(RESTART, number))))
    assert passed(inspection, asks(with_sequence(command, 0)))[11] == 0xC1
    for said, seen, confirmed in (("a1", "a0", "c1"), ("22", "21", "c2"), ("63", "62", "c3")):
        (found,) = inspection.from_device(tells(f"{said} 81 0000"))
        assert (found.data[11:12].hex(), found.to and found.to.data) == (seen, asks(command))
        confirm = one(inspection, asks(f"c{seen[1]} 00"))
        assert not confirm.expects_answer
        assert inspection.forward(confirm)[11:12].hex() == confirmed
    with pytest.raises(BadDnp3):
        inspection.from_device(tells("64 81 0000"))


def test_unasked_reports_and_their_confirmation_keep_their_numbers() -> None:
    inspection = INFO.begin()
    inspection.refuse(one(inspection, asks(RESTART)))
    (found,) = inspection.from_device(tells("f7 82 8000 020117 01 05 81", 0))
    assert (found.to, found.data) == (None, tells("f7 82 8000 020117 01 05 81", 1))
    assert passed(inspection, asks("d7 00", 1)) == asks("d7 00", 0)


def test_an_answer_that_nobody_awaits_ends_the_connection() -> None:
    inspection = INFO.begin()
    inspection.refuse(one(inspection, asks(RESTART)))
    with pytest.raises(BadDnp3):
        inspection.from_device(tells("c0 81 0000"))


def test_whoever_is_asked_as_yourself_answers_by_its_own_address() -> None:
    inspection = INFO.begin()
    passed(inspection, asks(READ, to=0xFFFC))
    for said in ("a0 81 0000", "61 81 0000"):  # in two fragments
        (found,) = inspection.from_device(tells(said))
        assert found.to
        assert (found.data, found.to.operations[0].route) == (tells(said), ("outstation self",))


def test_a_master_that_starts_anew_is_given_what_it_asked_then() -> None:
    """A first segment ends what was begun before it, which is never sent."""
    inspection = INFO.begin()
    assert inspection.from_client(frame(ASKS, OUTSTATION, MASTER, octets(f"40 c0 05 {CROB}"))) == []
    assert passed(inspection, asks(READ, 1)) == asks(READ, 1)


def test_the_bit_of_the_link_goes_on_without_what_was_refused() -> None:
    inspection = INFO.begin()
    reset, ack = frame(0xC0, OUTSTATION, MASTER), frame(0x00, MASTER, OUTSTATION)
    assert passed(inspection, reset) == reset
    first = asks(READ, 0, control=0xF3)
    assert passed(inspection, first) == first
    (found,) = inspection.from_device(ack)
    assert (found.data, found.operations[0].function) == (ack, "link-ack")
    refused = one(inspection, asks(with_sequence(RESTART, 1), 1, control=0xD3))
    assert inspection.refuse(refused).to_client == ack + tells("c1 81 0001")
    third = asks(with_sequence(READ, 2), 2, control=0xF3)
    assert passed(inspection, third) == asks(with_sequence(READ, 2), 1, control=0xD3)
    assert passed(inspection, frame(0xD2, OUTSTATION, MASTER)) == frame(0xF2, OUTSTATION, MASTER)
    assert passed(inspection, reset) == reset
    again = asks(with_sequence(READ, 3), 3, control=0xF3)
    assert passed(inspection, again) == asks(with_sequence(READ, 3), 2, control=0xF3)


def test_services_of_the_link_are_asked_and_answered_by_name() -> None:
    inspection = INFO.begin()
    asked = one(inspection, frame(0xC9, OUTSTATION, MASTER))
    assert (asked.operations[0].function, asked.expects_answer) == ("link-request-status", True)
    assert inspection.refuse(asked).to_client == frame(0x0F, MASTER, OUTSTATION)
    (status,) = inspection.from_device(frame(0x0B, MASTER, OUTSTATION))
    assert status.operations[0].function == "link-status"
    acknowledged = one(inspection, frame(0x80, OUTSTATION, MASTER))
    assert (acknowledged.operations[0].function, acknowledged.expects_answer) == ("link-ack", False)
    assert inspection.refuse(acknowledged).to_client == b""


def test_outstations_behind_one_connection_are_counted_apart() -> None:
    inspection = INFO.begin()
    inspection.refuse(one(inspection, asks(RESTART, to=11)))
    assert passed(inspection, asks(READ, 5)) == asks(READ, 5)
    (found,) = inspection.from_device(tells(RESPONSE, 7))
    assert found.data == frame(TELLS, MASTER, OUTSTATION, b"\xc7" + octets(RESPONSE))


def test_requests_that_nobody_decides_are_bounded() -> None:
    inspection = INFO.begin()
    with pytest.raises(BadDnp3):
        inspection.from_client(frame(0xC9, OUTSTATION, MASTER) * 2049)


def test_a_request_in_several_frames_that_the_link_confirms_is_acknowledged_before_it_is_known() -> None:
    """Refused, it never arrives, and its no follows; passed, what the outstation acknowledges is not said twice."""
    inspection = INFO.begin()
    ack = frame(0x00, MASTER, OUTSTATION)
    command = octets("c0 05 0c0128 1e00") + b"".join(bytes((n, 0)) + octets(CROB)[7:] for n in range(30))
    first, last = confirmed_frames(command, 0, bit=True)
    assert (inspection.from_client(first), inspection.owed(), inspection.owed()) == ([], ack, b"")
    assert (inspection.from_client(first), inspection.owed()) == ([], ack)  # its acknowledgement came late
    refused = one(inspection, last)
    assert inspection.owed() == b""
    told = inspection.refuse(refused).to_client
    assert (told.startswith(ack), told.count(ack)) == (True, 1)

    question = with_sequence(octets("c0 01") + octets("3c0206") * 100, 1)
    first, last = confirmed_frames(question, 2, bit=True)
    assert (inspection.from_client(first), inspection.owed()) == ([], ack)
    sent = confirmed_frames(question, 0, bit=True)  # as if nothing had been before
    assert inspection.forward(one(inspection, last)) == b"".join(sent)
    assert [found.data for found in inspection.from_device(ack + ack)] == [ack]
    (found,) = inspection.from_device(tells("c1 81 0000"))
    assert found.to


def test_a_request_with_confirmation_that_is_given_up_leaves_the_bit_right() -> None:
    inspection = INFO.begin()
    inspection.from_client(confirmed_frames(octets("c0 01") + octets("3c0206") * 100, 0, bit=True)[0])
    anew = asks(with_sequence(READ, 1), 1, control=0xD3)
    assert passed(inspection, anew) == asks(with_sequence(READ, 1), 1, control=0xF3)
