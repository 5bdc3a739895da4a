# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from portineria.dataplane.gateway.clock import TrustedClock
from portineria.dataplane.gateway.glances import _UNANSWERED, READS, Glances, Means, shown
from portineria.wire.report import GLANCE_ANSWERS, GLANCE_LINES, SHOWN_CHARACTERS, Glance, SignalValues


def test_names_from_the_wire_are_one_line_that_fits() -> None:
    assert shown(["a\nb", "\u202ec"]) == "a\\u000ab, \\u202ec"
    assert shown(list(range(10))) == "0, 1, 2, 3, 4, 5, 6, 7 +2"
    assert len(shown(["\u2028" * 1000] * 1000)) == SHOWN_CHARACTERS
    assert shown([]) == ""


async def test_a_flood_of_reads_hides_no_write_and_fills_no_memory() -> None:
    told: list[Glance] = []
    takes = [False]

    def show(glance: Glance | SignalValues) -> bool:
        assert isinstance(glance, Glance)
        told.append(glance)
        return takes[0]

    glances = Glances("ses_a", Means(bytes(32), TrustedClock(answer_s=10), show))
    glances.watch(60)
    for number in range(1, 5_001):
        glances.see("srv_a", number, {"verdict": "passed", "kind": "read", "targets": [f"tag {number}" * 9_999]})
    glances.see("srv_a", 5_001, {"verdict": "passed", "kind": "write", "targets": ["holding 104"]})
    assert len(glances._second.lines) == READS + 1
    glances.see("srv_a", 0, {"answers": [5_001], "error": "illegal data address"})
    glances._tell()
    takes[0] = True
    for number in range(6_000, 7_000):
        glances.see("srv_a", number, {"verdict": "passed", "kind": "write", "targets": [f"holding {number}"]})
    assert len(glances._waiting) <= _UNANSWERED
    glances._tell()
    for number in range(6_000, 7_000):
        glances.see("srv_a", 0, {"answers": [number], "values": [[number]]})
    assert len(glances._second.answers) <= GLANCE_ANSWERS
    glances.close()

    first, second, third = told
    assert [line.error for line in first.lines if line.kind == "write"] == ["illegal data address"]
    assert (len(second.lines), second.beyond) == (GLANCE_LINES, 5_001 + 1_000 - GLANCE_LINES)  # the first was lost
    assert [answer.answer for answer in third.answers] == [str(number) for number in range(6_000, 6_000 + GLANCE_LINES)]
