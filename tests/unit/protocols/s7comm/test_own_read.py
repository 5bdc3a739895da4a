# SPDX-License-Identifier: Apache-2.0
"""What a write is about to change is read first: under a reference of its own, its answer for nobody."""

from __future__ import annotations

import pytest

from tests.unit.protocols.s7comm.conversation import job, opened, told

ITEM = "120a10020002000184000050"  # two bytes of DB 1 from byte 10
WRITE = job(f"0501{ITEM}", "000400101234")
READ_ANSWER = ("0401", "ff040010 0a0b")


def test_it_reads_the_item_that_is_written_and_keeps_the_answer() -> None:
    inspection = opened()
    (write,) = inspection.from_client(WRITE)
    ours = inspection.read_first(write)
    assert ours is not None
    assert ours.data == job(f"0401{ITEM}", reference=0x8007)
    assert [(each.function, each.targets) for each in ours.operations] == [
        ("read-variable", write.operations[0].targets)
    ]
    (answer,) = inspection.from_device(told(*READ_ANSWER, reference=0x8007))
    assert (answer.data, answer.to, answer.values) == (b"", ours, ((b"\x0a\x0b",),))
    assert inspection.forward(write) == WRITE
    (answer,) = inspection.from_device(told("0501", "ff"))
    assert (answer.data, answer.to) == (told("0501", "ff"), write)


def test_one_that_was_never_answered_takes_no_answer_of_a_client() -> None:
    inspection = opened()
    (write,) = inspection.from_client(WRITE)
    ours = inspection.read_first(write)
    inspection.forward(write)
    same = job(f"0401{ITEM}", reference=0x8007)
    (read,) = inspection.from_client(same)
    inspection.forward(read)
    came = told(*READ_ANSWER, reference=0x8007)
    assert [(each.data, each.to) for each in inspection.from_device(came + came)] == [(came, read), (b"", ours)]


@pytest.mark.parametrize(
    "sent", [job("04 01" + ITEM), job(f"0502{ITEM}{ITEM}", "00040010123400040010 1234")], ids=["busy", "two items"]
)
def test_nothing_is_read_while_a_job_is_under_way_or_of_several_items(sent: bytes) -> None:
    inspection = opened()
    (request,) = inspection.from_client(sent)
    if len(request.operations) == 1:
        inspection.forward(request)
        (request,) = inspection.from_client(WRITE)
    assert inspection.read_first(request) is None
