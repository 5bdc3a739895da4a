# SPDX-License-Identifier: Apache-2.0
"""Why a change of policy makes no difference is said of code that is still there."""

from __future__ import annotations

from pathlib import Path

from tests.mutation.report import reasons

ROOT = Path(__file__).resolve().parents[2]


def test_every_reason_is_about_a_line_of_policy() -> None:
    gone = [
        f"{file}: {was}"
        for file, function, was, _ in reasons()
        if f"def {function.rpartition('.')[2]}(" not in (text := " ".join((ROOT / file).read_text("utf-8").split()))
        or was not in text
    ]
    assert gone == []


def test_every_reason_stands_in_the_list() -> None:
    """Written anew by `make deep DEEP=mutation`, which lists what no test noticed."""
    listed = (ROOT / "docs/reference/mutation.md").read_text("utf-8")
    assert [why for why in reasons().values() if why not in listed] == []
