# SPDX-License-Identifier: Apache-2.0
import re
from itertools import combinations
from pathlib import Path

import pytest

from portineria.dataplane.connector import text
from portineria.dataplane.connector.text import duration, end_text, text_of, why_text
from portineria.policy.ending import Reason

SOURCE = Path(text.__file__).parents[3] / "portineria"
TABLES = (text.NEWS, text.ENDS, text.LEGS, text.REFUSALS, text.ERRORS)


def test_no_code_means_two_things() -> None:
    for one, other in combinations(TABLES, 2):
        assert one.keys() & other.keys() == set()


REFUSED_BY_CONTRACT = {
    "order.unknown", "order.stale", "order.expired", "order.not-yet", "order.draining", "lease.missing",
    "service.not-granted", "reach.refused", "address.refused", "device.refused", "device.unreachable", "device.silent",
    "streams.full", "spool.full", "recording.unavailable", "time.unknown",
}  # fmt: skip


def test_every_refusal_of_the_contract_has_a_line_of_its_own() -> None:
    assert text.REFUSALS.keys() == REFUSED_BY_CONTRACT
    assert len(set(text.REFUSALS.values())) == len(REFUSED_BY_CONTRACT)


def test_every_code_that_the_connector_tells_has_a_line() -> None:
    told = set()
    for file in (SOURCE / "dataplane/connector").glob("*.py"):
        told |= set(re.findall(r'\.tell\("([a-z.-]+)"', file.read_text()))
    assert len(told) > 8
    assert told <= text.TEXTS.keys()


def test_every_answer_of_a_relay_has_a_line() -> None:
    answered = set()
    for file in (SOURCE / "dataplane/relay").glob("*.py"):
        for line in file.read_text().splitlines():
            if "Turned(" in line or "waiting.refuse(" in line:
                answered |= set(re.findall(r'"([a-z]+\.[a-z-]+)"', line))
    assert len(answered) > 8
    assert answered <= text.TEXTS.keys()


def test_every_end_of_the_contract_has_a_line() -> None:
    ends = {"cut", "expired", "silence", "drained", "device.reset", "tool.reset", "hold.expired", "protocol"}
    assert ends <= text.ENDS.keys()


def test_every_reason_of_an_end_has_words_of_its_own() -> None:
    source = (SOURCE / "control/remote_sessions/services.py").read_text()
    of_the_server = set(re.findall(r'why="([a-z-]+)"', source))
    assert len(of_the_server) > 3
    assert of_the_server | {reason.value for reason in Reason} <= text.WHYS.keys()
    assert why_text("revoked no-rule") == "the permission was revoked; no rule admits this any more"
    assert why_text("cut-by-person", "Line starts") == "somebody cut it: “Line starts”"
    assert why_text("of-tomorrow revoked") == "of-tomorrow revoked"
    assert why_text("") == ""


def test_every_end_that_the_server_keeps_has_words_in_the_list() -> None:
    states = {"opening", "live", "draining", "cutting"}
    assert states | {"cut", "drained", "finished", "expired", "silence", "refused", "unproven"} == text.STATES.keys()
    assert end_text("finished", why_text("revoked")) == "The session has ended. Reason: the permission was revoked."


def test_a_code_of_tomorrow_is_shown_as_it_is() -> None:
    assert text_of("order.of-tomorrow") is None
    assert "of-tomorrow" in end_text("of-tomorrow")


def test_a_line_that_needs_a_value_is_not_shown_without_it() -> None:
    assert text_of("line.interrupted", held="the connection is") is None
    line = text_of("line.interrupted", held="the connection is", seconds=42)
    assert line == "Line interrupted; the connection is kept at the device, 42 s left."


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-1, "0 s"),
        (59, "59 s"),
        (59.6, "1 min"),
        (95, "1 min 35 s"),
        (600, "10 min"),
        (3600, "1 h 0 min"),
        (5460, "1 h 31 min"),
    ],
)
def test_durations_are_for_people(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown
