# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from itertools import pairwise

from portineria.control.remote_sessions.reminder import LONGEST_S, Reminder


def test_a_letter_is_said_again_soon_and_then_ever_more_seldom() -> None:
    reminder = Reminder()
    said = [now for now in range(601) if reminder.due(["ses_a"], now)]
    assert said[:5] == [2, 6, 14, 30, 62]
    assert {later - earlier for earlier, later in pairwise(said[5:])} == {LONGEST_S}


def test_each_session_has_its_own_pace_and_an_answer_forgets_it() -> None:
    reminder = Reminder()
    for now in range(31):
        reminder.due(["ses_a"], now)
    assert reminder.due(["ses_a", "ses_b"], 31) == set()
    assert reminder.due(["ses_a", "ses_b"], 33) == {"ses_b"}
    assert reminder.due(["ses_b"], 34) == set()  # ses_a was answered
    assert reminder.due(["ses_a"], 40) == set()
    assert reminder.due(["ses_a"], 42) == {"ses_a"}
