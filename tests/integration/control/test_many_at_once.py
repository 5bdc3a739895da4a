# SPDX-License-Identifier: Apache-2.0
"""Eight people ask for pages while sessions are opened and the timer runs: SQLite has one writer, nobody notices."""

from __future__ import annotations

import threading
from collections.abc import Callable

from django.db import connection, connections
from django.utils import timezone

from portineria.control.access.closing import expire_requests, lapse_requests
from portineria.control.access.models import Grant
from portineria.control.audit.verification import verify_chain
from portineria.control.identity.models import Person
from portineria.control.remote_sessions.models import Session
from portineria.control.remote_sessions.services import enforce, start_session
from portineria.control.statistics import refresh_statistics
from tests.integration.control.browsing import signed_in
from tests.integration.control.crowd import crowd
from tests.integration.control.sessions import session_key
from tests.integration.control.world import World, fresh

READERS, TURNS, OPENED = 8, 6, 8
PAGES = ("/", "/machines/", "/sessions/", "/account/", "/machines/?q=mill", "/sessions/?page=2")


def together(*works: Callable[[], None]) -> list[BaseException]:
    """Each in its own thread with its own connection; what they raised."""
    raised: list[BaseException] = []
    begin = threading.Barrier(len(works))

    def run(work: Callable[[], None]) -> None:
        try:
            begin.wait(10)
            work()
        except BaseException as error:  # noqa: BLE001  # the test's own thread reads what it was
            raised.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not any(thread.is_alive() for thread in threads)
    return raised


def test_pages_are_answered_while_sessions_are_opened(committed_world: World) -> None:
    world = committed_world
    world.link()
    crowd(world, 60)
    Session.objects.all().delete()  # of the crowd: nobody signed an order for them, and the timer reads orders
    answers: list[tuple[str, int]] = []

    def read(person: Person) -> Callable[[], None]:
        def pages() -> None:
            browser = signed_in(fresh(person))
            for turn in range(TURNS):
                address = PAGES[turn % len(PAGES)]
                answers.append((address, browser.get(address).status_code))

        return pages

    own = Grant.objects.filter(person=world.technician).select_related("machine").order_by("pk")
    machines = [grant.machine.public_id for grant in own]
    assert len(machines) >= OPENED

    def open_sessions() -> None:
        for machine in machines[:OPENED]:
            start_session(actor=fresh(world.technician), machine=machine, key=session_key(), address="192.0.2.7")

    def tick() -> None:
        for _ in range(TURNS):
            expire_requests(timezone.now())
            lapse_requests(timezone.now())
            enforce(timezone.now())
        refresh_statistics()

    before = Session.objects.count()
    readers = [read(person) for person in (world.owner, world.technician) for _ in range(READERS // 2)]
    assert together(*readers, open_sessions, tick) == []
    assert Session.objects.count() == before + OPENED
    assert len(answers) == READERS * TURNS
    assert {status for _, status in answers} == {200}, sorted({pair for pair in answers if pair[1] != 200})
    assert verify_chain(world.organisation) > 0
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA journal_mode")
            assert cursor.fetchone() == ("wal",)
