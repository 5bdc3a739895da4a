# SPDX-License-Identifier: Apache-2.0
"""A customer's directory brings people and groups through SCIM, takes them out at once, and sees nobody else's."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest
from allauth.socialaccount.models import SocialAccount
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from portineria.control.access import services as access
from portineria.control.audit.queries import events
from portineria.control.identity import groups, providers, vouching
from portineria.control.identity import services as identity
from portineria.control.identity.authority import Operator
from portineria.control.identity.claims import Refusal, Vouched
from portineria.control.identity.group_models import Group
from portineria.control.identity.models import Membership, Organisation, Person, Role
from portineria.control.identity.provider_models import IdentityProvider, ProviderDomain
from portineria.control.identity.service_accounts import Powers, issue_token, revoke_api_token
from portineria.control.identity.services import BadField
from portineria.control.remote_sessions.services import enforce
from portineria.control.scim import urls
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.calling import Program
from tests.integration.control.sessions import accepted, again, started
from tests.integration.control.world import ConnectorEnd, World, fresh

CORE = "urn:ietf:params:scim:schemas:core:2.0:"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


class Directory:
    def __init__(self, world: World) -> None:
        self.program, self.client = Program(world, Powers(provisions=True)), Client()

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        given = {"Authorization": f"Bearer {self.program.token}"} | headers
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return self.client.generic(
            method, f"/scim/v2/{path}", data, content_type="application/scim+json", headers=given
        )

    def patch(self, path: str, *operations: dict[str, Any]) -> Any:
        return self.call("PATCH", path, {"schemas": [PATCH], "Operations": list(operations)})

    def active(self, person: Person, active: Any) -> Any:
        return self.patch(f"Users/{person.public_id}", {"op": "Replace", "path": "active", "value": active})


def of_entra(email: str = "tina@plant.example") -> dict[str, Any]:
    """As Entra ID sends somebody by its default mapping; of that we keep four things."""
    return {
        "schemas": [f"{CORE}User", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
        "externalId": "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef", "userName": email, "active": True,
        "emails": [{"primary": True, "type": "work", "value": email}], "meta": {"resourceType": "User"},
        "name": {"formatted": "Tina Weber", "familyName": "Weber", "givenName": "Tina"}, "title": "Fitter",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "Presses"},
    }  # fmt: skip


def test_somebody_comes_works_and_is_out_at_once(linked: World) -> None:
    w, directory = linked, Directory(linked)
    made = directory.call("POST", "Users", of_entra())
    said = made.json()
    assert (made.status_code, made["Location"], made["ETag"]) == (
        201,
        said["meta"]["location"],
        said["meta"]["version"],
    )
    assert (said["userName"], said["displayName"], said["active"]) == ("tina@plant.example", "Tina Weber", True)
    assert "title" not in said
    tina = Person.objects.get(email="tina@plant.example")
    assert (tina.memberships.get().role, tina.has_usable_password()) == (Role.TECHNICIAN, False)
    found = directory.call("GET", 'Users?filter=userName+eq+"TINA@plant.example"').json()
    assert [one["id"] for one in found["Resources"]] == [tina.public_id]
    again_ = directory.call("POST", "Users", of_entra())
    assert (again_.status_code, again_.json()["scimType"]) == (409, "uniqueness")
    assert directory.call("GET", f"Users/{tina.public_id}", **{"If-None-Match": made["ETag"]}).status_code == 304
    stale = directory.call("PUT", f"Users/{tina.public_id}", of_entra(), **{"If-Match": 'W/"other"'})
    assert stale.status_code == 412
    # Somebody who was here by hand is closed by their directory like anybody else.
    w.grant()
    session = accepted(w, started(w))
    assert enforce(timezone.now()) == 0
    assert directory.active(w.technician, "False").json()["active"] is False
    assert enforce(timezone.now()) == 1
    assert (again(session).ending_class, again(session).end_why) == ("security", "person-disabled")
    assert directory.active(w.technician, True).json()["active"] is True
    assert fresh(w.technician).enabled
    forgotten = [
        {"op": "Add", "path": 'emails[type eq "work"].value', "value": "x@plant.example"},
        {
            "op": "Replace",
            "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
            "value": "x",
        },
    ]
    assert directory.patch(f"Users/{tina.public_id}", *forgotten).json()["displayName"] == "Tina Weber"
    renamed = {"op": "replace", "value": {"displayName": "Tina W.", "userName": "tw@plant.example"}}
    assert directory.patch(f"Users/{tina.public_id}", renamed).json()["userName"] == "tw@plant.example"
    # Their own name is theirs: the directory did not make that account.
    assert directory.patch(f"Users/{w.technician.public_id}", renamed).json()["displayName"] == "Technician"
    assert directory.call("DELETE", f"Users/{tina.public_id}").status_code == 204
    assert directory.call("GET", f"Users/{tina.public_id}").status_code == 404
    assert not fresh(tina).enabled
    assert directory.call("POST", "Users", of_entra("tw@plant.example")).json()["id"] == tina.public_id
    directory.call("DELETE", f"Users/{tina.public_id}")
    identity.erase_person(actor=w.owner, person=tina.public_id)
    assert not tina.directory.exists()
    assert directory.call("POST", "Users", of_entra("tw@plant.example")).json()["id"] != tina.public_id
    codes = [event.code for event in events(w.owner)[:40]]
    assert {"identity.person.created", "identity.person.disabled", "identity.directory.renamed"} <= set(codes)
    assert codes.count("identity.api-token.acted") >= 8


def test_what_somebody_here_closed_no_directory_opens(linked: World) -> None:
    w, directory = linked, Directory(linked)
    identity.set_person_enabled(actor=w.owner, person=w.technician.public_id, enabled=False, reason="x")
    assert directory.active(w.technician, True).json()["active"] is False
    assert not fresh(w.technician).enabled
    identity.set_person_enabled(actor=w.owner, person=w.technician.public_id, enabled=True, reason="x")
    directory.active(w.technician, False)
    identity.set_person_enabled(actor=w.owner, person=w.technician.public_id, enabled=True, reason="x")
    identity.set_person_enabled(actor=w.owner, person=w.technician.public_id, enabled=False, reason="x")
    assert directory.active(w.technician, True).json()["active"] is False
    email = w.technician.email
    directory.call("DELETE", f"Users/{w.technician.public_id}")
    back = directory.call("POST", "Users", of_entra(email))
    assert (back.json()["id"], back.json()["active"]) == (w.technician.public_id, False)
    assert not fresh(w.technician).enabled
    identity.set_person_enabled(actor=w.owner, person=w.technician.public_id, enabled=True, reason="x")
    directory.active(w.technician, False)
    identity.end_membership(actor=w.owner, person=w.technician.public_id, organisation=w.organisation, reason="x")
    assert directory.active(w.technician, True).json()["active"] is False
    directory.call("DELETE", f"Users/{w.technician.public_id}")
    assert directory.call("POST", "Users", of_entra(email)).status_code == 409
    assert not fresh(w.technician).memberships.exists()
    last = directory.active(w.owner, False)
    assert (last.status_code, fresh(w.owner).enabled) == (409, True)


def test_names_of_attributes_are_the_same_in_any_case(linked: World) -> None:
    w, directory = linked, Directory(linked)
    whole = {"SCHEMAS": [f"{CORE}User"], "USERNAME": w.technician.email, "DisplayName": "Tina", "Active": False}
    assert directory.call("PUT", f"Users/{w.technician.public_id}", whole).json()["active"] is False
    assert not fresh(w.technician).enabled
    odd = {"schemas": [PATCH], "operations": [{"op": "replace", "value": {"Active": "True"}}]}
    assert directory.call("PATCH", f"Users/{w.technician.public_id}", odd).json()["active"] is True


def test_two_messages_at_once_do_not_undo_each_other(committed_world: World) -> None:
    w, directory = committed_world, Directory(committed_world)
    people = [{"value": one.public_id} for one in (w.technician, w.approver)]
    group = directory.call("POST", "Groups", {"schemas": [f"{CORE}Group"], "displayName": "Fitters", "members": people})
    path, answers = f"Groups/{group.json()['id']}", []

    def add() -> None:
        answers.append(directory.patch(path, {"op": "add", "path": "members", "value": [{"value": w.owner.public_id}]}))
        connection.close()

    other = threading.Thread(target=add)
    with transaction.atomic():
        Group.objects.select_for_update(no_key=True).get(public_id=group.json()["id"])
        other.start()
        wait_until_somebody_waits()
        gone = {"op": "remove", "path": f'members[value eq "{w.technician.public_id}"]'}
        assert directory.patch(path, gone).status_code == 200
    other.join()
    assert answers[0].status_code == 200
    now = {one["value"] for one in directory.call("GET", path).json()["members"]}
    assert now == {w.approver.public_id, w.owner.public_id}


@pytest.mark.sqlite
def test_of_very_many_only_what_an_index_answers_is_looked_for(linked: World) -> None:
    w, directory = linked, Directory(linked)
    owner = Organisation.objects.get(public_id=w.organisation)
    people = Person.objects.bulk_create(
        Person(public_id=f"per_{number:016}", email=f"p{number}@plant.example", name=f"P{number}")
        for number in range(2000)
    )
    Membership.objects.bulk_create(Membership(person=one, organisation=owner, role=Role.OPERATOR) for one in people)
    found = directory.call("GET", 'Users?filter=userName eq "P7@plant.example"').json()
    assert [one["displayName"] for one in found["Resources"]] == ["P7"]
    for asked in ('filter=displayName co "7"', "sortBy=displayName"):
        refused = directory.call("GET", f"Users?{asked}")
        assert (refused.status_code, refused.json()["scimType"]) == (400, "tooMany")
    assert directory.call("GET", "Users?startIndex=1990&count=5").json()["itemsPerPage"] == 5


def wait_until_somebody_waits() -> None:
    """On SQLite nobody else writes while we do, from their first statement on."""
    asked = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    deadline = time.monotonic() + 30
    while connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(asked)
            if cursor.fetchone()[0]:
                return
        assert time.monotonic() < deadline


def test_whoever_works_for_others_too_is_out_of_this_organisation_only(linked: World) -> None:
    w, directory = linked, Directory(linked)
    theirs = w.stranger.memberships.get().organisation
    Membership.objects.create(person=w.technician, organisation=theirs, role=Role.TECHNICIAN)
    before = w.technician.memberships.get(organisation__public_id=w.organisation)
    directory.active(w.technician, False)
    assert (fresh(w.technician).enabled, fresh(w.technician).member_of) == (True, [theirs.pk])
    assert directory.active(w.technician, True).json()["active"] is True
    now = w.technician.memberships.get(organisation__public_id=w.organisation)
    assert (now.role, now.supplier) == (before.role, before.supplier)
    renamed = {"op": "replace", "value": {"userName": "mine@plant.example"}}
    assert directory.patch(f"Users/{w.technician.public_id}", renamed).json()["userName"] == "technician@example.com"


def test_a_directory_sees_nobody_else_s_people_and_its_token_opens_nothing_else(linked: World) -> None:
    w, directory = linked, Directory(linked)
    hand = groups.create_group(actor=w.owner, organisation=w.organisation, name="By hand")
    listed = directory.call("GET", "Users?count=200").json()
    names = {one["userName"] for one in listed["Resources"]}
    assert listed["totalResults"] == len(names) == Membership.objects.filter(
        organisation__public_id=w.organisation).exclude(role=Role.SERVICE).count()  # fmt: skip
    assert "stranger@example.com" not in names
    for person in (w.stranger, directory.program.account):
        for method in ("GET", "DELETE"):
            assert directory.call(method, f"Users/{person.public_id}").status_code == 404
        assert directory.active(person, False).status_code == 404
    assert directory.call("POST", "Users", of_entra("stranger@example.com")).status_code == 409
    assert fresh(w.stranger).enabled
    assert directory.call("GET", "Groups").json()["totalResults"] == 0  # it made none
    assert directory.call("DELETE", f"Groups/{hand.public_id}").status_code == 404
    page = directory.call("GET", "Users?startIndex=2&count=2&sortBy=userName").json()
    assert (page["startIndex"], page["itemsPerPage"]) == (2, 2)
    assert [one["userName"] for one in page["Resources"]] == sorted(names)[1:3]
    # By this token nothing but SCIM, and SCIM by no other.
    rest = Client().get("/api/rest/v1/people", headers={"Authorization": f"Bearer {directory.program.token}"})
    assert rest.json()["code"] == "api.scope"
    others = [{}, {"Authorization": f"Bearer {Program(w).token}"}, ConnectorEnd(w.owner).headers("GET", "/x", b"")]
    for headers in others:
        refused = Client().get("/scim/v2/Users", headers=headers)
        assert (refused.status_code, refused["WWW-Authenticate"]) == (401, 'Bearer realm="scim"')
    assert signed_in(w.owner).get("/scim/v2/Users").status_code == 401
    for route in urls.urlpatterns:
        address = "/scim/v2/" + str(route.pattern).replace("<str:public_id>", w.owner.public_id).replace(
            "<path:rest>", "x"
        )
        assert {Client().generic(method, address).status_code for method in ("GET", "POST", "DELETE")} == {401}, address
    for powers, key in ((Powers(asks=True, provisions=True), b""), (Powers(provisions=True), bytes(32))):
        with pytest.raises(BadField):
            issue_token(
                actor=w.owner, account=directory.program.account.public_id, name="x", days=1, powers=powers, key=key
            )
    revoke_api_token(actor=w.owner, account=directory.program.account.public_id, token=directory.program.row.public_id)
    assert directory.call("GET", "Users").status_code == 401


def test_a_directory_keeps_groups_of_its_own_and_rules_may_name_them(linked: World) -> None:
    w, directory = linked, Directory(linked)
    group = directory.call("POST", "Groups", {"schemas": [f"{CORE}Group"], "displayName": "Night", "externalId": "7"})
    address, row = f"Groups/{group.json()['id']}", Group.objects.get()
    access.end_rule(actor=w.owner, rule=w.rule, reason="x")
    access.create_rule(actor=w.owner, organisation=w.organisation, machines=[w.machine.public_id], group=row.public_id)
    member = [{"value": w.technician.public_id}]
    added = directory.patch(address, {"op": "Add", "path": "members", "value": member}).json()
    assert [one["value"] for one in added["members"]] == [w.technician.public_id]
    assert directory.call("GET", f"Users/{w.technician.public_id}").json()["groups"][0]["display"] == "Night"
    assert directory.call("GET", 'Groups?filter=displayName+eq+"night"&excludedAttributes=members').json()[
        "Resources"][0].keys() == {"schemas", "id", "externalId", "displayName", "meta"}  # fmt: skip
    w.grant()
    session = accepted(w, started(w))
    # As Entra ID removes somebody: named in the value, where RFC 7644 has them in the path.
    assert "members" not in directory.patch(address, {"op": "Remove", "path": "members", "value": member}).json()
    assert enforce(timezone.now()) == 1
    assert again(session).end_why == "no-group"
    # As Okta does.
    directory.patch(address, {"op": "add", "path": "members", "value": member})
    directory.patch(address, {"op": "remove", "path": f'members[value eq "{w.technician.public_id}"]'})
    assert not row.members.exists()
    groups.put_in(actor=w.owner, group=row.public_id, person=w.technician.public_id)
    directory.call("PUT", address, {"schemas": [f"{CORE}Group"], "displayName": "Nights", "members": []})
    assert [one.by for one in row.members.all()] == ["hand"]
    assert "made by a directory" in shown(signed_in(w.owner), f"/groups/{row.public_id}/")
    for whom in (w.stranger.public_id, directory.program.account.public_id, "per_x"):
        op = {"op": "add", "path": "members", "value": [{"value": whom}]}
        assert directory.patch(address, op).json()["scimType"] == "invalidValue"
    assert directory.call("DELETE", address).status_code == 204
    assert not row.members.exists()
    assert directory.call("GET", address).status_code == 404


@pytest.mark.sqlite
def test_what_no_directory_may_send_is_refused_and_changes_nothing(linked: World) -> None:
    w, directory = linked, Directory(linked)
    before = (Person.objects.count(), Group.objects.count())
    user, group = {"schemas": [f"{CORE}User"]}, {"schemas": [f"{CORE}Group"]}
    bad: list[Any] = [
        b"", b"[]", b"{", b'"x"', b"\xff\xfe", b"[" * 50_000, user, user | {"userName": 7}, user | {"userName": "tina"},
        user | {"userName": "x\x00@plant.example"}, user | {"userName": "a" * 300 + "@plant.example"},
        user | {"userName": "a@service.invalid"}, user | {"userName": "a@plant.example", "displayName": "a\u202eb"},
        user | {"userName": "a@plant.example", "displayName": "x" * 10_000},
        user | {"userName": "a@plant.example", "externalId": "x" * 201},
        *(user | {"userName": "a@plant.example", "externalId": f"x{one}"} for one in ("\ud800", "\x00", "\u202e")),
        user | {"userName": "a@plant.example", "active": "perhaps"}, of_entra() | {"schemas": ["urn:x"]},
    ]  # fmt: skip
    for body in bad:
        assert directory.call("POST", "Users", body).status_code == 400, str(body)[:80]
    for body in (group, group | {"displayName": " "}, group | {"displayName": "x" * 121}):
        assert directory.call("POST", "Groups", body).status_code == 400, body
    assert directory.call("GET", r'Users?filter=externalId eq "\ud800"').json()["totalResults"] == 0
    for odd in (5, "x", {"op": "x"}, None):
        body = {"schemas": [PATCH], "Operations": odd}
        assert directory.call("PATCH", f"Users/{w.technician.public_id}", body).status_code == 400, odd
    for wanted in ("(" * 900 + "x", "userName", 'userName eq "x', "x" * 2000, 'nothing eq "x"', "userName gt 7 or"):
        assert directory.call("GET", f"Users?filter={wanted}").status_code == 400, wanted[:40]
    assert directory.call("GET", "Users?startIndex=x").status_code == 400
    assert directory.call("GET", "Users?count=-1&startIndex=-5").json()["itemsPerPage"] == 0
    assert directory.call("GET", "Users?count=100000000").status_code == 200
    for op in ({"op": "burn"}, {"op": "remove", "path": "userName"}, {"op": "replace", "path": "id", "value": "x"}, 7):
        assert directory.patch(f"Users/{w.technician.public_id}", op).status_code == 400, op  # type: ignore[arg-type]
    assert directory.patch(f"Users/{w.technician.public_id}", *[{"op": "add", "path": "members"}] * 3).status_code < 500
    for path in ("Users/x%00", "Groups/%00", "nothing", "Users/x/y", "Schemas/x", "ResourceTypes/x"):
        assert directory.call("GET", path).status_code == 404, path
    assert directory.call("POST", "Bulk", {}).status_code == directory.call("GET", "Me").status_code == 501
    assert directory.call("DELETE", "Users").status_code == 405
    assert (Person.objects.count(), Group.objects.count()) == before


def test_whom_a_directory_brought_comes_in_by_the_organisation_s_own_provider(linked: World) -> None:
    w, directory = linked, Directory(linked)
    directory.call("POST", "Users", of_entra())
    tina = Person.objects.get(email="tina@plant.example")
    owner = Organisation.objects.get(public_id=w.organisation)
    sso = IdentityProvider.objects.create(organisation=owner, kind="openid", name="S", issuer="https://l.example")

    def comes(subject: str = "7", email: str = "tina@plant.example") -> Any:
        said = Vouched(subject, email, "T", frozenset())
        return vouching.admit(provider=sso.public_id, vouched=said, address="192.0.2.1")

    assert comes() is Refusal.OTHER_DOMAIN
    ProviderDomain.objects.create(provider=sso, domain="plant.example")
    providers.confirm_domain(actor=Operator(), provider=sso.public_id, domain="plant.example")
    directory.active(tina, False)
    assert comes() is Refusal.LOCKED
    directory.active(tina, True)
    theirs = w.stranger.memberships.get().organisation
    elsewhere = Membership.objects.create(person=tina, organisation=theirs, role=Role.TECHNICIAN)
    assert isinstance(comes(), Refusal)
    elsewhere.delete()
    assert comes() == tina
    assert SocialAccount.objects.get(user=tina).uid == "7"
    assert comes() == tina
    assert isinstance(comes(subject="8"), Refusal)  # the account has its way in now
    assert isinstance(comes(subject="9", email="technician@example.com"), Refusal)  # made by hand
