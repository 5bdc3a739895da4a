# SPDX-License-Identifier: Apache-2.0
"""The operators' log: JSON lines on stderr, plain text on a terminal. Facts for auditors go to the audit."""

import contextlib
import logging
import sys

import structlog


class _Lines(structlog.PrintLogger):
    """A log that cannot be written any more (journald restarted, the terminal is gone) must not stop the work."""

    def msg(self, message: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().msg(message)

    log = debug = info = warn = warning = fatal = failure = err = error = critical = exception = msg


def set_up(*, level: str = "INFO") -> None:
    terminal = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer(colors=False) if terminal else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=lambda *_: _Lines(sys.stderr),
    )
