# SPDX-License-Identifier: Apache-2.0
"""Real captures: the same frames, fragments and objects as tshark sees."""

from __future__ import annotations

from collections import Counter

import pytest

from portineria.protocols.dnp3 import application
from portineria.protocols.dnp3.link import HEADER
from portineria.protocols.inspection import Request
from portineria.protocols.operation import Kind
from tests.corpus import corpus_file
from tests.unit.protocols.dnp3.figures import ANNOUNCED, CAPTURES, MISSING, Reading, read, seen_by_tshark


@pytest.mark.parametrize(("capture", "why"), CAPTURES.items(), ids=CAPTURES)
def test_each_fragment_is_counted_as_tshark_counts_it(capture: str, why: str) -> None:
    """In both directions: addresses, control octets, function; what passes passes byte by byte.

    Where all agree, group and variation of each header too, but for two groups that tshark reads less of.
    """
    path = corpus_file(capture)
    reading, theirs = read(path), seen_by_tshark(path)
    assert reading.counts() - theirs.counts == Counter()
    assert (theirs.counts - reading.counts()).total() == MISSING.get(why, 0)
    assert bool(reading.refused) is bool(why)
    if not why:
        assert _all_objects(reading) == _without(theirs.objects)


def _all_objects(reading: Reading) -> Counter[int]:
    found = Counter[int]()
    for request in reading.requests:
        found.update(_objects(request))
    for answer in reading.answers:
        if len(answer.data) > HEADER:
            found.update(each.group << 8 | each.variation for each in application.told(_fragment(answer.data)).headers)
    return _without(found)


def _without(objects: Counter[int]) -> Counter[int]:
    return Counter({each: number for each, number in objects.items() if each >> 8 not in (111, 120)})


def _fragment(data: bytes) -> bytes:
    """What the frames of ``data`` carry."""
    found = b""
    while data:
        user = data[2] - 5
        blocks, size = data[HEADER:], user + 2 * -(-user // 16)
        found += b"".join(blocks[at : min(at + 18, size) - 2] for at in range(0, size, 18))[1:]
        data = blocks[size:]
    return found


def _objects(request: Request) -> list[int]:
    asked = application.asked(_fragment(request.data)) if len(request.data) > HEADER else None
    return [each.group << 8 | each.variation for each in asked.headers or ()] if asked else []


def test_commands_of_real_masters_are_read_with_their_values() -> None:
    acts = [
        (operation.function, [str(each) for each in operation.targets], operation.values, operation.kind)
        for capture in ("pcaps/dnp3/dnp3_value_8hosts.pcap", "pcaps/dnp3/file_read.pcap")
        for request in read(corpus_file(capture)).requests
        for operation in request.operations
        if operation.kind not in (Kind.READ, Kind.SESSION)
    ]
    ((targets, value),) = [(each[1], each[2][0]) for each in acts if each[0] == "analog-direct-operate"]
    assert targets == ["analog-output 0"]
    assert value == pytest.approx(10.56)
    assert ("binary-select", ["binary-output 0"], ("trip latch-on",), Kind.CONTROL) in acts
    assert ("set-clock", ["time"], ("2019-10-10T09:53:49.925",), Kind.TIME) in acts
    assert ("open-file", ["file ./testfile.txt"], ("read",), Kind.FILE) in acts
    assert {"cold-restart", "warm-restart"} < {function for function, *_ in acts}


def test_a_malformed_command_with_good_checks_is_refused() -> None:
    ((side, _, why),) = read(corpus_file("pcaps/dnp3/crob_malformed_good_crc.pcap")).refused
    assert (side, "2 points" in why) == ("request", True)
    assert CAPTURES["pcaps/dnp3/crob_malformed_good_crc.pcap"] == ANNOUNCED
