# SPDX-License-Identifier: Apache-2.0
"""Rules for the whole run. Fixtures live beside the tests that use them."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from django.core.management import get_commands
from hypothesis import HealthCheck, settings

# Tests make objects faster than they drop them; what goes in circles may wait.
gc.set_threshold(50_000)
IN_CI = os.environ.get("CI", "").lower() == "true"
# No deadline per example and no bound on making one: on a shared machine they would measure the neighbours.
_UNTIMED: dict[str, Any] = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow], "print_blob": True}
# A change is judged by the same examples each time; new ones are looked for at every developer's desk and by `deep`.
settings.register_profile("portineria", derandomize=IN_CI, **_UNTIMED)
settings.register_profile("deep", max_examples=50_000, **_UNTIMED)
settings.load_profile("deep" if os.environ.get("PORTINERIA_DEEP") else "portineria")


def pytest_configure(config: pytest.Config) -> None:
    """Processes that tests start find what ships, and not rich, which a checker of the REST API brings: by thousands
    of starts it would cost two minutes. Of workers only, which have it themselves by now.
    """
    if hasattr(config, "workerinput"):
        os.environ["PYTHONPATH"] = str(Path(__file__).parent / "without_rich")


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """The tables of a run are made as a new installation makes them: at once, not step by step."""
    from tests.tables_at_once import Migrate

    get_commands()["migrate"] = Migrate()  # type: ignore[assignment]  # as call_command takes it


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """A command under test writes its log to where pytest catches it, which is closed when the test is over."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def skipped(config: pytest.Config) -> list[str]:
    """One line per skip of the run. Empty in an xdist worker, which has no terminal: the controller counts for all."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    reports = reporter.stats.get("skipped", []) if reporter else []
    return [f"{report.nodeid}: {reason_of(report.longrepr)}" for report in reports]


def reason_of(longrepr: object) -> str:
    return str(longrepr[2]) if isinstance(longrepr, tuple) else str(longrepr)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where everything can be installed, a test that did not run proves nothing: it counts as failed."""
    if not IN_CI or hasattr(session.config, "workerinput"):
        return
    if cache := getattr(session.config, "cache", None):  # without it under -p no:cacheprovider
        cache.set("portineria/skipped", skipped(session.config))  # for .ci/once-more
    if skipped(session.config) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if IN_CI and (lines := skipped(config)):
        terminalreporter.section("skipped, which counts as failed when CI=true", red=True)
        for line in lines:
            terminalreporter.write_line(line)
