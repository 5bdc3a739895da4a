# SPDX-License-Identifier: Apache-2.0
"""What only the test of every page needs: one of each thing that has an address, beside what journeys work with."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet
from django.utils import timezone

from portineria.control.access import emergency
from portineria.control.access import services as access
from portineria.control.access.company_devices import add_company_device
from portineria.control.access.extending import ask_for_more
from portineria.control.access.jobs import File, write
from portineria.control.access.models import EmergencyReview, Lock, Maintenance, Signal
from portineria.control.access.rules import Conditions
from portineria.control.access.substitution import Substitution
from portineria.control.access.trainings import publish_training
from portineria.control.estate.models import Service
from portineria.control.identity import groups, resolving
from portineria.control.identity import services as identity
from portineria.control.identity.authority import Operator
from portineria.control.identity.delegating import delegate
from portineria.control.identity.delegation_models import Power
from portineria.control.identity.inside import acting
from portineria.control.identity.models import Person, Role
from portineria.control.identity.saved_searches import save_search
from portineria.control.notification.queries import notifications
from portineria.control.privacy.services import publish_notice
from portineria.control.remote_sessions.models import HeldOperation, Recording
from portineria.control.sinks.services import add_sink
from tests.browser.world_names import PROVIDERS, READ

if TYPE_CHECKING:
    from tests.browser.world import Maker


def rest(maker: Maker) -> None:
    made(maker)
    asked(maker)
    found(maker)
    travellers(maker)


def made(maker: Maker) -> None:
    ids = maker.world.ids
    here: dict[str, Any] = {"actor": maker.owner, "organisation": maker.organisation}
    ids["sink"] = add_sink(
        **here, name="SIEM", kind="syslog", settings={"host": "192.0.2.1", "port": "514", "transport": "tcp"}
    ).public_id
    ids["group"] = groups.create_group(**here, name="Night shift").public_id
    ids["search"] = save_search(**here, name="Accesses", query="code=access.", shared=True).public_id
    read_before_work(maker)
    ids["company_device"] = add_company_device(
        **here, person=maker.technician.public_id, name="LAPTOP-7", key=bytes(32), days=30
    ).public_id
    watcher = Person.objects.get(public_id=ids["watcher"])
    for plant in (ids["north"], ids["east"]):  # one to use, one to look at
        ids["role"] = emergency.give_role(**here, person=watcher.public_id, plant=plant).public_id
    emergency.break_glass(actor=watcher, machine=ids["robot"], reason="Robot holds somebody's sleeve")
    ids["review"] = EmergencyReview.objects.get().public_id
    maker.person("keys", Role.TECHNICIAN, ids["presses"])
    analyst = Person.objects.get(email="analyst-en@watchful.test")
    ids["watchful"] = analyst.memberships.get().organisation.public_id
    publish_notice(actor=analyst, organisation=ids["watchful"])


def read_before_work(maker: Maker) -> None:
    """A machine that opens without anybody's yes, to whoever has read something first."""
    ids = maker.world.ids
    here: dict[str, Any] = {"actor": maker.owner, "organisation": maker.organisation}
    ids["training"] = publish_training(
        **here, name="Safety", words={language: (text, "") for language, text in READ.items()}, days=365
    ).training.public_id
    ids["press6"] = maker.machine("north", "Press 6", "PR-0006", "normal")
    access.create_rule(
        **here, supplier=ids["presses"], machines=[ids["press6"]], max_minutes=240, needs_approval=False,
        conditions=Conditions(trainings=(ids["training"],)),
    )  # fmt: skip


def asked(maker: Maker) -> None:
    ids = maker.world.ids
    ids["extension"] = ask_for_more(
        actor=maker.technician, grant=ids["grant"], minutes=5, reason="The seal does not come off"
    ).public_id
    ids["entry"] = write(actor=maker.owner, request=ids["request"], file=File("plan.txt", b"x")).public_id
    analyst = acting(Person.objects.get(email="analyst-en@watchful.test"), maker.organisation)
    assert analyst is not None
    ids["pseudonym"] = analyst.public_id
    ids["question"] = resolving.ask(
        actor=maker.owner, delegation=ids["delegation"], analyst=analyst.public_id, reason="Who was it?"
    ).public_id


def found(maker: Maker) -> None:
    ids = maker.world.ids
    first: dict[str, QuerySet[Any]] = {
        "lock": Lock.objects.holding(), "maintenance": Maintenance.objects.holding(timezone.now()),
        "signal": Signal.objects.standing(), "held": HeldOperation.objects.waiting(timezone.now()),
        "substitution": Substitution.objects.all(), "recording": Recording.objects.all(),
        "notification": notifications(maker.owner),
        "service": Service.objects.filter(device__machine__public_id=ids["press4"]),
    }  # fmt: skip
    for name, rows in first.items():
        row = rows.order_by("pk").first()
        assert row is not None, name
        ids[name] = row.public_id


def travellers(maker: Maker) -> None:
    """Who goes the main way in each language; whoever approves on a telephone; a provider that has to leave."""
    ids = maker.world.ids
    for language in ("en", "it", "ja"):
        maker.person(f"newcomer-{language}", Role.TECHNICIAN, ids["presses"], language)
        maker.person(f"approver-{language}", Role.APPROVER, language=language)
    keys = Person.objects.get(public_id=ids["keys"])
    newcomer = Person.objects.get(public_id=ids["newcomer-it"])
    ids["waiting-refused"] = access.make_request(
        actor=newcomer, machine=ids["robot"], reason="Commessa 4741", minutes=60
    ).public_id
    work: dict[str, Any] = {"actor": keys, "reason": "Order 4740", "minutes": 60}
    ids["waiting-phone"] = access.make_request(**work, machine=ids["press3"]).public_id
    for day, (language, name) in enumerate(PROVIDERS.items(), start=1):
        ids[f"waiting-provider-{language}"] = access.make_request(
            **work, machine=ids["press4"], starts_at=timezone.now() + timedelta(days=day)
        ).public_id
        made = identity.create_organisation(actor=Operator(), name=name).public_id
        person = identity.create_person(
            actor=Operator(), organisation=made, name="Analyst", email=f"nightwatch-{language}@nightwatch.test",
            role=Role.ADMINISTRATOR, language=language, time_zone="Europe/Rome",
        )  # fmt: skip
        maker.account(f"nightwatch-{language}", person)
        ids[f"nightwatch-delegation-{language}"] = delegate(
            actor=maker.owner, organisation=maker.organisation, provider=made, powers=list(Power)
        ).public_id
