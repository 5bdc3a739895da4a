# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from django.utils import translation

from tests.unit.control.django_state import start

start()

from portineria.control.console.texts.profiles import profile_lines  # noqa: E402 Django has to have started
from portineria.control.console.texts.values import KINDS  # noqa: E402
from portineria.policy.function_profile import BUILT_IN, Clause, Profile  # noqa: E402
from portineria.policy.profile_text import parse_clause  # noqa: E402
from portineria.protocols.operation import Kind  # noqa: E402

LINE = 'write on holding 100-119, tag Press.* between 0 and 500 at most 2 per 1 s through "unit 3"'


def test_a_clause_is_said_in_one_sentence_with_all_its_limits() -> None:
    [line] = profile_lines(Profile("p", (parse_clause(LINE),)))
    assert line == (
        "write · on holding 100–119, tag Press.* · values 0 … 500 · at most 2 times in 1 s · through unit 3"
    )


def test_a_profile_that_allows_nothing_and_one_that_allows_everything_say_so() -> None:
    assert profile_lines(Profile("p")) == ["nothing"]
    assert profile_lines(Profile("p", (Clause(),))) == ["everything known"]


def test_every_kind_of_operation_has_a_word() -> None:
    assert set(KINDS) == set(Kind)


@pytest.mark.parametrize("language", ["it", "ja"])
@pytest.mark.parametrize("name", BUILT_IN)
def test_each_built_in_profile_reads_otherwise_in_each_language(name: str, language: str) -> None:
    english = profile_lines(BUILT_IN[name])
    with translation.override(language):
        other = profile_lines(BUILT_IN[name])
    assert len(other) == len(english)
    assert all(mine != theirs for mine, theirs in zip(english, other, strict=True) if "firmware" not in mine)
