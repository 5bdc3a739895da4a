# SPDX-License-Identifier: Apache-2.0
"""A support bundle: what helps the makers, and nothing of the plant.

Nothing is taken out of anything here: only what is listed goes in. Words of the plant are names, addresses, persons,
paths, keys; they stand in settings, findings and log lines as text. So text goes in only where a line of our own source
wrote it: names of settings, checks, log events and error codes, and ids that are random.
"""

import importlib.metadata
import os
import platform
import re
import sqlite3
import ssl
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from portineria import __version__
from portineria.core.errors import Conflict
from portineria.doctor.finding import Finding

_LIBRARIES = ("cryptography", "django", "msgspec", "nats-py", "psycopg", "pyrage", "structlog", "uvloop")
_TAIL_BYTES, _TAIL_LINES = 4 << 20, 5000
_EVENT = re.compile(r"[a-z][a-z0-9_]*(?:[.-][a-z0-9_]+){1,7}")
_KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")
_OUR_ID = re.compile(r"[a-z]{2,4}_[a-z2-7]{16}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]{8,15}Z")
_FRAME = re.compile(r'File "[^"]*?((?:portineria|django|asyncio|ssl)[\w/.-]*\.py)", line (\d+), in (\w+)')
_LEVELS = ("debug", "info", "warning", "error", "critical")
CUT = "…"


class BundleThere(Conflict):
    code = "bundle.there"


def write(path: Path, members: Mapping[str, object]) -> None:
    """Raise BundleThere: nothing is written over."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        raise BundleThere(f"{path} is there already and was not touched: name another file") from error
    with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in members.items():
            archive.writestr(f"{name}.json", msgspec.json.format(msgspec.json.encode(value), indent=1))


def versions() -> dict[str, str]:
    found = {"portineria": __version__, "python": sys.version.split()[0], "kernel": platform.release()}
    found |= {"system": platform.system(), "machine": platform.machine(), "libc": " ".join(platform.libc_ver())}
    found |= {"sqlite": sqlite3.sqlite_version, "openssl": ssl.OPENSSL_VERSION}
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def settings_shape(settings: msgspec.Struct) -> dict[str, object]:
    """Numbers and switches as they are; of everything else only whether it is set."""
    return {field.name: _shape(getattr(settings, field.name)) for field in msgspec.structs.fields(settings)}


def _shape(value: object) -> object:
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, list):
        return f"{len(value)} entries"
    return "set" if value else "not set"


def findings_shape(findings: Sequence[Finding]) -> list[dict[str, object]]:
    """Without what was seen: that names things of the plant."""
    return [{"check": one.check, "level": one.level, "means": one.means, "number": one.number} for one in findings]


def log_tail(path: Path) -> dict[str, object]:
    """The newest lines of our own JSON log, with every text cut that our source did not write."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL_BYTES))
        lines = file.read(_TAIL_BYTES).splitlines()[-_TAIL_LINES:]
    found, others = [], 0
    for line in lines:
        start = line.find(b"{")  # journalctl puts its own words before it
        try:
            said = msgspec.json.decode(line[max(0, start) :], type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError):
            others += 1
            continue
        found.append({name: _cut(name, value) for name, value in said.items() if _KEY.fullmatch(name)})
    return {"lines": found, "not ours": others}


def _cut(name: str, value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if not isinstance(value, str):
        return CUT
    if name == "exception":
        return [f"{file}:{line} {function}" for file, line, function in _FRAME.findall(value)]
    allowed = {"event": _EVENT, "code": _EVENT, "timestamp": _TIME}.get(name, _OUR_ID)
    if (name == "level" and value in _LEVELS) or allowed.fullmatch(value):
        return value
    return CUT
