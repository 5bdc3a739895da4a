# SPDX-License-Identifier: Apache-2.0
import pytest

from portineria.cli.screen import failure, fault, news, table, when
from portineria.core.errors import Denied
from portineria.dataplane.connector.state import NoServer


def test_columns_stay_aligned_also_with_wide_characters() -> None:
    shown = table(("NAME", "STATE"), [("プレス", "ask"), ("Press 3", "connect")])
    assert shown.splitlines() == ["NAME     STATE", "プレス   ask", "Press 3  connect"]


def test_a_name_cannot_move_the_cursor() -> None:
    assert "\x1b" not in table(("NAME",), [("\x1b[2Jgone\r\n",)])


def test_an_error_is_said_in_our_words_or_else_in_the_servers() -> None:
    assert failure(NoServer("x")).startswith("You are not signed in.")
    error = Denied("Your permission is over.")
    error.code = "access.expired"
    assert failure(error) == "Your permission is over."


def test_a_fault_that_another_process_left_is_said_in_the_same_words() -> None:
    assert fault("proxy.refused: the proxy answered 403").startswith("The proxy does not let us through: the proxy an")
    assert fault("waiting") == "waiting"
    assert fault("code.of-tomorrow: no more \x1b") == "code.of-tomorrow: no more ?"


def test_news_names_the_service_and_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    news("device.silent", service="Controller")
    news("code.of-tomorrow", service="Controller", why="x")
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[0].startswith("Controller: The device does not answer")
    assert "code.of-tomorrow" in err.splitlines()[1]


def test_no_time_is_shown_as_nothing() -> None:
    assert when(None) == ""
    assert len(when("2026-11-22T10:00:00Z")) == 16
