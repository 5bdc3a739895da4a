# SPDX-License-Identifier: Apache-2.0
"""Sessions of the large database, and the events around them: real leaves in real chains, written many at a time."""

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Max

from portineria.control.access.models import Grant
from portineria.control.audit.models import Event, Head
from portineria.control.audit.services import INDEXED
from portineria.control.remote_sessions.models import Session, Stream
from portineria.ledger import leaf as leaves
from portineria.ledger.merkle import leaf_hash
from tests.bench.estate import Size, stored
from tests.bench.estate_rows import Estate

_AT_ONCE = 5000
_STREAMS = 2  # rows of each session; its events may tell of many more
_INDEXES = {
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE tbl_name = %s AND sql LIKE 'CREATE INDEX%%'",
    "postgresql": "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s AND indexdef LIKE 'CREATE INDEX%%'",
}
_COLUMNS = (
    "id", "organisation", "seq", "at", "code", "actor", "leaf", "leaf_sha256", "prev_sha256", *INDEXED,
)  # fmt: skip


@dataclass
class Ledger:
    """The chains as they grow. Everything about the form of an event is in ``add`` and ``write``."""

    heads: dict[str, tuple[int, bytes]]
    last: int  # key of the newest event
    rows: list[tuple[Any, ...]] = field(default_factory=list)

    def add(self, code: str, organisation: str, actor: str, at: datetime, fields: dict[str, Any]) -> int:
        """Return its key."""
        seq, prev = self.heads.get(organisation, (0, bytes(32)))
        data = leaves.encode(leaves.Leaf(organisation, seq + 1, at, code, actor, prev, fields))
        digest = leaf_hash(data)
        self.heads[organisation] = (seq + 1, digest)
        self.last += 1
        about = (fields.get(name, "") for name in INDEXED)
        self.rows.append((self.last, organisation, seq + 1, _stored(at), code, actor, data, digest, prev, *about))
        if len(self.rows) >= _AT_ONCE:
            self.write()
        return self.last

    def write(self) -> None:
        names = ", ".join(f'"{name}"' for name in _COLUMNS)
        marks = ", ".join(["%s"] * len(_COLUMNS))
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.executemany(f"INSERT INTO {Event._meta.db_table} ({names}) VALUES ({marks})", self.rows)  # noqa: S608
        self.rows.clear()

    def close(self) -> None:
        self.write()
        for organisation, (seq, digest) in self.heads.items():
            Head.objects.update_or_create(organisation=organisation, defaults={"seq": seq, "leaf_sha256": digest})
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), %s)", [Event._meta.db_table, self.last])


def _stored(at: datetime) -> Any:
    """As Django writes it: SQLite has no type for it."""
    return connection.ops.adapt_datetimefield_value(at)


def make(size: Size, estate: Estate) -> None:
    """Every session has its events; the last of an ended one is its receipt."""
    ledger, opened = _begun(), [grant for grant in estate.grants if grant.ends_at > estate.now]
    ended = [grant for grant in estate.grants if grant.ends_at <= estate.now]
    each = max(4, size.events // size.sessions)
    with _without_indexes(Event._meta.db_table):
        for begin in range(0, size.sessions - size.live, _AT_ONCE):
            numbers = range(begin, min(begin + _AT_ONCE, size.sessions - size.live))
            # Spread evenly, so that keys follow times as they do where one is written after the other.
            grants = [ended[number * len(ended) // size.sessions] for number in numbers]
            _keep(
                ledger,
                [_ended(ledger, estate, grant, each, number) for number, grant in zip(numbers, grants, strict=True)],
            )
        _keep(ledger, [_live(ledger, estate, opened[number % len(opened)], number) for number in range(size.live)])
        ledger.close()


def _begun() -> Ledger:
    """After what making the installation wrote already."""
    heads = {row.organisation: (row.seq, bytes(row.leaf_sha256)) for row in Head.objects.all()}
    return Ledger(heads, Event.objects.aggregate(last=Max("pk"))["last"] or 0)


def _keep(ledger: Ledger, made: list[tuple[Session, list[Stream]]]) -> None:
    ledger.write()  # receipts first
    with transaction.atomic():
        stored(Session, [session for session, _ in made])
        stored(Stream, [stream for _, streams in made for stream in streams])


def _ended(ledger: Ledger, estate: Estate, grant: Grant, events: int, number: int) -> tuple[Session, list[Stream]]:
    session, at = _session(estate, grant, number), grant.starts_at + timedelta(seconds=number % 1800)
    session.requested_at = session.live_at = at
    ids = _begin(ledger, session, at)
    streams, pause = [], timedelta(minutes=30) / events
    for turn in range(1, (events - 2) // 2 + 1):
        stream, service = f"str_{session.public_id[4:]}{turn}", estate.services[grant.machine_id][turn % 4]
        named = ids | {"stream": stream}
        opened = {"service": service.public_id, "address": "192.168.1.1", "port": service.port, "transport": "tcp"}
        actor, organisation = ids["gateway"], session.organisation.public_id
        ledger.add("stream.opened", organisation, actor, at + pause * 2 * turn, named | opened)
        closed = {"to_device": 5000, "from_device": 70000, "how": "finished"}
        ledger.add("stream.closed", organisation, actor, at + pause * (2 * turn + 1), named | closed)
        if turn <= _STREAMS:
            streams.append(
                Stream(
                    session=session, public_id=stream, service=service, address="192.168.1.1", port=service.port,
                    opened_at=at + pause * 2 * turn, closed_at=at + pause * (2 * turn + 1), how="finished",
                )
            )  # fmt: skip
    session.state, session.ended_at, session.ending = "ended", at + timedelta(minutes=30), "finished"
    ending = {"ending": "finished", "reason": "finished", "latency_ms": 12, "streams": len(streams)}
    session.receipt_id = ledger.add("session.ended", organisation, actor, session.ended_at, ids | ending)
    return session, streams


def _live(ledger: Ledger, estate: Estate, grant: Grant, number: int) -> tuple[Session, list[Stream]]:
    session = _session(estate, grant, 10_000_000 + number)
    session.requested_at = session.live_at = estate.now - timedelta(minutes=1)
    session.state = "live"
    _begin(ledger, session, session.requested_at)
    return session, []


def _begin(ledger: Ledger, session: Session, at: datetime) -> dict[str, Any]:
    """What begins a session; returns what every event of its gateway carries."""
    organisation, gateway = session.organisation.public_id, session.gateway.public_id
    asked = {
        "session": session.public_id, "machine": session.machine.public_id, "gateway": gateway,
        "person": session.person.public_id, "grant": session.grant.public_id, "order_seq": 1,
        "order_sha256": bytes(session.order_sha256).hex(), "ends_at": session.expires_at.isoformat(timespec="seconds"),
    }  # fmt: skip
    ledger.add("remote_sessions.session.requested", organisation, session.person.public_id, at, asked)
    report: dict[str, Any] = {
        "gateway": gateway, "session": session.public_id, "epoch": bytes(32).hex(), "gateway_seq": ledger.last,
        "report_sha256": bytes(session.order_sha256).hex(), "boot": bytes(32).hex(),
        "gateway_at_ms": int(at.timestamp() * 1000),
    }  # fmt: skip
    ledger.add("order.accepted", organisation, gateway, at, report | {"order_seq": 1})
    return report


def _session(estate: Estate, grant: Grant, number: int) -> Session:
    digest = hashlib.sha256(b"session %d" % number).digest()
    return Session(
        organisation=grant.organisation, grant=grant, person=grant.person, machine=grant.machine,
        gateway=grant.machine.gateway, key=secrets.token_bytes(91), key_sha256=digest, certificate=bytes(700),
        order=bytes(900), order_seq=1, order_sha256=digest, expires_at=grant.ends_at, to_device=10_000,
        from_device=140_000,
    )  # fmt: skip


@contextmanager
def _without_indexes(table: str) -> Iterator[None]:
    """Made once at the end, an index costs a tenth. Those of constraints stay."""
    with connection.cursor() as cursor:
        cursor.execute(_INDEXES[connection.vendor], [table])
        indexes = cursor.fetchall()
        for name, _ in indexes:
            cursor.execute(f'DROP INDEX "{name}"')
        yield
        for _, sql in indexes:
            cursor.execute(sql)
