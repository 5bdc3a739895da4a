# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest

from portineria.core.event import CATALOGUE, UnknownEvent
from portineria.core.event_meaning import (
    MEANINGS,
    OF_CODES,
    OF_OPERATIONS,
    ON_OPERATIONS,
    TECHNIQUES,
    Severity,
    meaning_of,
    techniques_of,
)
from portineria.protocols.operation import Kind
from tests.corpus import corpus_file


def test_every_event_says_how_severe_it_is_and_how_it_ended() -> None:
    assert MEANINGS.keys() == CATALOGUE.keys()
    assert {meaning.severity for meaning in MEANINGS.values()} == set(Severity)
    with pytest.raises(UnknownEvent):
        meaning_of("access.grant.whispered")


def test_techniques_are_named_for_events_and_operations_that_exist() -> None:
    assert CATALOGUE.keys() >= OF_CODES.keys() | set(ON_OPERATIONS)
    assert set(OF_OPERATIONS) <= set(Kind)
    named = {number for numbers in (*OF_CODES.values(), *OF_OPERATIONS.values()) for number in numbers}
    assert named == TECHNIQUES.keys()


def test_a_refused_download_is_a_program_download_and_a_refused_read_is_nothing_in_particular() -> None:
    assert techniques_of("operation.refused", {"operation": "program-write"}) == ("T0843", "T0889")
    assert techniques_of("operation.refused", {"operation": "read"}) == ()
    assert techniques_of("access.grant.given", {"operation": "write"}) == ()


def test_techniques_are_called_as_mitre_calls_them() -> None:
    listed = json.loads(corpus_file("soc/attack-ics/ics-techniques-datacomponents.json").read_text("utf-8"))
    names = {technique["id"]: technique["name"] for technique in listed["techniques"]}
    assert {number: names.get(number) for number in TECHNIQUES} == TECHNIQUES
