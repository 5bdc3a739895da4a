# SPDX-License-Identifier: Apache-2.0
"""Rules for the whole run. Fixtures live beside the tests that use them."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# No deadline per example: on a shared machine it would measure the neighbours.
settings.register_profile("portineria", deadline=None, print_blob=True)
settings.register_profile(
    "deep",
    deadline=None,
    max_examples=50_000,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("deep" if os.environ.get("PORTINERIA_DEEP") else "portineria")

IN_CI = os.environ.get("CI", "").lower() == "true"


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
    if IN_CI and skipped(session.config) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if IN_CI and (lines := skipped(config)):
        terminalreporter.section("skipped, which counts as failed when CI=true", red=True)
        for line in lines:
            terminalreporter.write_line(line)
