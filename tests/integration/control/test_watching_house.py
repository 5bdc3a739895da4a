# SPDX-License-Identifier: Apache-2.0
"""What the control plane tells of the whole house in numbers, and what a load balancer hears."""

from __future__ import annotations

from django.db import DatabaseError, connection, transaction
from django.test import Client

from portineria.control import figures, readiness
from portineria.control.audit.sealing import seal, unsealed
from portineria.control.audit.services import WRITTEN, record
from portineria.control.identity.lead import Lead
from portineria.control.identity.register import Seal
from portineria.control.sealer import Sealer
from portineria.control.sinks.models import DeadLetter, Sink
from portineria.process.figures import counts
from tests.integration.control.sessions import started
from tests.integration.control.world import World
from tests.integration.scrape import documented


def told() -> dict[tuple[str, tuple[str, ...]], float]:
    found = {(sample.figure.name, sample.labels): sample.value for sample in figures.of_house()}
    assert {name for name, _ in found} <= documented().keys()
    return found


def test_the_house_is_told_in_numbers(linked: World) -> None:
    started(linked)
    sink = Sink.objects.create(
        organisation_id=linked.owner.memberships.get().organisation_id, name="SOC", kind="syslog"
    )
    Sink.objects.create(organisation_id=sink.organisation_id, name="of another release", kind="Press 3", failures=1)
    DeadLetter.objects.create(sink=sink, seq=1, why="no")
    Lead("worker", "somebody").take()
    found = told()
    assert found["portineria_sessions", ("opening",)] == found["portineria_gateways_linked", ()] == 1
    assert found["portineria_gateways", ("admitted",)] == 1
    assert found["portineria_access_requests_pending", ()] == 0
    assert found["portineria_duty_led", ("worker",)] == 1
    assert found["portineria_sinks", ("syslog", "delivering")] == found["portineria_sinks", ("other", "failing")] == 1
    assert found["portineria_sink_events_waiting", ("syslog",)] > 1
    assert found["portineria_sink_dead_letters", ("syslog",)] == 1
    assert found["portineria_register_events_unsealed", ()] > 1
    for organisation in unsealed():
        assert seal(organisation, Seal()) == 0
    assert told()["portineria_register_events_unsealed", ()] == 0


def written() -> float:
    read = {sample.labels: sample.value for sample in counts.read() if sample.figure is WRITTEN}
    return read.get(("identity.person.signed-out",), 0)


def test_an_event_counts_once_it_is_in_the_register(committed_world: World) -> None:
    who, before = committed_world.owner.public_id, written()
    with transaction.atomic():
        record("identity.person.signed-out", organisation=committed_world.organisation, actor=who, person=who)
        transaction.set_rollback(True)
    assert written() == before
    with transaction.atomic():
        record("identity.person.signed-out", organisation=committed_world.organisation, actor=who, person=who)
    assert written() == before + 1


def test_a_load_balancer_hears_each_cause_and_no_more(db: None) -> None:
    anybody, sealer = Client(), Sealer()
    try:
        readiness.attach("sealer", lambda: sealer.working)
        readiness.attach("bus", lambda: False)
        answer = anybody.get("/health/")
        assert (answer.status_code, answer.content) == (200, b"bus\n")  # pages are shown without it
        assert told()["portineria_condition", ("sealer",)] == 1
        assert told()["portineria_condition", ("bus",)] == 0
        sealer._refused["org"] = "does not fit"
        assert anybody.get("/health/").content == b"sealer\nbus\n"
    finally:
        readiness.detach()
    answer = anybody.get("/health/")
    assert (answer.status_code, answer.content) == (200, b"ok\n")


def test_a_process_lives_while_its_database_is_away(transactional_db: None) -> None:
    class Away:
        def __call__(self, *_: object) -> object:
            raise DatabaseError("away")

    with connection.execute_wrapper(Away()):
        assert Client().get("/health/live/").status_code == 200
        assert readiness.causes() == ["database"]
        answer = Client().get("/health/")
        assert (answer.status_code, answer.content) == (503, b"database\n")
        assert {name for name, _ in told()} == {"portineria_condition"}
