# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portineria.policy.function_profile import BadProfile, Clause, Place, Rate
from portineria.policy.profile_text import parse_clause
from portineria.protocols.operation import Kind


@pytest.mark.parametrize(
    ("line", "clause"),
    [
        ("write", Clause((Kind.WRITE,))),
        ("write, control", Clause((Kind.WRITE, Kind.CONTROL))),
        (
            'write on holding 100-119, coil 5 between 0 and 500 at most 2 per 1 s through "unit 3"',
            Clause(
                (Kind.WRITE,),
                targets=(Place("holding", 100, 119), Place("coil", 5, 5)),
                routes=(("unit 3",),),
                low=0,
                high=500,
                rate=Rate(2, 1),
            ),
        ),
        (
            'write of cip on tag Press.*, tag "on between" between -1.5 and 2',
            Clause(
                (Kind.WRITE,),
                protocol="cip",
                targets=(Place("tag", name="Press.*"), Place("tag", name="on between")),
                low=-1.5,
                high=2,
            ),
        ),
        ("read on holding", Clause((Kind.READ,), targets=(Place("holding"),))),
        (
            'read through "slot 1" > "unit 2", "unit 3"',
            Clause((Kind.READ,), routes=(("slot 1", "unit 2"), ("unit 3",))),
        ),
        ("function mask-write, read-fifo", Clause(functions=("mask-write", "read-fifo"))),
    ],
)
def test_a_line_says_what_it_reads_like(line: str, clause: Clause) -> None:
    assert parse_clause(line) == clause


@pytest.mark.parametrize(
    "line",
    [
        "", "everything", "write,", "write on", "write on holding 9-3", "write between 5 and 1", "write between 1",
        "write between nan and 1", "write between x and 1", "write at most 2", "write at most 0 per 1 s",
        "write on tag My Tag", 'write on tag "My', "write on holding 1 on holding 2", "write of", "write of a b",
        "write through", "write " + "x" * 3000, "write on holding " + "9" * 30, "write on tag " + "x" * 300,
        "function", "write at most 2 per 1 minute",
    ],
)  # fmt: skip
def test_a_line_that_says_nothing_clear_is_refused(line: str) -> None:
    with pytest.raises(BadProfile):
        parse_clause(line)


words = st.sampled_from(["write", "read", "on", "holding", "1-2", "between", "and", "5", "at", "most", "per", "s", ","])


@given(st.lists(words | st.text(max_size=6), max_size=12).map(" ".join))
def test_whatever_is_written_gives_a_clause_or_is_refused(line: str) -> None:
    with contextlib.suppress(BadProfile):
        assert isinstance(parse_clause(line), Clause)
