# SPDX-License-Identifier: Apache-2.0
"""A provider with two people, to whom the owner's plant delegates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.test import Client

from portineria.control.identity import delegating
from portineria.control.identity import services as identity
from portineria.control.identity.authority import Operator
from portineria.control.identity.delegation_models import Delegation, Power
from portineria.control.identity.inside import acting
from portineria.control.identity.models import Organisation, Person, Role
from tests.integration.control.world import World, fresh, person

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


@dataclass
class Provider:
    organisation: str
    watcher: Person  # approves there
    second: Person  # looks only

    def of(self, world: World, powers: Iterable[Power] = Power, *, hours: int = 0) -> Delegation:
        return delegating.delegate(
            actor=fresh(world.owner), organisation=world.organisation, provider=self.organisation, powers=powers,
            incident_hours=hours,
        )  # fmt: skip

    def browser(self, who: Person | None = None) -> Client:
        client = Client(HTTP_HOST="localhost")
        client.force_login(who or self.watcher, backend=BACKEND)
        client.get("/account/")
        return client

    def inside(self, world: World, who: Person | None = None) -> Client:
        client = self.browser(who)
        assert client.post(f"/customers/{world.organisation}/enter/").status_code == 302
        return client

    def analyst(self, world: World, who: Person | None = None) -> Person:
        """As whom they act now; whoever was inside before."""
        found = acting(fresh(who or self.watcher), world.organisation)
        assert found is not None
        return found


def provider(name: str = "Watchful Ltd") -> Provider:
    made = identity.create_organisation(actor=Operator(), name=name).public_id
    tag = name.split()[0].lower()
    return Provider(
        made, person(f"{tag}-watcher", made, Role.ADMINISTRATOR), person(f"{tag}-second", made, Role.OPERATOR)
    )


def organisation(public_id: str) -> Organisation:
    return Organisation.objects.get(public_id=public_id)
