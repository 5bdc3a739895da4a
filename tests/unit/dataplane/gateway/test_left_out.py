# SPDX-License-Identifier: Apache-2.0
"""That something is not in a recording is said where it stood, and counted; nothing of what it was is."""

from __future__ import annotations

from collections.abc import Mapping

from portineria.dataplane.gateway.journal import Journal
from portineria.dataplane.gateway.left_out import MOST, LeftOut
from portineria.protocols.inspection import Answer, Request, Withheld
from portineria.protocols.operation import Kind, Operation
from portineria.recording.kept import Cut


def test_it_is_counted_by_service_and_rule_in_few_lines_whatever_comes() -> None:
    left_out = LeftOut()
    for number in range(MOST + 8):
        left_out.count(f"srv_{number}", [Cut(0, 8, "ftp.password"), Cut(20, 4, "ftp.password")])
    lines = list(left_out.lines())
    assert lines[0] == {"service": "srv_0", "cut_rule": "ftp.password", "count": 2, "bytes": 12}
    assert lines[-1] == {"service": "", "cut_rule": "others", "count": 16, "bytes": 96}
    assert (len(lines), sum(line["bytes"] for line in lines)) == (MOST + 1, 12 * (MOST + 8))


def written() -> tuple[Journal, list[Mapping[str, object]]]:
    lines = list[Mapping[str, object]]()

    def write(fields: Mapping[str, object], passes: bool) -> int:
        lines.append(fields)
        return len(lines)

    journal = Journal()
    journal.write_to(write)
    return journal, lines


def test_an_operation_says_that_it_carried_a_secret_and_not_which() -> None:
    journal, lines = written()
    login = Operation("s7comm", "set-password", "7", Kind.MODE, values=("hunter2!",))
    journal.asked(Request((login,), b"head hunter2!", withheld=(Withheld("s7comm.password", 5, 8),)), refused=False,
                  noted=False)  # fmt: skip
    assert [line["values"] for line in lines] == [["cut out: password, 8 bytes, rule s7comm.password"]]


def test_so_does_an_answer_that_told_one() -> None:
    journal, lines = written()
    asked = Request((Operation("cip", "pccc-system-file-read", "0x4b/0x67", Kind.PROGRAM_READ),), b"")
    journal.asked(asked, refused=False, noted=False)
    told = Answer(b"head 4711", asked, values=((4,),), withheld=(Withheld("cip.system", 5, 4),))
    journal.answered(told)
    assert lines[-1]["values"] == [["cut out: system data of a processor, 4 bytes, rule cip.system"]]
