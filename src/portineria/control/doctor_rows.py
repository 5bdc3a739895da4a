# SPDX-License-Identifier: Apache-2.0
"""The part of the doctor that asks the database, and what is reached by its rows."""

from collections.abc import Iterator
from datetime import datetime

from django.apps import apps
from django.db import DatabaseError, connection, connections
from django.db.models import Q

from portineria.control import tables
from portineria.control.access.levels import short
from portineria.control.access.models import Rule
from portineria.control.audit.models import Event
from portineria.control.identity import keys
from portineria.control.recording_store import NoChunk, store
from portineria.control.sinks.models import Sink
from portineria.core.errors import PortineriaError
from portineria.doctor.finding import Finding, fault, ok, warning
from portineria.doctor.path import Way, apart, tcp

_NAMED = 5  # rules in a finding


def examine(now: datetime) -> Iterator[Finding]:
    try:
        tables.check_tables()
        yield ok("database", f"{connection.vendor} answers")
        if changes := tables.pending():
            yield fault(
                "database.tables", f"{len(changes)} changes wait: {', '.join(changes)}",
                "The tables are of an older version.", "portineria upgrade --backup FILE --recipient age1…",
                len(changes),
            )  # fmt: skip
            return
        yield ok("database.tables", "those of this version")
        yield from _rows(now)
    except PortineriaError as error:
        yield fault(
            error.code, str(error), "Nothing can be decided or recorded without the database.",
            "See docs/howto/postgresql.md; for a newer database install the newer version.",
        )  # fmt: skip
    except DatabaseError as error:
        yield fault(
            "database", " ".join(str(error).split())[:300], "The database is there and does not answer as it should.",
            "See its own log; restore the backup into another place and compare.",
        )  # fmt: skip
    finally:
        connections.close_all()
    yield from _recordings()


def _rows(now: datetime) -> Iterator[Finding]:
    newest = Event.objects.order_by("-pk").values_list("at", flat=True).first()
    if newest is None:
        yield fault(
            "set-up", "nothing was ever recorded", "The tables are empty: nobody was set up.", "portineria setup"
        )  # fmt: skip
        return
    if newest > now:
        yield apart(newest, now, "the newest event of the register")
    try:
        keys.signer("checkpoint")
        yield ok("master-key", "opens the keys in the database")
    except (PortineriaError, ValueError) as error:
        yield fault(
            "master-key", f"it does not open the keys in the database: {error}", "It is the key of another database.",
            "Put back the master.key that belongs to this database: both are in one backup.",
        )  # fmt: skip
    yield from _clock(now)
    yield from _sinks()
    yield from _rules()


def _clock(now: datetime) -> Iterator[Finding]:
    """PostgreSQL's, which may be another machine's, beside ours."""
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        yield apart(cursor.fetchone()[0], now, "that of the database")


def _sinks() -> Iterator[Finding]:
    for sink in Sink.objects.filter(paused_at=None).order_by("pk"):
        host, port = str(sink.settings.get("host", "")), str(sink.settings.get("port", ""))
        if host and port.isdecimal():
            yield from tcp(Way(host, int(port)))
        if not sink.failures:
            continue
        yield warning(
            "sink", f"{sink.name} ({sink.kind}): {sink.failures} failures in a row",
            "Events wait for this receiver (mail server, SIEM); none is lost.",
            "See its page in the console: it says what the receiver answered.", sink.failures,
        )  # fmt: skip


def _rules() -> Iterator[Finding]:
    """Those that ask for more yeses than there are people who may give them."""
    several = Rule.objects.ordinary().holding().filter(Q(approvals__gt=1) | Q(level_count__gt=0), needs_approval=True)
    in_vain = [rule.public_id for rule in several.order_by("pk") if short(rule) is not None]
    if in_vain:
        yield warning(
            "rules.approvers", f"nobody can complete what {len(in_vain)} rules ask for: {', '.join(in_vain[:_NAMED])}",
            "Requests under them wait until they expire: people left, or their role or group is another by now.",
            "See the page of each rule in the console: change whom it asks, or put people into its group.",
            len(in_vain),
        )  # fmt: skip


def _recordings() -> Iterator[Finding]:
    """Asked for what nobody has: only a store that works knows that it does not have it."""
    try:
        store().get("doctor.chunk")
    except NoChunk:
        yield ok("recordings", "the store answers")
    except PortineriaError as error:
        yield fault(
            "recordings", str(error), "Recordings stay at the gateways until they are full.",
            "Correct `recordings` in portineria.toml, its keys in the environment, or the way to it.",
        )  # fmt: skip


def counts() -> dict[str, int]:
    """Rows of each table, for the support bundle; empty where there is no database."""
    ours = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    try:
        with connection.cursor() as cursor:
            found = {}
            for name in sorted(ours & set(connection.introspection.table_names(cursor))):
                cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(name)}")  # noqa: S608 our own names
                found[name] = int(cursor.fetchone()[0])
            return found
    except DatabaseError:
        return {}
    finally:
        connections.close_all()
