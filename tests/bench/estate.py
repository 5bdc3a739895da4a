# SPDX-License-Identifier: Apache-2.0
"""A large lawful database: two owners, their plants, suppliers, people, rules, requests, sessions and events.

Made once into a folder of the user's cache and used again; rows go through the models' own tables, so that every
constraint of the database looks at each of them. The same seed gives the same shape: who may reach what, how often.
"""

import json
import os
import random
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from portineria.control.settings import start as settings_start
from portineria.control.settings.master_key import make_master_key
from portineria.control.settings.server import load

_MARK = "made.json"
_AT_ONCE = 2000


@dataclass(frozen=True)
class Size:
    suppliers: int = 3_600
    people: int = 50_000
    machines: int = 10_000
    rules: int = 20_000
    sessions: int = 100_000
    live: int = 200
    pending: int = 300
    events: int = 1_000_000

    @property
    def name(self) -> str:
        return f"{self.machines}-{self.people}-{self.sessions}-{self.events}"


def folder_of(size: Size, database: str = "") -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "portineria-bench" / (f"{size.name}-postgresql" if database else size.name)


def prepare(size: Size, database: str = "") -> Path:
    """Start Django over this database, making it first where it is not there yet. ``database``: as in the settings."""
    folder = folder_of(size, database)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if database:
        os.environ["PORTINERIA_SERVER_DATABASE"] = database
    make_master_key(folder)
    settings_start.use(load(folder))
    from django.core.management import call_command

    from portineria.control.static_files import publish_static_files
    from portineria.control.statistics import refresh_statistics

    publish_static_files()
    made = folder / _MARK
    if not made.exists():
        _forget(folder)
    call_command("migrate", verbosity=0)
    if not made.exists():
        made.write_text(json.dumps(asdict(size) | {"seconds": fill(size)}) + "\n")
    _keep_open(made.stat().st_mtime)
    _order_anew()
    refresh_statistics()  # as the server does when it starts
    return folder


def _keep_open(made_at: float) -> None:
    """Grants that were open when it was made are open again, and so are the requests for them young enough to wait."""
    from django.utils import timezone

    from portineria.control.access.models import AccessRequest, Grant

    now, made = timezone.now(), datetime.fromtimestamp(made_at, UTC)
    if now - made > timedelta(minutes=15):
        open_then = Grant.objects.filter(revoked_at__isnull=True, request__made_at__gt=made - timedelta(hours=2))
        open_then.update(starts_at=now - timedelta(minutes=5), ends_at=now + timedelta(minutes=55))
        AccessRequest.objects.filter(state="pending").update(made_at=now)


def _order_anew() -> None:
    """Each session that runs under an order of now, signed and saved as the server does it: pages read what it says."""
    from django.utils import timezone

    from portineria.control.estate.queries import services_of
    from portineria.control.remote_sessions import letters
    from portineria.control.remote_sessions.models import Session

    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    spki, now = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo), timezone.now()
    rows = list(Session.objects.open().select_related("organisation", "person", "gateway", "machine", "grant__rule"))
    for session in rows:
        session.key, session.expires_at, session.order_seq = spki, session.grant.ends_at, 0
        letters.write_order(session, services_of(session.machine), starts=now)
    Session.objects.bulk_update(rows, ["key", "expires_at", "order", "order_sha256", "certificate"], batch_size=100)


def _forget(folder: Path) -> None:
    """What an interrupted run left. A PostgreSQL database is given empty."""
    for left in folder.glob("portineria.sqlite3*"):
        left.unlink()


def fill(size: Size) -> float:
    """Seconds that it took."""
    from django.db import connection, transaction

    from tests.bench import estate_rows, event_rows

    began = time.monotonic()
    if connection.vendor == "sqlite":
        connection.cursor().execute("PRAGMA synchronous=OFF")  # whoever loses power makes it again
    with transaction.atomic():
        estate = estate_rows.make(size, random.Random(20261126))
        print(f"  estate and people: {time.monotonic() - began:.0f} s", flush=True)
    event_rows.make(size, estate)
    print(f"  sessions and events: {time.monotonic() - began:.0f} s", flush=True)
    return time.monotonic() - began


def stored(model: Any, rows: Iterable[Any]) -> list[Any]:
    return list(model._base_manager.bulk_create(list(rows), batch_size=_AT_ONCE))
