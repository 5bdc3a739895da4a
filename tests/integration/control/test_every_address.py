# SPDX-License-Identifier: Apache-2.0
"""Every address of console and API, for everybody: what one may not see is answered like what does not exist.

The addresses are those of the URL configuration; one that is new is tried without anybody thinking of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from portineria.control.access import emergency, locks
from portineria.control.access import services as access
from portineria.control.access.company_devices import add_company_device
from portineria.control.access.extending import ask_for_more
from portineria.control.access.jobs import File, write
from portineria.control.access.maintaining import begin_maintenance
from portineria.control.access.models import EmergencyReview
from portineria.control.access.signals import Where, add_signal
from portineria.control.access.trainings import publish_training
from portineria.control.api import api
from portineria.control.estate.models import Service
from portineria.control.identity import delegating, groups, resolving, unused
from portineria.control.identity.closing_models import ClosedWhy
from portineria.control.identity.delegation_models import Power
from portineria.control.identity.entering import enter
from portineria.control.identity.models import Organisation, Person, Role
from portineria.control.identity.provider_models import IdentityProvider
from portineria.control.identity.saved_searches import save_search
from portineria.control.notification.collecting import collect
from portineria.control.notification.queries import notifications
from portineria.control.remote_sessions.models import DirectoryEnd
from portineria.control.sinks.services import add_sink
from portineria.policy.ending import Locked
from tests.integration.control.calling import Program
from tests.integration.control.counting import Counted
from tests.integration.control.delegated import Provider, provider
from tests.integration.control.looking import may_look
from tests.integration.control.test_agents import AgentEnd
from tests.integration.control.test_held import held_in
from tests.integration.control.test_recordings import brought, recorded
from tests.integration.control.test_sight import session_key
from tests.integration.control.test_substitutes import stand_in
from tests.integration.control.world import ConnectorEnd, World, person
from tests.unit.recording.recorded import ABOUT

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
ABSENT = "aaaaaaaaaaaaaaaa"
FORM = {"reason": "x", "minutes": "30", "ending": "security", "compared": "on", "name": "x"}
PLACE = re.compile(r"<(?:str:|int:)?(\w+)>|\{(\w+)\}")
# For people themselves, or for programs that prove themselves otherwise.
NO_THING_OF_OTHERS = (
    "accounts/",
    "^accounts/",
    "connect/",
    "api/",
    "account/offers",
    "account/connectors",
    "account/providers",
    "witness/",
    "scim/",  # for directories: tests/integration/control/test_scim.py
    "notices/",  # for every member of the organisation: tests/integration/control/test_notices.py
)


@dataclass(frozen=True)
class Things:
    machine: str
    request: str
    grant: str
    session: str
    gateway: str
    organisation: str
    person: str
    supplier: str
    rule: str = f"rul_{ABSENT}"
    lock: str = f"lck_{ABSENT}"
    seq: str = "1"
    sink: str = f"snk_{ABSENT}"
    held: str = f"hld_{ABSENT}"
    number: str = "1"
    playback: str = f"plb_{ABSENT}"
    recording: str = ABOUT.recording
    account: str = f"per_{ABSENT}"
    plant: str = f"pla_{ABSENT}"
    token: str = f"tok_{ABSENT}"
    provider: str = f"idp_{ABSENT}"
    domain: str = "plant.example"
    review: str = f"rvw_{ABSENT}"
    role: str = f"rul_{ABSENT}"
    notification: str = f"ntf_{ABSENT}"
    substitution: str = f"sbs_{ABSENT}"
    entry: str = f"job_{ABSENT}"
    service: str = f"srv_{ABSENT}"
    delegation: str = f"dlg_{ABSENT}"
    question: str = f"nmq_{ABSENT}"
    analyst: str = f"per_{ABSENT}"
    customer: str = f"org_{ABSENT}"
    search: str = f"srh_{ABSENT}"
    maintenance: str = f"mtn_{ABSENT}"
    signal: str = f"sgl_{ABSENT}"
    group: str = f"grp_{ABSENT}"
    training: str = f"trn_{ABSENT}"
    company_device: str = f"cdv_{ABSENT}"
    directory_end: str = f"den_{ABSENT}"
    extension: str = f"ext_{ABSENT}"
    closed: str = f"per_{ABSENT}"


@pytest.fixture
def watchful(world: World) -> Provider:
    """To whom the owner delegates everything."""
    made = provider()
    made.of(world)
    return made


@pytest.fixture
def things(world: World, watchful: Provider) -> Things:
    from portineria.control.remote_sessions.services import start_session

    world.link()
    request = world.request()
    grant = access.approve(actor=world.owner, request=request).public_id
    row = start_session(actor=world.technician, machine=world.machine.public_id, key=session_key(), address="").session
    sink = add_sink(
        actor=world.owner, organisation=world.organisation, name="SIEM", kind="syslog",
        settings={"host": "192.0.2.1", "port": "514", "transport": "tcp"},
    ).public_id  # fmt: skip
    brought(world, recorded(world, row), 1)
    program = Program(world)
    return Things(
        world.machine.public_id, request, grant, row.public_id, world.gateway.id,
        world.organisation, world.technician.public_id, world.supplier, world.rule, lifted_lock(world),
        sink=sink, held=held_in(world, row).public_id, account=program.account.public_id,
        token=program.row.public_id, plant=world.plant, provider=provider_of(world),
        notification=told_to_the_owner(world), search=saved(world),
        entry=write(actor=world.owner, request=request, file=File("x", b"x")).public_id,
        substitution=stand_in(world, world.owner, world.operator).public_id,
        group=groups.create_group(actor=world.owner, organisation=world.organisation, name="Night").public_id,
        playback=may_look(world, world.owner, row).public_id,
        service=Service.objects.filter(device__machine=world.machine).order_by("pk")[0].public_id,
        company_device=add_company_device(
            actor=world.owner, organisation=world.organisation, person=world.technician.public_id, name="x",
            key=bytes(32), days=1,
        ).public_id,
        training=publish_training(
            actor=world.owner, organisation=world.organisation, name="Safety", words={"en": ("Read.", "")}
        ).training.public_id,
        maintenance=in_maintenance(world), signal=signal_of(world), directory_end=taken_out(world),
        extension=ask_for_more(actor=world.technician, grant=grant, minutes=5, reason="x").public_id,
        closed=closed_by_itself(world), **opened_in_an_emergency(world), **delegated_by(world, watchful),
    )  # fmt: skip


def delegated_by(world: World, watchful: Provider) -> dict[str, str]:
    delegation = enter(actor=watchful.watcher, customer=world.organisation).public_id
    analyst = watchful.analyst(world).public_id
    question = resolving.ask(actor=world.owner, delegation=delegation, analyst=analyst, reason="x").public_id
    return {"delegation": delegation, "question": question, "analyst": analyst, "customer": world.organisation}


def provider_of(world: World) -> str:
    owner = Organisation.objects.get(public_id=world.organisation)
    made = IdentityProvider.objects.create(
        organisation=owner, kind="openid", name="SSO", issuer="https://login.example",
        settings={"address": "https://login.example", "client_id": "x", "scopes": "openid"},
    )  # fmt: skip
    return made.public_id


def opened_in_an_emergency(world: World) -> dict[str, str]:
    role = emergency.give_role(
        actor=world.owner, organisation=world.organisation, person=world.operator.public_id, plant=world.plant
    )
    emergency.break_glass(actor=world.operator, machine=world.rivals_machine.public_id, reason="x")
    return {"role": role.public_id, "review": EmergencyReview.objects.get().public_id}


def saved(world: World) -> str:
    return save_search(
        actor=world.owner, organisation=world.organisation, name="x", query="code=access.", shared=True
    ).public_id  # fmt: skip


def told_to_the_owner(world: World) -> str:
    collect(world.organisation, timezone.now(), mail=False)
    return notifications(world.owner)[0].public_id


def lifted_lock(world: World) -> str:
    row = locks.lock(
        actor=world.owner, organisation=world.organisation, kind=Locked.MACHINE, thing=world.machine.public_id,
        reason="x",
    )  # fmt: skip
    return locks.lift(actor=world.owner, lock=row.public_id, reason="x").public_id


def in_maintenance(world: World) -> str:
    return begin_maintenance(
        actor=world.operator, organisation=world.organisation, machine=world.machine.public_id, reason="x"
    ).public_id


def taken_out(world: World) -> str:
    owner = Organisation.objects.get(public_id=world.organisation)
    return DirectoryEnd.objects.create(organisation=owner, ends_at=timezone.now() + timedelta(minutes=5)).public_id


def closed_by_itself(world: World) -> str:
    somebody = person("somebody", world.organisation, Role.OPERATOR)
    unused.close(somebody.memberships.get(), ClosedWhy.UNUSED, timezone.now())
    return somebody.public_id


def signal_of(world: World) -> str:
    return add_signal(
        actor=world.owner, organisation=world.organisation, machine=world.machine.public_id, kind="key", name="Key",
        where=Where("file", place="key"),
    ).public_id  # fmt: skip


NOWHERE = Things(
    f"mac_{ABSENT}", f"req_{ABSENT}", f"grt_{ABSENT}", f"ses_{ABSENT}", f"gw_{ABSENT}",
    f"org_{ABSENT}", f"per_{ABSENT}", f"sup_{ABSENT}", f"rul_{ABSENT}", f"lck_{ABSENT}",
)  # fmt: skip


def routes(patterns: list[Any], before: str = "") -> Iterator[str]:
    for pattern in patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern):
            yield route


PAGES = sorted(route for route in routes(get_resolver().url_patterns) if not route.startswith(NO_THING_OF_OTHERS))
OF_THINGS = [route for route in PAGES if PLACE.search(route)]
OPERATIONS = sorted(
    (method, path)
    for path, item in api.get_openapi_schema()["paths"].items()
    for method in item
    if PLACE.search(path) and "/connector/" not in path and "/gateways/" not in path
)


# Whoever asks these is not known yet, and proves something else.
WITHOUT_TOKEN = {
    "/api/v1/connector/token", "/api/v1/gateways/enrol", "/api/v1/gateways/introduce", "/api/v1/gateways/certificate",
    "/api/v1/gateways/recordings",
}  # fmt: skip


def filled(route: str, things: Things) -> str:
    """The ids that stand there, by the name of their place, or by the kind of thing the address begins with."""
    kinds = ("machine", "request", "grant", "session", "gateway")

    def thing(place: re.Match[str]) -> str:
        name = place[1] or place[2]
        return str(getattr(things, name, "") or getattr(things, next(kind for kind in kinds if f"{kind}s/" in route)))

    return "/" + PLACE.sub(thing, route).lstrip("/")


def browser(person: Person | None) -> Client:
    client = Client(HTTP_HOST="localhost")
    if person is not None:
        client.force_login(person, backend=BACKEND)
        client.get("/account/")  # what is only done with the first request of a browser is done
    return client


def told(answer: Any, ids: Things) -> tuple[int, bytes]:
    """Status and body without what differs in every answer: tokens against forgery, times, the id that was asked."""
    body = re.sub(rb'csrfmiddlewaretoken" value="[^"]+|"token": ?"[^"]+|nonce-[^"]+', b"", answer.content)
    body = re.sub(rb'data-now="[^"]+"|\d\d:\d\d:\d\d[^"<]*', b"", body)
    for known in astuple(ids):
        body = body.replace(known.encode(), b"ID")
    return answer.status_code, body


def asked(client: Client, method: str, route: str, ids: Things) -> tuple[int, bytes, int]:
    if cookie := client.cookies.get(settings.SESSION_COOKIE_NAME):  # a slow walk takes over a minute: it was seen now
        cache.touch(f"browser-{cookie.value}", 60)
    with Counted() as queries:
        address = filled(route, ids)
        answer = client.get(address) if method == "get" else client.post(address, FORM)
    return (*told(answer, ids), len(queries))


# A provider's people come here from outside: to step inside, to declare an incident, to give back what was delegated,
# to ask and answer who somebody is.
OF_THE_PROVIDER = {
    "customers/<str:customer>/enter/", "delegations/<str:delegation>/incident/",
    "delegations/<str:delegation>/ask/<str:analyst>/", "delegations/questions/<str:question>/",
    "delegations/<str:delegation>/decline/",
}  # fmt: skip


def unlike_what_does_not_exist(client: Client, things: Things) -> set[str]:
    """Addresses by whose answers one learns that something is there."""
    found = set()
    for route in [route for route in OF_THINGS if route not in OF_THE_PROVIDER]:
        for method in ("get", "post"):
            there, nowhere = asked(client, method, route, things), asked(client, method, route, NOWHERE)
            if there != nowhere or there[0] not in (404, 405):
                found.add(route)
    return found


@pytest.mark.sqlite
def test_a_provider_from_outside_or_inside_another_customer_learns_of_nothing(
    world: World, things: Things, watchful: Provider
) -> None:
    assert unlike_what_does_not_exist(watchful.browser(watchful.second), things) == set()
    other = world.stranger.memberships.get().organisation.public_id
    delegating.delegate(actor=world.stranger, organisation=other, provider=watchful.organisation, powers=Power)
    client = watchful.browser()
    client.post(f"/customers/{other}/enter/")
    assert unlike_what_does_not_exist(client, things) == set()


# What a customer can delegate, and nothing that is new before somebody wrote it down here.
TO_SEE_PLACES = {
    "events/<str:organisation>/<int:seq>/", "gateways/<str:public_id>/", "gateways/<str:public_id>/lock/",
    "locks/<str:lock>/lift/", "machines/<str:machine>/", "machines/<str:machine>/ask/",
    "machines/<str:machine>/emergency/", "machines/<str:machine>/lock/", "plants/<str:plant>/",
}  # fmt: skip
TO_SEE_WORK = {
    "extensions/<str:extension>/refuse/",
    "grants/<str:grant>/extend/", "grants/<str:grant>/revoke/", "requests/<str:public_id>/",
    "requests/<str:public_id>/files/<str:entry>/", "requests/<str:public_id>/refuse/", "sessions/<str:public_id>/",
    "sessions/<str:public_id>/cut/", "sessions/<str:public_id>/end/", "sessions/<str:public_id>/freeze/",
    "sessions/<str:public_id>/report/", "sessions/<str:public_id>/report/pdf/", "sessions/<str:public_id>/thaw/",
}  # fmt: skip


@pytest.mark.sqlite
def test_inside_a_customer_there_is_what_was_delegated_and_nothing_else(
    world: World, things: Things, watchful: Provider
) -> None:
    client = watchful.inside(world)
    for powers, addresses in (
        ([Power.ESTATE, Power.LOCK, Power.REGISTER], TO_SEE_PLACES), ([Power.WORK], TO_SEE_WORK),
    ):  # fmt: skip
        watchful.of(world, powers)
        found = {
            route for route in OF_THINGS
            if route not in OF_THE_PROVIDER and client.get(filled(route, things)).status_code not in (404, 405)
        }  # fmt: skip
        assert found == addresses


def test_there_are_addresses() -> None:
    assert len(OF_THINGS) >= 21
    assert len(OPERATIONS) >= 6


@pytest.mark.sqlite
@pytest.mark.parametrize("who", ["stranger", "rival", ""], ids=["stranger", "rival supplier", "anonymous"])
def test_pages_of_others_are_answered_like_those_that_do_not_exist(world: World, things: Things, who: str) -> None:
    client = browser(getattr(world, who) if who else None)
    for route in OF_THINGS:
        for method in ("get", "post"):
            there, nowhere = asked(client, method, route, things), asked(client, method, route, NOWHERE)
            assert there == nowhere, (method, route)
            assert there[0] in ((404, 405) if who else (302, 405)), (method, route)


@pytest.mark.sqlite
@pytest.mark.parametrize("who", ["stranger", "rival", "agent"])
def test_operations_on_what_others_have_are_answered_like_those_on_nothing(
    world: World, things: Things, who: str
) -> None:
    end = AgentEnd(world) if who == "agent" else ConnectorEnd(getattr(world, who))
    body = {"reason": "x", "machine": "x", "minutes": 5, "number": 1, "language": "en"}
    end.call("GET", "/me")
    for method, path in OPERATIONS:
        route = path.removeprefix("/api/v1")
        answers = []
        for ids in (things, NOWHERE):
            with Counted() as queries:
                answer = end.call(method.upper(), filled(route, ids), body if method != "get" else None)
            answers.append((*told(answer, ids), len(queries)))
        assert answers[0] == answers[1], (method, path)
        # What no program does at all is refused before anything is looked for.
        expected = 403 if who == "agent" and path.endswith("/trainings/{training}/confirm") else 404
        assert answers[0][0] == expected, (method, path)


def test_no_operation_answers_anybody_without_a_token(world: World, things: Things) -> None:
    found = {path: list(item) for path, item in api.get_openapi_schema()["paths"].items()}
    assert found.keys() >= WITHOUT_TOKEN
    client, answers = Client(), set()
    for path in found.keys() - WITHOUT_TOKEN:
        for method in found[path]:
            for ids in (things, NOWHERE):
                address = filled(path, ids) if PLACE.search(path) else path
                with Counted() as queries:
                    answer = client.generic(method.upper(), address, b"{}", content_type="application/json")
                assert (answer.status_code, len(queries)) == (401, 0), (method, path)
                answers.add(answer.content)
    assert len(answers) == 1


def test_the_owner_sees_every_page_and_the_supplier_s_technician_their_own(world: World, things: Things) -> None:
    owner, technician = browser(world.owner), browser(world.technician)
    for route in PAGES:
        address = filled(route, things) if PLACE.search(route) else f"/{route}"
        if address not in ("/live/", "/language/"):
            # 403: who owns a machine sees it and has no rule to ask for it, nor a role for emergencies.
            expected: tuple[int, ...] = (403,) if route.endswith(("/ask/", "machine>/emergency/")) else (200, 302, 405)
            # Of somebody without a rule of their own there is no work.
            # Nor has the owner customers.
            none = route in ("work/", "customers/") or route.endswith(("/incident/", "/decline/", "grant>/more/"))
            if route.startswith("delegations/questions/"):
                expected = (404,)  # the owner asked: the provider answers
            assert owner.get(address).status_code in ((404,) if none else expected), route
    for address in (f"/machines/{things.machine}/", f"/requests/{things.request}/", f"/sessions/{things.session}/"):
        assert technician.get(address).status_code == 200, address
    assert technician.get(f"/gateways/{things.gateway}/").status_code == 404


@pytest.mark.sqlite
@pytest.mark.parametrize(
    "route", [route for route in PAGES if route not in ("language/", "live/", "health/", "health/live/")]
)
def test_nobody_sees_a_page_without_signing_in(db: None, route: str) -> None:
    answer = browser(None).get(filled(route, NOWHERE) if PLACE.search(route) else f"/{route}")
    assert answer.status_code in (302, 405)
    if answer.status_code == 302:
        assert answer.headers["Location"].startswith("/accounts/login/")
