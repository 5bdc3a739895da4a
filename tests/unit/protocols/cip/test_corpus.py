# SPDX-License-Identifier: Apache-2.0
"""Real captures: the same services to the same classes as tshark and Zeek see, and the same answers."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.corpus import corpus_file
from tests.unit.protocols.cip.figures import CAPTURES, measure, read, tshark


@pytest.mark.parametrize("capture", CAPTURES)
def test_each_command_and_service_is_the_one_that_tshark_sees(capture: str) -> None:
    path = corpus_file(capture)
    assert read(path).frames == tshark(path).frames
    figures = measure(path)
    assert figures["agreed"] == figures["pdus"] == len(read(path).requests) + len(read(path).answers)


@pytest.mark.parametrize("capture", CAPTURES)
def test_as_many_errors_are_told_as_tshark_sees(capture: str) -> None:
    path = corpus_file(capture)
    assert sum(each.error.count("general status") for each in read(path).answers) == tshark(path).failures


@pytest.mark.parametrize("capture", CAPTURES)
def test_no_class_is_named_that_tshark_does_not_see(capture: str) -> None:
    """It sees more: within a connection it repeats the class that the connection was opened to, and of wrappings."""
    path = corpus_file(capture)
    ours = Counter[str]()
    for asked in read(path).requests:
        for operation in asked.operations:
            ours.update(operation.code.split("/")[1:])
    assert ours - tshark(path).classes == Counter()


GOLDEN = {
    "multiple_service_packet": "pcaps/enip_cip/multiple_service_packet.pcapng",
    "set_attribute_single": "pcaps/enip_cip/set_attribute_single.pcapng",
}


@pytest.mark.parametrize(("log", "capture"), GOLDEN.items(), ids=GOLDEN)
def test_zeek_sees_the_same_requests(log: str, capture: str) -> None:
    lines = corpus_file(f"golden_icsnpp/{log}/cip.log").read_text("utf-8").splitlines()
    logged = Counter[tuple[str, str, str]]()
    for line in lines:
        cells = line.split("\t")
        if not line.startswith("#") and cells[12] == "request" and cells[13] != "0x0a":
            logged[cells[13], cells[19], cells[21]] += 1
    ours = Counter[tuple[str, str, str]]()
    for asked in read(corpus_file(capture)).requests:
        for operation in asked.operations:
            service, class_ = operation.code.split("/")
            instance = int(operation.targets[0].name.split()[1])
            ours[service, class_, f"0x{instance:02x}"] += 1
    assert ours == logged
    assert ours


def test_zeek_sees_the_same_commands_and_identity() -> None:
    folder = "golden_icsnpp/enip_cip_example"
    logged = Counter[tuple[str, str]]()
    for line in corpus_file(f"{folder}/enip.log").read_text("utf-8").splitlines():
        if not line.startswith("#"):
            cells = line.split("\t")
            logged[cells[6], cells[11]] += 1
    reading = read(corpus_file("pcaps/enip_cip/enip_cip_example.pcap"))
    ours = Counter(("T", f"0x{each.command:02x}") for each in reading.requests)
    ours += Counter(("F", f"0x{int.from_bytes(each.data[:2], 'little'):02x}") for each in reading.answers)
    assert ours == logged
    identity = corpus_file(f"{folder}/cip_identity.log").read_text("utf-8").splitlines()[-1].split("\t")
    (told,) = [
        each.values[0] for each in reading.answers if each.to and each.to.operations[0].function == "list-identity"
    ]
    assert told == (1, 12, 58, "4.3", int(identity[-3], 16), identity[-2])


def test_every_answer_of_whole_conversations_finds_its_request() -> None:
    """One answer of plant1 is to a request before the capture, and so is one of enip_ndpi, cut from it."""
    strays = {"pcaps/enip_cip/plant1_enip_cip.pcap": 1, "pcaps/enip_cip/enip_ndpi.pcap": 1}
    for capture in CAPTURES:
        answers = read(corpus_file(capture)).answers
        assert sum(each.to is None for each in answers) == strays.get(capture, 0), capture
