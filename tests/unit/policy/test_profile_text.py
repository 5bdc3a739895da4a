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
        (
            'write on tag "a,b", db -3, db 3-x, db 4- between 5 and 5',
            Clause(
                (Kind.WRITE,),
                targets=(
                    Place("tag", name="a,b"),
                    Place("db", name="-3"),
                    Place("db", name="3-x"),
                    Place("db", 4, 4),
                ),
                low=5,
                high=5,
            ),
        ),
        ("function mask-write, read fifo", Clause(functions=("mask-write", "read fifo"))),
        (r"read on X #\Y, tag 'M", Clause((Kind.READ,), targets=(Place("X", name=r"#\Y"), Place("tag", name="'M")))),
    ],
)
def test_a_line_says_what_it_reads_like(line: str, clause: Clause) -> None:
    assert parse_clause(line) == clause


COMMA = "a comma too many, or nothing where something belongs"
RATE = "a rate is written: at most 2 per 1 s"
LONG = "write on tag " + "x" * 300


@pytest.mark.parametrize(
    ("line", "why"),
    [
        *((line, COMMA) for line in ("", "write,", "write on", "write of", "write through", "function")),
        *((line, COMMA) for line in ('write on tag ""', 'write of ""', "write through > ", 'write through "a", >')),
        ("everything", f"'everything' is no kind of operation: one of {', '.join(Kind)}"),
        ("write read", f"'write read' is no kind of operation: one of {', '.join(Kind)}"),
        ("write,, read", f"'write,' is no kind of operation: one of {', '.join(Kind)}"),
        ("write on holding 9-3", "9-3 ends before it begins"),
        ("write on holding 1 on holding 2", "'on' twice"),
        ("write on tag My Tag", "tag My Tag: a name with spaces stands in quotes"),
        ('write on tag "My' + "x" * 100, 'write on tag "My' + "x" * 64 + ": a quotation mark is missing"),
        (LONG, f"{LONG[:80]}: Expected `str` of length <= 256 - at `$.targets[0].name`"),
        (
            "write on holding " + "1" * 20,
            f"write on holding {'1' * 20}: Expected `int` <= {2**63 - 1} - at `$.targets[0].first`",
        ),
        ("write on holding " + "1" * 21, "11111111111111111111… is no address"),
        ("write on holding 1-" + "2" * 21, "22222222222222222222… is no address"),
        ("write between 5 and 1", "between 5 and 1 lies nothing"),
        ("write between nan and 1", "between nan and 1 lies nothing"),
        ("write between 1", "limits are written: between 0 and 500"),
        ("write between 1e3 and " + "y" * 50, f"{'y' * 40!r} is no number"),
        *(
            (f"write at {rest}", RATE)
            for rest in ("most 2", "most 2 per 1 minute", "most 1.5 per 1 s", "most 2 per x s")
        ),
        ("write at most 0 per 1 s", "write at most 0 per 1 s: Expected `int` >= 1 - at `$.rate.times`"),
        *((f"write of {rest}", "one protocol is written: of modbus") for rest in ("a b", "a, b")),
        ("write " + "x" * 1995, "a line of 2001 characters, allowed 2000"),
    ],
)
def test_a_line_that_says_nothing_clear_is_refused_with_the_reason(line: str, why: str) -> None:
    with pytest.raises(BadProfile) as refused:
        parse_clause(line)
    assert str(refused.value) == why


def test_limits_are_whole_where_they_can_be_and_a_line_may_have_2000_characters() -> None:
    """What is whole is compared exactly, however large; what no float can hold apart is written as one."""
    clause = parse_clause("write between -123456789012345 and +1e2")
    assert (clause.low, type(clause.low), clause.high, type(clause.high)) == (-123456789012345, int, 100.0, float)
    large = parse_clause("write between 1 and 1234567890123456")
    assert (large.low, type(large.high)) == (1, float)
    assert parse_clause("write on a" + " " * 1990) == parse_clause("write on a")


words = st.sampled_from(["write", "read", "on", "holding", "1-2", "between", "and", "5", "at", "most", "per", "s", ","])


@given(st.lists(words | st.text(max_size=6), max_size=12).map(" ".join))
def test_whatever_is_written_gives_a_clause_or_is_refused(line: str) -> None:
    with contextlib.suppress(BadProfile):
        assert isinstance(parse_clause(line), Clause)
