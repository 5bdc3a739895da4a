# SPDX-License-Identifier: Apache-2.0
"""Events as one table for other programs: a spreadsheet, a script, a SIEM, a data lake."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from portineria.core.errors import Unavailable
from portineria.sinks.ocsf import INFO as OCSF
from portineria.sinks.outgoing import Outgoing, as_json, timestamp, written
from portineria.sinks.record import encode, record

_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"  # without it a spreadsheet takes UTF-8 for its system's old encoding
# A spreadsheet computes what begins so, and some of what it computes leaves the computer (CWE-1236).
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_OWN = ("seq", "time", "code", "name", "actor", "severity", "outcome")
_LAST = ("techniques", "leaf_sha256")


class NoLibrary(Unavailable):
    """What writes Parquet is not installed."""

    code = "sinks.library"


@dataclass(frozen=True, slots=True)
class Format:
    """``write``: raise NoLibrary."""

    name: str
    title: str
    file: str
    write: Callable[[Sequence[Outgoing]], bytes]


def harmless(cell: object) -> object:
    """Numbers are ours; a text that a spreadsheet would compute is marked as text by an apostrophe."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def _csv(events: Sequence[Outgoing]) -> bytes:
    """A column for each field that any of them has."""
    names = sorted({name for event in events for name in event.fields})
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow([*_OWN, *(f"field {name}" for name in names), *_LAST])
    for event in events:
        own = [event.fields.get(name, "") for name in names]
        row = [*_common(event), *(written(value) if isinstance(value, str) else value for value in own), *_end(event)]
        table.writerow([harmless(cell) for cell in row])
    return (_MARK + text.getvalue()).encode()


def _common(event: Outgoing) -> list[str | int]:
    return [
        event.seq, timestamp(event.at), event.code, written(event.name), event.actor, event.severity.name.lower(),
        event.outcome.value,
    ]  # fmt: skip


def _end(event: Outgoing) -> list[str]:
    return [" ".join(event.techniques), event.leaf_sha256]


def _lines(events: Sequence[Outgoing]) -> bytes:
    return b"".join(encode(record(event)) + b"\n" for event in events)


def _ocsf(events: Sequence[Outgoing]) -> bytes:
    return b"".join(OCSF.write(event) + b"\n" for event in events)


def _parquet(events: Sequence[Outgoing]) -> bytes:
    try:  # only whoever asks for it needs it
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise NoLibrary("Parquet needs pyarrow: pip install 'portineria[parquet]'") from error
    text = pyarrow.string()
    schema = pyarrow.schema(
        [("seq", pyarrow.int64()), ("time", pyarrow.timestamp("us", tz="UTC")), *((name, text) for name in _OWN[2:]),
         ("techniques", pyarrow.list_(text)), ("fields", pyarrow.map_(text, text)), ("leaf_sha256", text)]
    )  # fmt: skip
    file = io.BytesIO()
    parquet.write_table(pyarrow.table(_columns(events), schema=schema), file, compression="zstd")
    return file.getvalue()


def _columns(events: Sequence[Outgoing]) -> Mapping[str, list[object]]:
    rows = [_common(event) for event in events]
    found: dict[str, list[object]] = {name: [row[place] for row in rows] for place, name in enumerate(_OWN)}
    found["time"] = [event.at for event in events]
    found["techniques"] = [list(event.techniques) for event in events]
    found["fields"] = [[(name, str(as_json(value))) for name, value in event.fields.items()] for event in events]
    found["leaf_sha256"] = [event.leaf_sha256 for event in events]
    return found


FORMATS = (
    Format("csv", "CSV", "events.csv", _csv),
    Format("json", "JSON", "events.jsonl", _lines),
    Format("ocsf", "OCSF", "events.ocsf.jsonl", _ocsf),
    Format("parquet", "Parquet", "events.parquet", _parquet),
)


def format_named(name: str) -> Format | None:
    return next((one for one in FORMATS if one.name == name), None)
