# SPDX-License-Identifier: Apache-2.0
"""``STATE ACT [WORD …]`` in a process of its own; prints JSON, or a line for each thing that was committed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

_APPS = ("audit", "identity", "estate", "access", "remote_sessions")
THREADS = 4
LAST_STEPS = 20


def first_tables() -> Any:
    """The tables as the first version made them, with a row wherever later ones change something."""
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    first = [(app, "0001_initial") for app in _APPS]
    executor.migrate(first)
    return _first_rows(executor.loader.project_state(first).apps)


def late_tables() -> Any:
    """The tables as they were some steps ago, made at once, with a row: from the first version's it is a long way."""
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor
    from django.db.migrations.recorder import MigrationRecorder
    from django.db.migrations.state import ProjectState

    from portineria.control.audit.word_index import CREATE

    executor, state, recorder = MigrationExecutor(connection), ProjectState(), MigrationRecorder(connection)
    plan = [one for one, _ in executor.migration_plan(executor.loader.graph.leaf_nodes())]
    recorder.ensure_schema()
    with connection.schema_editor() as editor:
        for one in plan[:-LAST_STEPS]:
            state = one.mutate_state(state, preserve=False)
            recorder.record_applied(one.app_label, one.name)
        for model in state.apps.get_models():
            if model._meta.can_migrate(connection):
                editor.create_model(model)
        for statement in CREATE[connection.vendor]:
            editor.execute(statement)
    state.apps.get_model("estate.Relay").objects.create(public_id="rel_a", position=0, host="gate.example", port=443)
    return LAST_STEPS


def relays_and_missing() -> Any:
    """Ports of the relays, and the steps that are not done."""
    from portineria.control.estate.models import Relay
    from portineria.control.tables import pending

    return [sorted(Relay.objects.values_list("port", flat=True)), pending()]


def _first_rows(apps: Any) -> int:
    from datetime import timedelta

    from django.utils import timezone

    now = timezone.now()

    def make(model: str, /, **fields: Any) -> Any:
        return apps.get_model(model).objects.create(**fields)

    owner = make("identity.Organisation", public_id="org_a", name="Presses")
    ada = make("identity.Person", public_id="per_a", email="ada@example.com", name="Ada", language="it")
    make(
        "identity.ConnectorToken", public_id="con_a", token_sha256=b"t" * 32, person=ada, key=b"k" * 32,
        created_at=now, expires_at=now + timedelta(hours=1),
    )  # fmt: skip
    plant = make("estate.Plant", public_id="plt_a", organisation=owner, name="North", time_zone="UTC")
    make("estate.Relay", public_id="rel_a", position=0, host="gate.example", port=443)
    gateway = make(
        "estate.Gateway", public_id="gwy_a", plant=plant, name="cabinet 4", tls_key=b"k", spki_sha256=b"s" * 32,
        event_key=b"e" * 32, sealing_key=b"x" * 32,
    )  # fmt: skip
    machine = make("estate.Machine", public_id="mch_a", plant=plant, gateway=gateway, name="Press 3")
    rule = make("access.Rule", public_id="rul_a", organisation=owner, person=ada)
    asked = make(
        "access.AccessRequest", public_id="req_a", organisation=owner, machine=machine, person=ada, rule=rule,
        reason="belt change", minutes=60,
    )  # fmt: skip
    grant = make(
        "access.Grant", public_id="grt_a", organisation=owner, request=asked, rule=rule, person=ada, machine=machine,
        starts_at=now, ends_at=now + timedelta(hours=1),
    )  # fmt: skip
    session = make(
        "remote_sessions.Session", public_id="ses_a", organisation=owner, grant=grant, person=ada, machine=machine,
        gateway=gateway, key=b"k", key_sha256=b"h" * 32, certificate=b"c", order=b"o", order_seq=1,
        order_sha256=b"o" * 32, expires_at=now + timedelta(hours=1), requested_at=now,
    )  # fmt: skip
    for number, port in enumerate((502, 70000, 0)):
        make("remote_sessions.Stream", session=session, public_id=f"s{number}", port=port, opened_at=now)
    return len((owner, ada, plant, gateway, machine, rule, asked, grant, session))


def steps() -> Any:
    """Migrations that count as done."""
    from django.db import connection
    from django.db.migrations.recorder import MigrationRecorder

    return sorted(map(list, MigrationRecorder(connection).applied_migrations()))


def rows() -> Any:
    """What the rows of ``first_tables`` are now."""
    from portineria.control.access.models import AccessRequest
    from portineria.control.estate.models import Gateway, Relay
    from portineria.control.identity.models import ConnectorToken, Person
    from portineria.control.remote_sessions.models import Session

    session = Session.objects.get(public_id="ses_a")
    return {
        "language": Person.objects.get(public_id="per_a").language,
        "mark": ConnectorToken.objects.get(public_id="con_a").password_mark,
        "relay": Relay.objects.get(public_id="rel_a").port,
        "gateway": [Gateway.objects.get().signers, Gateway.objects.get().without_code],
        "request": [AccessRequest.objects.get().state, AccessRequest.objects.get().lapsed_why],
        "session": [session.state, session.relay_closed_at],
        "streams": [[row.port, row.counted_at] for row in session.streams.order_by("public_id")],
    }


def write(organisations: str, count: str) -> None:
    """Record events in several ledgers from several threads; print each as it is committed."""
    wanted = organisations.split(",")

    def one_thread(number: int) -> None:
        from django.db import OperationalError, close_old_connections

        for turn in range(int(count)):
            try:
                _record_in(wanted[turn % len(wanted) :] + wanted[: turn % len(wanted)], f"{number}/{turn}")
            except OperationalError as error:
                sys.stdout.write(f"failed {number}/{turn} {type(error.__cause__).__name__}\n")
            close_old_connections()

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(one_thread, range(THREADS)))


def _record_in(organisations: list[str], what: str) -> None:
    """In the one order of ledgers that all keep, however the names came."""
    from django.db import transaction

    from portineria.control.audit.services import record

    with transaction.atomic():
        fields = {"actor": "per_a", "person": "per_a", "why": what, "what": "GET"}
        said = [
            record("identity.attempt.denied", organisation=name, **fields).seq for name in sorted(organisations[:2])
        ]
    sys.stdout.write(f"done {what} {said}\n")
    sys.stdout.flush()


def chains(organisations: str) -> Any:
    """Events of each chain, which is verified."""
    from portineria.control.audit.verification import verify_chain

    return [verify_chain(name) for name in organisations.split(",")]


def main(state: str, what: str, *words: str) -> None:
    from portineria.control.operations import open_state

    open_state(Path(state))
    chosen = (first_tables, late_tables, relays_and_missing, steps, rows, write, chains)
    acts: dict[str, Callable[..., Any]] = {act.__name__: act for act in chosen}
    if (answer := acts[what](*words)) is not None:
        sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
