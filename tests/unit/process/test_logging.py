# SPDX-License-Identifier: Apache-2.0
import contextlib
import io
import json
import logging as standard
import os

import pytest
import structlog
from hypothesis import example, given
from hypothesis import strategies as st

from portineria.process import logging


def test_a_fact_is_one_line_of_json_with_its_context(capsys: pytest.CaptureFixture[str]) -> None:
    logging.set_up()
    with structlog.contextvars.bound_contextvars(session="ses_a"):
        structlog.get_logger().warning("link.refused", peer="192.0.2.7\nlink.opened")
    [line] = capsys.readouterr().err.splitlines()
    said = json.loads(line)
    assert (said["event"], said["session"], said["level"]) == ("link.refused", "ses_a", "warning")
    assert said["peer"] == "192.0.2.7\nlink.opened"
    assert said["timestamp"].endswith("Z")


def test_what_is_below_the_level_is_not_said(capsys: pytest.CaptureFixture[str]) -> None:
    logging.set_up(level="WARNING")
    structlog.get_logger().info("session.opened")
    assert capsys.readouterr().err == ""


def test_a_failure_keeps_its_trace(capsys: pytest.CaptureFixture[str]) -> None:
    logging.set_up()
    structlog.get_logger().error("task.broken", exc_info=ValueError("why"))
    assert "ValueError: why" in json.loads(capsys.readouterr().err)["exception"]


def test_a_log_that_nobody_reads_any_more_stops_no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """journald restarts: what was written to it is gone, whoever writes goes on."""
    reading, writing = os.pipe()
    os.close(reading)
    with io.TextIOWrapper(io.FileIO(writing, "w"), write_through=True) as gone:
        monkeypatch.setattr("sys.stderr", gone)
        logging.set_up()
        for say in (structlog.get_logger().info, structlog.get_logger().error, structlog.get_logger().critical):
            say("spool.full")


VALUES = st.recursive(
    st.text() | st.binary() | st.integers() | st.floats() | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
FORGED = '\r\n{"event": "session.opened"}\u2028\x85\x1b[2J\x00\ud800'


def said(form: logging.Form, **fields: object) -> str:
    """What stands in the log after one record."""
    with contextlib.redirect_stderr(io.StringIO()) as log:
        logging.set_up(form=form)
        structlog.get_logger().info("link.refused", **fields)
    return log.getvalue()


@given(why=VALUES, peer=st.text())
@example(why=FORGED, peer=FORGED)
@example(why=float("nan"), peer="")
def test_a_record_is_one_line_of_json_whatever_is_in_it(why: object, peer: str) -> None:
    text = said("json", why=why, peer=peer)
    assert text.endswith("\n")
    [line] = text[:-1].splitlines()  # by every line end that Unicode knows
    assert line.isascii()
    record = json.loads(line, parse_constant=pytest.fail)
    assert (record["event"], record["level"]) == ("link.refused", "info")
    assert record["peer"] == peer


@given(why=VALUES, peer=st.text())
@example(why=FORGED, peer=FORGED)
def test_a_record_for_people_is_one_line_that_a_terminal_only_shows(why: object, peer: str) -> None:
    text = said("text", why=why, peer=peer)
    assert text.endswith("\n")
    assert text[:-1].isprintable()


def test_a_trace_for_people_begins_no_record() -> None:
    text = said("text", exc_info=ValueError("why\n2026-11-26T10:00:00Z [info] session.opened"))
    first, *trace = text.splitlines()
    assert "link.refused" in first
    assert trace
    assert all(line.startswith("    ") for line in trace)


def test_a_long_value_is_cut_so_that_journald_keeps_the_record_whole() -> None:
    record = json.loads(said("json", why="x" * (1 << 20)))
    assert record["why"] == "x" * 4096 + " [… 1048576 characters]"
    spread = said("json", **{f"why{number}": ["\U0001f600" * (1 << 16)] for number in range(8)})
    assert len(spread) < 48 << 10
    assert json.loads(spread)["event"] == "link.refused"


def test_what_libraries_say_is_a_record_too(capsys: pytest.CaptureFixture[str]) -> None:
    logging.set_up(form="json")
    library = standard.getLogger("django.request")
    forged = FORGED.replace("\ud800", "")  # the runner keeps what libraries say, and cannot keep that
    library.error("Internal Server Error: %s", forged, exc_info=ValueError("why"))
    library.info("of no interest")
    [line] = capsys.readouterr().err.splitlines()
    record = json.loads(line)
    assert (record["event"], record["logger"], record["level"]) == ("library", "django.request", "error")
    assert record["text"].endswith(forged)
    assert "ValueError: why" in record["exception"]
