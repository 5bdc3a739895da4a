# SPDX-License-Identifier: Apache-2.0
"""The operators' log: JSON lines on stderr, plain text on a terminal. Facts for auditors go to the audit.

A record is one line whatever is in it: names of devices, answers of strangers and bytes of peers end up here, and none
of them may look like a record of its own or move a terminal's cursor.
"""

import contextlib
import json
import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal, cast

import structlog

from portineria.process.figures import LOGGED, counts

Form = Literal["auto", "json", "text"]
Record = MutableMapping[str, Any]
_VALUE = 4096  # characters of one value; journald cuts lines beyond 48 KiB into several
_TRACE = 16384
_LINE = 40_000  # bytes; of a longer record each value is shortened to
_SHORT = 256
_LIBRARY = "library"


class _Lines(structlog.PrintLogger):
    """A log that cannot be written any more (journald restarted, the terminal is gone) must not stop the work."""

    def msg(self, message: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().msg(message)

    log = debug = info = warn = warning = fatal = failure = err = error = critical = exception = msg


class _OfLibraries(logging.Handler):
    """What libraries say through Python's own logging becomes a record like ours; their text is a value in it."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
        except (TypeError, ValueError, KeyError):  # a library's arguments do not fit its text
            text = str(record.msg)
        trace = record.exc_info if record.exc_info and record.exc_info[0] is not None else None
        logger = structlog.get_logger()
        logger.log(max(record.levelno, logging.DEBUG), _LIBRARY, logger=record.name, text=text, exc_info=trace)


def set_up(*, level: str = "INFO", form: Form = "auto") -> None:
    """Of this process, from now on. ``form`` auto: text on a terminal, JSON elsewhere."""
    number = logging.getLevelName(level)
    text = form == "text" or (form == "auto" and sys.stderr.isatty())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            _counted,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _bounded,
            _as_text if text else _as_json,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: _Lines(sys.stderr),
    )
    root = logging.getLogger()
    root.handlers = [each for each in root.handlers if not isinstance(each, _OfLibraries)]
    root.addHandler(_OfLibraries(level=max(number, logging.WARNING)))
    logging.captureWarnings(True)


def _counted(_logger: object, _name: str, record: Record) -> Record:
    counts.add(LOGGED, str(record.get("event")), str(record.get("level")))
    return record


def _bounded(_logger: object, _name: str, record: Record) -> Record:
    for name, value in record.items():
        most = _TRACE if name == "exception" else _VALUE
        if isinstance(value, bytes):
            value = repr(value[:most])
        if isinstance(value, str) and len(value) > most:
            # Of a trace the end says what happened.
            value = f"[…] {value[-most:]}" if name == "exception" else f"{value[:most]} [… {len(value)} characters]"
        record[name] = value
    return record


def _as_json(_logger: object, _name: str, record: Record) -> str:
    """ASCII only, so that no reader takes U+2028 or an escape sequence for what it is."""
    try:
        line = json.dumps(record, default=repr, allow_nan=False)
    except (TypeError, ValueError):  # keys that are no text, infinite numbers, what contains itself
        line = ""
    if line and len(line) <= _LINE:
        return line
    return json.dumps({str(name): _short(value) for name, value in record.items()})


def _short(value: object) -> str | int | None:
    if value is None or isinstance(value, int):
        return value
    return (value if isinstance(value, str) else repr(value))[:_SHORT]


_console = structlog.dev.ConsoleRenderer(colors=False)


def _as_text(logger: object, name: str, record: Record) -> str:
    trace = str(record.pop("exception", ""))
    plain = {key: _printable(value) if isinstance(value, str) else value for key, value in record.items()}
    line = _printable(_console(cast(Any, logger), name, plain))
    # Moved in: no line of a trace begins where a record does.
    return "\n".join([line, *(f"    {_printable(part)}" for part in trace.splitlines())])


def _printable(text: str) -> str:
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)
