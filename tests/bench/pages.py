# SPDX-License-Identifier: Apache-2.0
"""Every page of the console, asked by an owner and by a supplier's technician through Django's whole stack."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth import get_user_model
from django.test import Client

from portineria.control.access.models import AccessRequest, Grant, Rule
from portineria.control.estate.models import Gateway
from portineria.control.identity.models import Membership, Person, Role
from portineria.control.remote_sessions.models import Session

_BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


def _browser(person: Person) -> Client:
    client = Client(HTTP_HOST="localhost")
    client.force_login(person, backend=_BACKEND)
    return client


def _ask(client: Client, address: str) -> Callable[[], object]:
    def ask() -> object:
        answer: Any = client.get(address)
        if answer.status_code != 200:
            raise RuntimeError(f"{address} answered {answer.status_code}")
        return answer

    return ask


def pages() -> dict[str, Callable[[], object]]:
    """Name → ask for it once more."""
    owner = Membership.objects.filter(role=Role.ADMINISTRATOR).order_by("pk").select_related("person")[0]
    live = Grant.objects.filter(organisation=owner.organisation, sessions__state="live").select_related("person")[0]
    asked = {("owner", address): _browser_of(owner.person) for address in _owners(owner)}
    asked |= {("technician", address): _browser_of(live.person) for address in _technicians(live)}
    return {f"{who} {_short(address)}": _ask(client, address) for (who, address), client in asked.items()}


_browsers: dict[int, Client] = {}


def _browser_of(person: Person) -> Client:
    if person.pk not in _browsers:
        _browsers[person.pk] = _browser(get_user_model().objects.get(pk=person.pk))
    return _browsers[person.pk]


def _short(address: str) -> str:
    return "/".join(part.partition("_")[0] + "_" if "_" in part and "?" not in part else part
                    for part in address.split("/"))  # fmt: skip


def _owners(owner: Membership) -> list[str]:
    here = {"organisation": owner.organisation}
    ended = Session.objects.filter(**here, state="ended").order_by("-pk")[50].public_id
    live = Session.objects.filter(**here, state="live")[0]
    waits = AccessRequest.objects.filter(**here, state="pending").exclude(person=owner.person)[0].public_id
    gateway = Gateway.objects.filter(plant__organisation=owner.organisation, state="admitted")[0].public_id
    member = Membership.objects.filter(**here, supplier__isnull=False).select_related("person", "supplier")[1000]
    assert member.supplier is not None
    rule = Rule.objects.filter(**here, supplier=member.supplier)[0]
    person = f"/people/{owner.organisation.public_id}/{member.person.public_id}"
    return [
        "/", "/machines/", "/machines/?page=180", "/machines/?q=press", "/machines/?sort=-tag",
        f"/machines/{live.machine.public_id}/", "/requests/", f"/requests/{waits}/", f"/requests/{waits}/refuse/",
        f"/requests/{live.grant.request.public_id}/", "/approvals/", "/approvals/?page=700",
        f"/grants/{live.grant.public_id}/extend/", f"/grants/{live.grant.public_id}/revoke/", "/sessions/",
        "/sessions/?page=1800", f"/sessions/{ended}/", f"/sessions/{live.public_id}/",
        f"/sessions/{live.public_id}/cut/", f"/sessions/{live.public_id}/end/",
        f"/sessions/{live.public_id}/lock-person/", f"/sessions/{live.public_id}/lock-supplier/", "/gateways/",
        "/gateways/?sort=state", "/gateways/add/", f"/gateways/{gateway}/", f"/gateways/{gateway}/revoke/", "/people/",
        "/people/?page=1900", "/people/?q=049&suppliers=2", f"{person}/lock/",
        f"/suppliers/{member.supplier.public_id}/lock/", "/events/", "/events/?code=access.",
        f"/events/?about={gateway}", "/account/", "/rules/", f"/rules/{rule.public_id}/",
        f"/rules/{rule.public_id}/change/", "/rules/add/", f"/machines/{live.machine.public_id}/who/",
        f"{person}/reach/", "/groups/", "/locks/", "/trainings/", "/lists/", "/lists/reachable/", "/lists/accesses/",
        "/approvals/substitutes/", "/delegations/", "/emergencies/", "/emergencies/give/", "/events/?q=press",
        "/events/?person=a", "/locks/add/", "/machines/add/", f"/machines/{live.machine.public_id}/answering/",
        f"/machines/{live.machine.public_id}/services/add/", "/notifications/", "/people/unused/", "/plants/",
        f"/plants/{live.machine.plant.public_id}/", "/plants/add/", "/privacy/", "/program-contents/", "/providers/",
        "/reasons/", "/rules/simulate/", "/service-accounts/", f"/sessions/{ended}/report/", "/sinks/",
        f"/suppliers/{member.supplier.public_id}/",
    ]  # fmt: skip


def _technicians(grant: Grant) -> list[str]:
    session = Session.objects.filter(grant=grant, state="live")[0].public_id
    request = grant.request.public_id
    machine = grant.machine.public_id
    return [
        "/", "/machines/", "/machines/?q=press", f"/machines/{machine}/", f"/machines/{machine}/ask/", "/requests/",
        f"/requests/{request}/", "/sessions/", f"/sessions/{session}/", "/account/", "/work/",
    ]  # fmt: skip
