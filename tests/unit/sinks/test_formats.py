# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest

from portineria.core.event import CATALOGUE
from portineria.sinks.catalogue import ALL
from portineria.sinks.cef.message import line
from portineria.sinks.kind import SinkKind
from portineria.sinks.syslog.message import message
from tests.corpus import corpus_file
from tests.unit.sinks.events import of_every_code, outgoing
from tests.unit.sinks.readers import READERS, cef_parts, syslog_elements


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.name)
def test_every_event_of_the_catalogue_is_written_and_read_back(kind: SinkKind) -> None:
    for event in of_every_code():
        assert READERS[kind.name](kind.write(event)) == event.fields, event.code


def test_kinds_have_names_of_their_own() -> None:
    assert len({kind.name for kind in ALL}) == len(ALL)
    assert READERS.keys() == {kind.name for kind in ALL}


def test_a_syslog_message_as_it_stands_on_the_wire() -> None:
    written = message(outgoing(machine='a"b\\c]d', count=2, operation="program-write"))
    assert written == (
        b"<108>1 2026-11-26T12:30:15.250Z console.example Portineria - operation.refused "
        b'[portineria@32473 organisation="org_aaaaaaaaaaaaaaaa" seq="7" code="operation.refused" '
        b'actor="per_aaaaaaaaaaaaaaaa" outcome="failure" leaf="' + b"ab" * 32 + b'" version="0.1" '
        b'techniques="T0843 T0889"]'
        b'[event@32473 machine="a\\"b\\\\c\\]d" count="2" operation="program-write"] \xef\xbb\xbfoperation refused'
    )


def test_codes_stay_apart_where_a_message_id_is_cut() -> None:
    """RFC 5424, 6.2.7: 32 characters; the whole code is among the data."""
    assert len({code[:32] for code in CATALOGUE}) == len(CATALOGUE)
    long = max(CATALOGUE, key=len)
    assert ("portineria@32473", "code", long) in syslog_elements(message(outgoing(long)))[0]


def test_cef_is_escaped_as_the_collected_cases_want_it() -> None:
    cases = json.loads(corpus_file("soc/cef/cef-escape-cases.json").read_text("utf-8"))["cases"]
    assert len(cases) >= 7
    for case in cases:
        head, extension = cef_parts(case["line"])
        extension = case.get("fields", extension)
        if "header" in case:
            assert head[3] == case["header"]["signatureId"]
        assert line(head, extension) == case["line"], case["id"]
        assert cef_parts(case["line"])[1] == extension, case["id"]
