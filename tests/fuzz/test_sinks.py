# SPDX-License-Identifier: Apache-2.0
"""Text of attackers in every field of every format: it adds neither a field nor a line, and says what it said."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from portineria.sinks.catalogue import ALL
from portineria.sinks.kind import SinkKind
from portineria.sinks.outgoing import VALUE_CHARACTERS, written
from tests.unit.sinks.events import outgoing
from tests.unit.sinks.readers import READERS

# What means something to one of the formats, among whatever else text may hold.
PIECES = [
    *'="|\\]}{[\'<>&,:;\t\n\r \0\x1b', "\r\n", "\x85", "\u2028", "\u202e", "\ufeff", "\ud800", "\\n", '\\"', "\\\\",
    " msg=", " act=", "CEF:0|a|b|1|c|d|9|", "LEEF:2.0|", '"] [event@32473 code="', "<34>1 ", '","code":"',
    '"}\n{"', "14 ",
]  # fmt: skip
HOSTILE = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=5)), max_size=12).map("".join)
FIELDS = st.fixed_dictionaries({"targets": HOSTILE, "function": HOSTILE}, optional={"reason": HOSTILE, "code": HOSTILE})


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.name)
@given(fields=FIELDS)
@example(fields={"targets": "x" * 1_048_576, "function": "\n" * 3000})
@example(fields={"targets": "\\=" * 3000, "function": '"]' * 3000})
@settings(deadline=None, max_examples=150)
def test_hostile_text_stays_in_its_field(kind: SinkKind, fields: dict[str, str]) -> None:
    data = kind.write(outgoing(**fields))
    assert len(data.splitlines()) == 1
    read = READERS[kind.name](data)
    assert read.keys() == fields.keys()
    for name, value in fields.items():
        assert read[name] == written(value)
        assert len(read[name]) <= VALUE_CHARACTERS
