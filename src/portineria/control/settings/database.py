# SPDX-License-Identifier: Apache-2.0
"""Django's view of the ``database`` setting: SQLite in the state folder, or a PostgreSQL that libpq finds."""

import importlib.util
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from portineria.control.settings.server import ServerSettings
from portineria.process.settings import BadSettings

LOCK_S = 10  # whoever waits longer for somebody else's lock is told that the server is busy
ABANDONED_S = 5  # nothing of ours pauses inside a transaction for a second; less than LOCK_S, so that others outwait it
# One connection per request under way; whoever comes beyond them waits. PostgreSQL admits 100 if nobody says otherwise.
_CONNECTIONS = 20
_CONNECT_S = 5
# A server whose machine vanished without a word is noticed within this time, in milliseconds for TCP_USER_TIMEOUT.
_SILENT_MS = 15_000
# What may stand behind the ? of the address: libpq's own names. ``options`` is ours.
PARAMETERS = frozenset(
    {
        "application_name", "channel_binding", "connect_timeout", "gssencmode", "host", "hostaddr", "keepalives",
        "keepalives_count", "keepalives_idle", "keepalives_interval", "krbsrvname", "passfile", "port",
        "require_auth", "service", "sslcert", "sslcertmode", "sslcrl", "sslcrldir", "sslkey", "sslmode",
        "ssl_max_protocol_version", "ssl_min_protocol_version", "sslnegotiation", "sslrootcert", "sslsni",
        "target_session_attrs", "tcp_user_timeout", "user",
    }
)  # fmt: skip
_FORM = "postgresql://user@host/name"


def database(settings: ServerSettings) -> dict[str, Any]:
    """Raise BadSettings for an address that libpq could not follow."""
    return _postgresql(settings) if settings.database else _sqlite(settings.state)


def _sqlite(state: Path) -> dict[str, Any]:
    return {
        "ENGINE": "portineria.control.sqlite",
        "NAME": state / "portineria.sqlite3",
        "TEST": {"NAME": state / "test.sqlite3"},
        "OPTIONS": {
            # IMMEDIATE takes the write lock at BEGIN: a transaction never fails half-way for want of it.
            "transaction_mode": "IMMEDIATE",
            "timeout": LOCK_S,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON",
        },
    }


def _postgresql(settings: ServerSettings) -> dict[str, Any]:
    for module in ("psycopg", "psycopg_pool"):
        if importlib.util.find_spec(module) is None:
            raise BadSettings("database: PostgreSQL needs more of Portineria: pip install 'portineria[postgresql]'")
    url, asked = _address(settings.database)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(url.path.removeprefix("/")),
        "USER": unquote(url.username or ""),
        "PASSWORD": _password(settings, unquote(url.password or "")),
        "HOST": unquote(url.hostname or "") or asked.pop("host", ""),
        "PORT": str(url.port or ""),
        # Every request runs in a thread of its own, so a connection kept by a thread would be kept for nothing.
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": True,  # the pool gives out none that a restart of PostgreSQL has ended
        "OPTIONS": {
            "application_name": "portineria",
            "connect_timeout": _CONNECT_S,
            "tcp_user_timeout": _SILENT_MS,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "target_session_attrs": "read-write",  # of several hosts, never the copy
            **asked,
            # A process that is frozen, or cut off, in the middle of a transaction must not hold its locks for ever.
            "options": f"-c lock_timeout={LOCK_S}s -c idle_in_transaction_session_timeout={ABANDONED_S}s",
            "pool": _pool(),
        },
    }


def _pool() -> dict[str, Any]:
    """Nothing is kept open that nobody uses: while PostgreSQL is away nothing tries in the background, so the first who
    asks after its return is served at once."""
    return {"min_size": 0, "max_size": _CONNECTIONS, "timeout": LOCK_S, "max_idle": 300, "reconnect_timeout": 3}


def _address(text: str) -> tuple[Any, dict[str, str]]:
    url = urlsplit(text)
    asked = dict(parse_qsl(url.query, keep_blank_values=True))
    if url.scheme not in ("postgresql", "postgres"):
        raise BadSettings(f"database: write {_FORM}, or nothing for SQLite in the state folder")
    if unknown := sorted(asked.keys() - PARAMETERS):
        raise BadSettings(f"database: {', '.join(unknown)} cannot stand behind the ?; libpq's own parameters can")
    try:
        _ = url.port
    except ValueError as error:
        raise BadSettings(f"database: {error}; write {_FORM}") from error
    if not url.path.strip("/") and "service" not in asked:
        raise BadSettings(f"database: name it, {_FORM}, or let a service do so: postgresql:///?service=portineria")
    return url, asked


def _password(settings: ServerSettings, written: str) -> str:
    """Empty: libpq looks for it where it always does (passfile, service, PGPASSWORD)."""
    file = settings.database_password_file
    if file is None:
        return written
    if written:
        raise BadSettings("database_password_file: the address in database holds a password already; take one away")
    try:
        return file.read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(f"database_password_file: {file}: {error}") from error
