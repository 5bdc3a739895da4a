# SPDX-License-Identifier: Apache-2.0
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from allauth.mfa.models import Authenticator
from django.contrib.auth import get_user
from django.contrib.sessions.backends.db import SessionStore
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest
from django.utils import timezone

from portineria.control.identity.factor_models import provided
from portineria.control.identity.inside import INSIDE, acting
from portineria.control.identity.models import (
    SECOND_FACTORS,
    STAFF_PEOPLE,
    ApiToken,
    ConnectorToken,
    Membership,
    Organisation,
    Person,
    PersonQuerySet,
    Role,
    Supplier,
    SupplierQuerySet,
)
from portineria.control.identity.sponsorship import unanswered
from portineria.control.identity.standing_models import firm_of
from portineria.control.kept_query import KeptValues
from portineria.core.errors import NotFound
from portineria.policy.decision import Standing
from portineria.policy.supplier_standing import Firm


def organisations(actor: Person) -> list[Organisation]:
    return list(Organisation.objects.filter(pk__in=actor.member_of).order_by("name"))


def people(actor: Person) -> PersonQuerySet:
    return Person.objects.visible_to(actor).order_by("name")


def person(actor: Person, public_id: str) -> Person:
    found = Person.objects.visible_to(actor).filter(public_id=public_id).first()
    if found is None:
        raise NotFound(f"person {public_id}")
    return found


def suppliers(actor: Person) -> SupplierQuerySet:
    return Supplier.objects.visible_to(actor).order_by("name")


def memberships(actor: Person) -> "list[Membership]":
    """Of everybody in the organisations whose staff the actor is."""
    found = Membership.objects.filter(organisation__in=actor.staff_of)
    return list(found.select_related("person", "organisation", "supplier", "sponsor").order_by("person__name"))


def own_people(actor: Person) -> "QuerySet[Any, tuple[str, str]]":
    """Id and name of those who are there and of no supplier, of the organisations whose staff the actor is; no
    programs.
    """
    rows = Membership.objects.filter(
        organisation__in=actor.staff_of, role__in=[*STAFF_PEOPLE, Role.TECHNICIAN], supplier__isnull=True,
        person__disabled_at__isnull=True,
    )  # fmt: skip
    return rows.order_by("person__name").values_list("person__public_id", "person__name").distinct()


def colleagues(actor: Person, organisations: Iterable[int]) -> "QuerySet[Any, tuple[str, str, str, str]]":
    """Of other people who work at these of the actor's organisations: its id and name, their id and name."""
    rows = Membership.objects.filter(
        organisation__in=set(organisations) & set(actor.staff_of), role__in=STAFF_PEOPLE,
        person__disabled_at__isnull=True,
    ).exclude(person=actor)  # fmt: skip
    shown = ("organisation__public_id", "organisation__name", "person__public_id", "person__name")
    return rows.order_by("person__name", "pk").values_list(*shown)


def members(actor: Person, search: str = "") -> QuerySet[Membership]:
    """``memberships`` by name, address or firm; what fits is left to the database (SQLite folds ASCII letters only)."""
    found = Membership.objects.filter(organisation__in=actor.staff_of)
    for word in search.split():
        found = found.filter(
            Q(person__name__icontains=word) | Q(person__email__icontains=word) | Q(supplier__name__icontains=word)
        )
    shown = found.select_related("person", "organisation", "supplier", "sponsor")
    return shown.annotate(unanswered=unanswered()).order_by("person__name", "pk")


def staff_people(actor: Person, organisation_id: int) -> list[Person]:
    """Of an organisation, those who are there, by name; no programs."""
    rows = members(actor).filter(organisation=organisation_id, role__in=STAFF_PEOPLE, person__disabled_at__isnull=True)
    return [row.person for row in rows]


def member(actor: Person, organisation: str, person: str) -> Membership:
    found = members(actor).filter(organisation__public_id=organisation, person__public_id=person).first()
    if found is None:
        raise NotFound(f"person {person} of {organisation}")
    return found


def own_suppliers(actor: Person, search: str = "") -> SupplierQuerySet:
    """Of the organisations whose staff the actor is; ``people``: how many each has."""
    found = Supplier.objects.filter(organisation__in=actor.staff_of)
    for word in search.split():
        found = found.filter(name__icontains=word)
    return found.select_related("organisation").annotate(people=Count("memberships")).order_by("name", "pk")


def supplier_names(actor: Person, organisations: Iterable[Organisation]) -> "QuerySet[Any, tuple[str, str]]":
    """Id and name of those of these organisations: of thousands much quicker than ``own_suppliers``."""
    found = Supplier.objects.filter(organisation__in=organisations).filter(organisation__in=actor.staff_of)
    return found.order_by("name", "pk").values_list("public_id", "name")


def own_supplier(actor: Person, public_id: str) -> Supplier:
    found = own_suppliers(actor).filter(public_id=public_id).first()
    if found is None:
        raise NotFound(f"supplier {public_id}")
    return found


def tokens(actor: Person) -> list[ConnectorToken]:
    """The actor's own connectors that are signed in."""
    mine = ConnectorToken.objects.filter(person=actor, revoked_at__isnull=True)
    return list(mine.filter(password_mark=actor.get_session_auth_hash()).order_by("-created_at"))


def roles(actor: Person) -> dict[str, Role]:
    """Organisation id → role."""
    return actor.roles


def organisations_of_person(person: Person) -> list[str]:
    """All, whether they may still act there or not: for the ledger, not for permission."""
    return list(person.memberships.order_by("organisation_id").values_list("organisation__public_id", flat=True))


def person_of_browser(session_key: str) -> Person | None:
    """As whom somebody acts there now, with the memberships of now. None after sign-out, lock or another password, and
    inside a customer when nothing is delegated any more.
    """
    request = HttpRequest()
    request.session = SessionStore(session_key)
    found = get_user(request)
    if not isinstance(found, Person):
        return None
    customer = request.session.get(INSIDE)
    return acting(found, customer) if customer else found


def has_second_factor(person: Person, before: datetime | None = None) -> bool:
    """``before``: one that was set up before then."""
    found = Authenticator.objects.filter(user=person, type__in=SECOND_FACTORS)
    return bool((found if before is None else found.filter(created_at__lt=before)).exists())


def _standing_rows(people: Iterable[int], at: datetime) -> "QuerySet[Person, tuple[Any, ...]]":
    factors = Authenticator.objects.filter(user=OuterRef("pk"), type__in=SECOND_FACTORS)
    theirs = Membership.objects.filter(
        person=OuterRef("answered_by"), organisation=OuterRef("memberships__organisation")
    )
    answering = theirs.filter(
        Q(ends_at__isnull=True) | Q(ends_at__gt=at), person__disabled_at__isnull=True,
        supplier__disabled_at__isnull=True,
    )  # fmt: skip
    return Person.objects.filter(pk__in=people).values_list(
        "pk", "disabled_at", Exists(factors), "answered_by", "memberships__organisation",
        "memberships__supplier__disabled_at", Exists(answering), provided("pk", "memberships__organisation"),
        "memberships__ends_at", "memberships__supplier",
        "memberships__supplier__standing", "memberships__supplier__standing_until",
        Subquery(theirs.order_by().values("supplier")[:1]),
    )  # fmt: skip


def _firms(rows: Sequence[Sequence[Any]]) -> dict[tuple[int, int], Firm | None]:
    """(person, organisation) → the supplier that they are of there; of an agent, which is of none, that of whoever
    answers for it: asked for in a query more, where there is such a one.
    """
    found = {
        (pk, where): firm_of(level, until) if of else None for pk, *_, where, _, _, _, _, of, level, until, _ in rows
    }
    agents = {(row[0], row[4]): row[-1] for row in rows if row[-1] is not None}
    if agents:
        suppliers = {row.pk: row.firm for row in Supplier.objects.filter(pk__in=set(agents.values()))}
        found |= {key: suppliers[supplier] for key, supplier in agents.items()}
    return found


def answering_for(people: Iterable[int]) -> dict[int, int]:
    """Of those that are AI agents: whoever answers for them. What is asked of a person is asked of that one."""
    agents = Person.objects.filter(pk__in=set(people), answered_by__isnull=False)
    return {agent: person for agent, person in agents.values_list("pk", "answered_by") if person is not None}


_standing_statement = KeptValues(_standing_rows)


def standings(pairs: Iterable[tuple[int, int]]) -> dict[tuple[int, int], Standing]:
    """(person, organisation) → what policy has to know. One query however many there are, besides ``_firms``."""
    wanted = set(pairs)
    rows = _standing_statement.all({person for person, _ in wanted}, timezone.now())
    # An agent has no second factor: its only way in is a token that is worth nothing without its key.
    known = {pk: (off is None, factor or by is not None) for pk, off, factor, by, *_ in rows}
    members = {(pk, where): locked_at is None for pk, _, _, _, where, locked_at, *_ in rows}
    unanswered = {(pk, where) for pk, _, _, by, where, _, answers, *_ in rows if by is not None and not answers}
    firms = _firms(rows)
    shown = {(row[0], row[4]) for row in rows if row[7]}
    ends = {(row[0], row[4]): row[8] for row in rows}
    return {
        pair: Standing(
            person_enabled=known.get(pair[0], (False, False))[0],
            member=pair in members,
            supplier_enabled=members.get(pair, True),
            second_factor=known.get(pair[0], (False, False))[1] or pair in shown,
            answered=pair not in unanswered,
            firm=firms.get(pair),
            member_until=ends.get(pair),
        )
        for pair in wanted
    }


def own_standings(actor: Person, organisations: Iterable[int]) -> dict[tuple[int, int], Standing]:
    """As ``standings``, for pages of whoever asks: what their request has loaded already is not asked again."""
    if actor.is_agent:
        return standings((actor.pk, organisation) for organisation in organisations)
    members = set(actor.member_of)  # nobody whose supplier is locked
    return {
        (actor.pk, organisation): Standing(
            person_enabled=actor.enabled,
            member=organisation in members,
            supplier_enabled=organisation in members,
            second_factor=actor.has_second_factor or actor.has_provided_factor,
            firm=actor.firm_in(organisation),
            member_until=actor.member_until(organisation),
        )
        for organisation in set(organisations)
    }


def own_firm(actor: Person, organisation_id: int) -> Firm | None:
    return own_standings(actor, [organisation_id])[actor.pk, organisation_id].firm


def standing(person: Person, organisation_id: int) -> Standing:
    pair = (person.pk, organisation_id)
    return standings([pair])[pair]


def own_memberships(actor: Person) -> "list[Membership]":
    """What the actor is, and where."""
    found = Membership.objects.filter(person=actor, organisation__in=actor.member_of)
    return list(found.select_related("organisation", "supplier").order_by("organisation__name"))


def second_factors(actor: Person) -> dict[str, int]:
    """The actor's own, kind → how many."""
    found: dict[str, int] = {}
    for kind in Authenticator.objects.filter(user=actor).values_list("type", flat=True):
        found[str(kind)] = found.get(str(kind), 0) + 1
    return found


PROGRAM = Q(role=Role.SERVICE) | Q(person__answered_by__isnull=False)


def service_accounts(actor: Person) -> QuerySet[Membership]:
    """Of the organisations whose staff the actor is; ``tokens``: how many of each work still."""
    found = Membership.objects.filter(PROGRAM, organisation__in=actor.staff_of)
    working = Q(person__api_tokens__revoked_at__isnull=True, person__api_tokens__expires_at__gt=timezone.now())
    counted = found.annotate(tokens=Count("person__api_tokens", filter=working))
    return counted.select_related("person__answered_by", "organisation").order_by("person__name", "pk")


def service_account(actor: Person, public_id: str) -> Membership:
    found = service_accounts(actor).filter(person__public_id=public_id).first()
    if found is None:
        raise NotFound(f"service account {public_id}")
    return found


def api_tokens(actor: Person, account: str) -> QuerySet[ApiToken]:
    """Of one account, the newest first; also those that work no more."""
    seen = service_accounts(actor).filter(person__public_id=account).order_by().values("person")
    return ApiToken.objects.filter(person__in=seen).order_by("-created_at", "-pk")
