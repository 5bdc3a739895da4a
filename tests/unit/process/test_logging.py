# SPDX-License-Identifier: Apache-2.0
import io
import json
import os

import pytest
import structlog

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
