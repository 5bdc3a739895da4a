# SPDX-License-Identifier: Apache-2.0
"""``python -m tests.bench.register [EVENTS] [STATE]``: searching a register of ten million events, on this machine.

Events of one plant over five years: 2,000 technicians of 100 suppliers, 10,000 machines, reasons of twelve words.
Leaves, chain, tree and checkpoint are real, so that proofs are too. A state folder that holds one is used again.
"""

from __future__ import annotations

import hashlib
import json
import random
import secrets
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from portineria.control import operations

EVENTS = 10_000_000
YEARS = 5
ROUNDS = 40
TOGETHER = 50_000
_ENGLISH = (
    "seal valve drive pump hydraulic pressure fault replace inspect motor belt sensor panel program update cable fuse "
    "spindle coolant bearing robot gripper conveyor oven press calibration firmware backup leak alarm hose filter axis"
)
_ITALIAN = "guarnizione valvola pressione perdita sostituzione urgente turno notte manutenzione ricambio"
_WORDS = f"{_ENGLISH} {_ITALIAN}".split()
_JAPANESE = ("油圧ポンプの点検", "プレス機の異常停止", "シール交換", "定期保守", "センサー故障")


@dataclass
class Plant:
    organisation: str
    people: list[str]
    machines: list[str]
    gateways: list[str]
    suppliers: list[str]
    random: random.Random = field(default_factory=lambda: random.Random(4711))

    def reason(self) -> str:
        if self.random.random() < 0.1:
            return f"{self.random.choice(_JAPANESE)} {self.random.randint(4000, 99999)}"
        chosen = " ".join(self.random.choices(_WORDS, k=12))
        return f"Order {self.random.randint(4000, 99999)}: {chosen}"


def make_plant(owner: Any) -> Plant:
    from portineria.control.estate import services as estate
    from portineria.control.estate.models import Gateway, Line, Machine
    from portineria.control.estate.models import Plant as PlantRow
    from portineria.control.identity.models import Membership, Organisation, Person, Role, Supplier

    organisation = Organisation.objects.get()
    plant = estate.create_plant(actor=owner, organisation=organisation.public_id, name="North", time_zone="Europe/Rome")
    row = PlantRow.objects.get(public_id=plant.public_id)
    gateways = Gateway.objects.bulk_create(
        Gateway(plant=row, name=f"cabinet {number:03}", state="refused", tls_key=b"", event_key=b"", sealing_key=b"",
                spki_sha256=hashlib.sha256(bytes([number])).digest())
        for number in range(50)
    )  # fmt: skip
    lines = Line.objects.bulk_create(Line(plant=row, name=f"Hall {number}") for number in range(50))
    machines = Machine.objects.bulk_create(
        Machine(plant=row, gateway=gateways[number % 50], line=lines[number % 50], name=f"{kind} {number:05}",
                tag=f"K-{number:05}")
        for number, kind in ((number, ("Press", "Oven", "Robot", "Lathe")[number % 4]) for number in range(10_000))
    )  # fmt: skip
    suppliers = Supplier.objects.bulk_create(
        Supplier(organisation=organisation, name=f"Supplier {number:03}") for number in range(100)
    )
    people = Person.objects.bulk_create(
        Person(email=f"technician{number:04}@supplier{number % 100:03}.example", name=f"Technician {number:04}")
        for number in range(2000)
    )
    Membership.objects.bulk_create(
        Membership(person=one, organisation=organisation, role=Role.TECHNICIAN, supplier=suppliers[number % 100])
        for number, one in enumerate(people)
    )
    return Plant(
        organisation.public_id, people=[row.public_id for row in people],
        machines=[row.public_id for row in machines], gateways=[row.public_id for row in gateways],
        suppliers=[row.public_id for row in suppliers],
    )  # fmt: skip


Fields = dict[str, str | int | bool]
Fact = tuple[str, str, Fields, dict[str, str]]  # code, actor, public fields, personal values


def facts(plant: Plant) -> Iterator[Fact]:
    """One session after the other, each with what goes before and after it, for ever."""
    chance = plant.random
    while True:
        person, machine = chance.choice(plant.people), plant.machines[min(9999, int(chance.expovariate(1 / 1500)))]
        gateway, session = chance.choice(plant.gateways), f"ses_{secrets.token_hex(8).translate(_BASE32)}"
        about: Fields = {"machine": machine, "person": person}
        whole: Fields = {**about, "session": session, "gateway": gateway}
        reported: Fields = {"gateway": gateway, "session": session, "epoch": secrets.token_hex(32), "gateway_seq": 1,
                    "report_sha256": secrets.token_hex(32), "gateway_at_ms": 1_800_000_000_000}  # fmt: skip
        address = {"address": f"198.51.{chance.randint(0, 99)}.{chance.randint(1, 250)}"}
        yield "identity.person.signed-in", person, {"person": person, "method": "totp"}, dict(address)
        yield "access.request.made", person, {**about, "minutes": 240}, {"reason": plant.reason()}
        yield "access.grant.given", "per_owner", {**about, "ends_at": "2026-01-01T00:00:00+00:00"}, {}
        yield "remote_sessions.session.requested", person, whole, address
        yield "order.accepted", gateway, reported, {}
        for number in range(chance.randint(2, 10)):
            named: Fields = {**reported, "service": "srv_aaaaaaaaaaaaaaaa", "port": 502}
            yield "stream.opened", gateway, {**named, "stream": str(number), "transport": "tcp"}, {}
            yield "stream.closed", gateway, {**reported, "to_device": 2310, "how": "finished"}, {}
        yield "session.ended", gateway, {**reported, "ending": "finished", "reason": "finished"}, {}
        if chance.random() < 0.05:
            supplier = chance.choice(plant.suppliers)
            yield "identity.supplier.disabled", "per_owner", {"supplier": supplier}, {"reason": plant.reason()}
        if chance.random() < 0.02:
            yield "access.grant.revoked", "per_owner", {**about, "ending": "security"}, {"reason": plant.reason()}


_BASE32 = str.maketrans("0123456789", "qrstuvwxyz")


class Writer:
    """What ``audit.services.record`` writes, many at once and past Django."""

    def __init__(self, plant: Plant, path: Path) -> None:
        from portineria.control.audit import words
        from portineria.control.audit.models import Head
        from portineria.ledger.merkle import Frontier

        self.plant, self.words = plant, words
        words.words = lru_cache(100_000)(words.words)  # most texts come again
        self.database = sqlite3.connect(path, isolation_level=None)
        self.database.execute("PRAGMA synchronous=OFF")
        self.database.execute("PRAGMA cache_size=-1000000")
        head = Head.objects.get(organisation=plant.organisation)
        self.seq, self.prev, self.hour = head.seq, bytes(head.leaf_sha256), head.hour
        (self.pk,) = self.database.execute("SELECT max(id) FROM audit_event").fetchone()
        rows = self.database.execute(
            "SELECT leaf_sha256 FROM audit_event WHERE organisation = ? ORDER BY seq", (plant.organisation,)
        )
        self.frontier = Frontier()
        for (digest,) in rows:
            self.frontier.append(digest)

    def write(self, count: int) -> None:
        step = timedelta(days=365 * YEARS) / count
        at, stream, begun = datetime.now(UTC) - timedelta(days=365 * YEARS), facts(self.plant), time.monotonic()
        for start in range(0, count, TOGETHER):
            rows: dict[str, list[Any]] = {"event": [], "value": [], "words": [], "hour": [], "tree": []}
            for number in range(start, min(start + TOGETHER, count)):
                self._event(at + number * step, next(stream), rows)
            self._insert(rows)
            print(f"\r{start:,} events, {time.monotonic() - begun:.0f} s", end="", file=sys.stderr, flush=True)
        self.database.close()

    def _event(self, at: datetime, fact: Fact, rows: dict[str, list[Any]]) -> None:
        from portineria.ledger import leaf as leaves
        from portineria.ledger.merkle import leaf_hash

        code, actor, fields, personal = fact
        self.pk, self.seq = self.pk + 1, self.seq + 1
        salts = {name: secrets.token_bytes(16) for name in personal}
        hashed = {name: leaves.personal_hash(salts[name], personal[name]) for name in personal}
        leaf = leaves.Leaf(self.plant.organisation, self.seq, at, code, actor, self.prev, fields, hashed)
        data = leaves.encode(leaf)
        digest = leaf_hash(data)
        self.frontier.append(digest)
        columns = [str(fields.get(name, "")) for name in ("session", "machine", "gateway", "person", "supplier")]
        rows["event"].append((self.pk, self.plant.organisation, self.seq, f"{at:%Y-%m-%d %H:%M:%S.%f}", code, actor,
                              data, digest, self.prev, *columns))  # fmt: skip
        about = str(fields.get("person", actor))
        rows["value"] += [(self.pk, name, about, salts[name], value) for name, value in personal.items()]
        found = self.words.event_words(
            organisation=self.plant.organisation, code=code, actor=actor, columns=columns, fields=fields,
            personal=personal.values(),
        )  # fmt: skip
        rows["words"].append((self.pk, " ".join(found)))
        if (hour := int(at.timestamp()) // 3600) != self.hour:
            rows["hour"].append((self.plant.organisation, hour, self.pk))
            self.hour = hour
        self.prev = digest

    def _insert(self, rows: dict[str, list[Any]]) -> None:
        rows["tree"] = [(self.plant.organisation, *row) for row in self.frontier.completed]
        self.frontier.completed.clear()
        tables = {
            "event": "audit_event (id, organisation, seq, at, code, actor, leaf, leaf_sha256, prev_sha256, session, "
            "machine, gateway, person, supplier)",
            "value": "audit_personalvalue (event_id, field, about, salt, value)",
            "words": "audit_words (rowid, words)",
            "hour": "audit_hour (organisation, hour, first)",
            "tree": 'audit_treerow (organisation, level, "index", sha256)',
        }
        self.database.execute("BEGIN IMMEDIATE")
        for name, table in tables.items():
            if rows[name]:
                places = ", ".join("?" * len(rows[name][0]))
                self.database.executemany(f"INSERT INTO {table} VALUES ({places})", rows[name])  # noqa: S608
        self.database.execute(
            "UPDATE audit_head SET seq = ?, leaf_sha256 = ?, hour = ? WHERE organisation = ?",
            (self.seq, self.prev, self.hour, self.plant.organisation),
        )
        self.database.execute("COMMIT")


def seal(writer: Writer) -> None:
    from django.utils import timezone

    from portineria.control.audit.models import Checkpoint
    from portineria.control.identity.register import Seal
    from portineria.ledger.checkpoint import Checkpoint as Sealed

    signer, tree = Seal(), writer.frontier
    sealed = Sealed(signer.origin(writer.plant.organisation), tree.size, tree.root())
    Checkpoint.objects.create(
        organisation=writer.plant.organisation, size=sealed.size, root=sealed.root, peaks=b"".join(tree.peaks),
        note=signer.signed(sealed), at=timezone.now(),
    )  # fmt: skip


def prepare(state: Path, count: int) -> Any:
    """The owner of a plant with that many events."""
    state.mkdir(parents=True, exist_ok=True)
    operations.initialise(state)
    from portineria.control.audit.models import Head
    from portineria.control.identity.authority import Operator
    from portineria.control.identity.first_run import create_owner, set_totp
    from portineria.control.identity.models import Person

    if not Head.objects.filter(seq__gte=count).exists():
        owner = create_owner(
            actor=Operator(), organisation="Northern Works", name="Owner", email="owner@example.test", language="en",
            time_zone="Europe/Rome",
        )  # fmt: skip
        set_totp(actor=Operator(), person=owner.public_id, secret="JBSWY3DPEHPK3PXP" * 2)
        begun = time.monotonic()
        writer = Writer(make_plant(owner), state / "portineria.sqlite3")
        writer.write(count)
        seal(writer)
        print(f"\n{count:,} events made in {time.monotonic() - begun:.0f} s", file=sys.stderr)
    return Person.objects.get(email="owner@example.test")


def questions() -> dict[str, list[str]]:
    """Name of each kind of search → addresses, each of another thing."""
    from portineria.control.audit.models import Event
    from portineria.control.estate.models import Machine
    from portineria.control.identity.models import Person, Supplier

    chance = random.Random(1)
    people = list(Person.objects.exclude(email="owner@example.test").order_by("pk"))
    machines, suppliers = list(Machine.objects.order_by("pk")), list(Supplier.objects.order_by("pk"))
    sessions = list(Event.objects.exclude(session="").order_by("pk").values_list("session", flat=True)[:5000])
    days = [datetime.now(UTC).date() - timedelta(days=chance.randint(30, 1700)) for _ in range(ROUNDS)]

    def some(rows: list[Any]) -> list[Any]:
        return [chance.choice(rows) for _ in range(ROUNDS)]

    return {
        "unfiltered": [""] * ROUNDS,
        "person": [f"?person={one.public_id}" for one in some(people)],
        "machine": [f"?machine={one.public_id}" for one in some(machines)],
        "supplier": [f"?supplier={one.public_id}" for one in some(suppliers)],
        "session": [f"?session={one}" for one in some(sessions)],
        "kind": [f"?code={one}" for one in some(["access.", "stream.", "identity.", "access.grant.revoked"])],
        "days": [f"?since={day}&before={day + timedelta(days=1)}" for day in days],
        "word": [f"?text={one}" for one in some([*_WORDS, *(str(number) for number in range(4000, 4100))])],
        "words": [f"?text={'+'.join(chance.sample(_WORDS, 3))}" for _ in range(ROUNDS)],
        "japanese": [f"?text={one}" for one in some(["油圧", "異常停止", "交換", "センサー"])],
        "name": [f"?text={one.name.replace(' ', '+')}" for one in some([*people, *machines])],
        "nothing": [f"?text=nothing{number}+like+this" for number in range(ROUNDS)],
        "person.machine": [
            f"?person={one.public_id}&machine={other.public_id}"
            for one, other in zip(some(people), some(machines), strict=True)
        ],
        "person.kind.days": [
            f"?person={one.public_id}&code=stream.&since={day}&before={day + timedelta(days=90)}"
            for one, day in zip(some(people), days, strict=True)
        ],
        "word.days": [
            f"?text={one}&since={day}&before={day + timedelta(days=7)}"
            for one, day in zip(some(list(_WORDS)), days, strict=True)
        ],
    }


def measure(owner: Any) -> Iterator[tuple[str, float, float, float, int]]:
    """(kind of search, median ms, p95 ms, p95 of CPU ms, most queries of one page): the server's own time for a page.

    CPU is what remains of it on a machine that has nothing else to do.
    """
    from django.conf import settings
    from django.db import connection, reset_queries
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    settings.ALLOWED_HOSTS = ["localhost"]
    client = Client(HTTP_HOST="localhost")
    client.force_login(owner, backend="allauth.account.auth_backends.AuthenticationBackend")
    client.get("/events/")
    for name, addresses in questions().items():
        times, cpu, most = [], [], 0
        for query in addresses:
            reset_queries()  # Django remembers 9000 of them
            before = time.thread_time()
            with CaptureQueriesContext(connection) as asked:
                times.append(_timed(partial(client.get, f"/events/{query}")))
            cpu.append((time.thread_time() - before) * 1e3)
            most = max(most, len(asked))
        yield name, statistics.median(times), _p95(times), _p95(cpu), most


def _timed(act: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    answer = act()
    took = (time.perf_counter() - begun) * 1e3
    if answer.status_code != 200:
        raise SystemExit(f"answered {answer.status_code}")
    return took


def _p95(times: list[float]) -> float:
    return sorted(times)[-(-len(times) * 95 // 100) - 1]


def main(count: int, state: Path) -> int:
    from tests.bench.report import Figure

    owner, figures = prepare(state, count), {}
    for name, median, p95, cpu, queries in measure(owner):
        day = datetime.now(UTC).strftime("%Y-%m-%d")
        figures[f"console.register.{name}"] = Figure(
            round(p95, 1), "ms", None, None, ROUNDS, "python -m tests.bench.register", day
        )
        shown = f"median {median:7.1f} ms  p95 {p95:7.1f} ms  CPU p95 {cpu:7.1f} ms  {queries} queries"
        print(f"console.register.{name:<18} {shown}", flush=True)
    from dataclasses import asdict

    print(json.dumps({name: asdict(found) for name, found in figures.items()}))
    return 0


if __name__ == "__main__":
    chosen = int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS
    if len(sys.argv) > 2:
        sys.exit(main(chosen, Path(sys.argv[2])))
    with tempfile.TemporaryDirectory() as temporary:
        sys.exit(main(chosen, Path(temporary)))
