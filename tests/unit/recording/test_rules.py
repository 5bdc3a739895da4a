# SPDX-License-Identifier: Apache-2.0
"""Every rule by which something is left out has words, in all places where people meet it."""

from __future__ import annotations

import re
from pathlib import Path

from portineria.control.console.texts.left_out import CUT_RULES
from portineria.recording.kept import Cut
from portineria.recording.rules import NAMED, RULES, comment_of, said

ROOT = Path(__file__).parents[3]


def test_decoders_words_and_documentation_know_the_same_rules() -> None:
    page = (ROOT / "docs/reference/recording.md").read_text("utf-8")
    table = page.partition("| rule | what |")[2].partition("\n\n")[0]
    documented = {rule for row in table.splitlines()[2:] for rule in re.findall(r"`([^`]+)`", row)}
    assert documented == set(RULES)
    assert {rule: str(text) for rule, text in CUT_RULES.items()} == dict(RULES)
    source = "\n".join(
        path.read_text("utf-8")
        for room in ("protocols", "recording")
        for path in (ROOT / "src/portineria" / room).rglob("*.py")
        if path.name != "rules.py"
    )
    assert all(f'"{rule}"' in source for rule in RULES)


def test_a_packet_names_what_was_cut_out_of_it_and_stays_small() -> None:
    cuts = [Cut(0, 8, "s7comm.password")] * (NAMED + 3)
    assert comment_of(cuts[:1]) == said("s7comm.password", 8) == "cut out: password, 8 bytes, rule s7comm.password"
    assert comment_of(cuts).endswith("; 3 more cut out")
    assert len(comment_of(cuts)) < 1024
    assert said("of.tomorrow", 3) == "cut out: bytes, 3 bytes, rule of.tomorrow"
