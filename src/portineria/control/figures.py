# SPDX-License-Identifier: Apache-2.0
"""What the control plane tells of itself in numbers: of this process, and of the whole house from its database."""

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.db import DatabaseError
from django.db.models import Count, Max, OuterRef, Subquery, Value
from django.db.models.functions import Coalesce, Now

from portineria.control import readiness
from portineria.control.access.models import AccessRequest, RequestState
from portineria.control.audit.models import Checkpoint, Head
from portineria.control.audit.services import WRITTEN
from portineria.control.estate.models import Gateway, GatewayState, Link
from portineria.control.identity.models import LeadRow
from portineria.control.own_connection import given_back
from portineria.control.remote_sessions.models import Session, SessionState
from portineria.control.sinks.models import DeadLetter, Sink
from portineria.process.figures import OTHER, Figure, Sample, counts
from portineria.sinks.catalogue import kind_of

RESPONSES = Figure(
    "portineria_http_responses_total", "Answers of console and API, by method and status.", ("method", "status")
)
RESPONSE_SECONDS = Figure(
    "portineria_http_response_seconds_total",
    "Seconds until those answers began, together: divided by their number, how long one takes.",
    ("method", "status"),
)
SESSIONS = Figure("portineria_sessions", "Sessions that are not over, by state.", ("state",))
REQUESTS = Figure("portineria_access_requests_pending", "Requests that nobody decided yet.")
GATEWAYS = Figure("portineria_gateways", "Gateways by state.", ("state",))
LINKED = Figure("portineria_gateways_linked", "Gateways that have a link to a relay now.")
UNSEALED = Figure("portineria_register_events_unsealed", "Events of all registers that no checkpoint covers yet.")
LED = Figure("portineria_duty_led", "1 while some process leads this duty of several processes, else 0.", ("duty",))
SINKS = Figure("portineria_sinks", "Sinks by kind and state: delivering, failing, paused.", ("kind", "state"))
SINK_WAITING = Figure(
    "portineria_sink_events_waiting", "Events that sinks of this kind have not been brought yet.", ("kind",)
)
SINK_DEAD = Figure("portineria_sink_dead_letters", "Events that a receiver of this kind refused for good.", ("kind",))
OF_PROCESS = (WRITTEN, RESPONSES, RESPONSE_SECONDS, readiness.CONDITION)
OF_HOUSE = (
    SESSIONS, REQUESTS, GATEWAYS, LINKED, UNSEALED, LED, SINKS, SINK_WAITING, SINK_DEAD,
)  # fmt: skip
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


def of_process() -> list[Sample]:
    return given_back(readiness.samples)()


def of_house() -> list[Sample]:
    """And of the process. Without the database only what is known without it."""
    return given_back(_of_house)()


def _of_house() -> list[Sample]:
    found = readiness.samples()
    try:
        return [*found, *_sessions(), *_estate(), *_register(), *_sinks()]
    except DatabaseError:
        return found


def _sessions() -> Iterator[Sample]:
    rows = Session.objects.open().order_by().values_list("state").annotate(Count("pk"))
    number = dict(rows)
    yield from (SESSIONS.of(number.get(state, 0), state) for state in SessionState if state != SessionState.ENDED)
    yield REQUESTS.of(AccessRequest.objects.filter(state=RequestState.PENDING).count())


def _estate() -> Iterator[Sample]:
    number = dict(Gateway.objects.order_by().values_list("state").annotate(Count("pk")))
    yield from (GATEWAYS.of(number.get(state, 0), state) for state in GatewayState)
    yield LINKED.of(Link.objects.order_by().values("gateway").distinct().count())
    leads = LeadRow.objects.annotate(now=Now()).order_by("duty")  # by the clock of the database, as they are held
    for duty, until, now in leads.values_list("duty", "until", "now"):
        yield LED.of(until > now, duty)


def _register() -> Iterator[Sample]:
    sizes = Checkpoint.objects.filter(organisation=OuterRef("organisation")).order_by().values("organisation")
    newest = Coalesce(Subquery(sizes.annotate(newest=Max("size")).values("newest")), Value(0))
    heads = Head.objects.annotate(newest=newest).order_by("organisation").values_list("seq", "newest")
    yield UNSEALED.of(sum(max(seq - sealed, 0) for seq, sealed in heads))


def _sinks() -> Iterator[Sample]:
    newest = Head.objects.filter(organisation=OuterRef("organisation__public_id")).values("seq")[:1]
    states, waiting = Counter[tuple[str, str]](), Counter[str]()
    rows = Sink.objects.annotate(written=Coalesce(Subquery(newest), Value(0))).order_by("pk")
    for name, written, delivered, paused, failures in rows.values_list(
        "kind", "written", "delivered", "paused_at", "failures"
    ):
        kind = name if kind_of(name) else OTHER  # of another release
        states[kind, "paused" if paused else "failing" if failures else "delivering"] += 1
        waiting[kind] += max(written - delivered, 0)
    yield from (SINKS.of(number, *labels) for labels, number in sorted(states.items()))
    yield from (SINK_WAITING.of(number, kind) for kind, number in sorted(waiting.items()))
    dead = DeadLetter.objects.order_by().values_list("sink__kind").annotate(Count("pk"))
    letters = Counter[str]()
    for name, number in dead:
        letters[name if kind_of(name) else OTHER] += number
    yield from (SINK_DEAD.of(number, kind) for kind, number in sorted(letters.items()))


class CountAnswers:
    """Outermost of the web application. Until the answer begins: a page that stays open for news is no slow one."""

    def __init__(self, application: Any) -> None:
        self._application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        began = time.perf_counter()

        async def counted(message: Any) -> None:
            if message["type"] == "http.response.start":
                method = scope["method"] if scope["method"] in _METHODS else OTHER
                counts.add(RESPONSES, method, str(message["status"]))
                counts.add(RESPONSE_SECONDS, method, str(message["status"]), by=time.perf_counter() - began)
            await send(message)

        await self._application(scope, receive, counted)
