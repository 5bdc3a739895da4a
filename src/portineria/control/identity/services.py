# SPDX-License-Identifier: Apache-2.0
"""People, suppliers and what they are to an organisation."""

from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.contrib.sessions.models import Session as BrowserSession
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone

from portineria.control.audit import services as audit
from portineria.control.identity.access_log import check_may_be_forgotten
from portineria.control.identity.authority import Actor, Operator, administers, organisation_of, require
from portineria.control.identity.models import (
    ApiToken,
    AuthorisationCode,
    ConnectorToken,
    Language,
    Membership,
    Organisation,
    Person,
    Role,
    Supplier,
)
from portineria.control.identity.offers import offer
from portineria.control.identity.queries import organisations_of_person
from portineria.control.identity.saved_models import SavedSearch
from portineria.core.errors import Conflict, Invalid, NotFound
from portineria.core.time_zones import time_zones

NAME_CHARACTERS = 120
SERVICE_DOMAIN = "@service.invalid"  # nobody has such an address (RFC 2606, 2)


class BadField(Invalid):
    """The message names the field; ``code`` says it too, so that a form can show it in place."""

    def __init__(self, field: str, why: str, **values: str | int) -> None:
        super().__init__(f"{field}: {why}")
        self.code, self.values = f"field.{field}", values


class NameTaken(Conflict):
    code = "name.taken"


class PersonElsewhere(Conflict):
    code = "identity.person.elsewhere"


class LastAdministrator(Conflict):
    code = "identity.last-administrator"


def clean_name(text: str, field: str = "name", *, characters: int = NAME_CHARACTERS) -> str:
    """Trimmed and on one line; names end up in lists, logs and terminals."""
    name = " ".join(text.split())
    if not name or len(name) > characters or not name.isprintable():
        raise BadField(field, f"1 to {characters} printable characters")
    return name


@transaction.atomic
def create_organisation(*, actor: Operator, name: str) -> Organisation:
    name = clean_name(name)
    if Organisation.objects.filter(name=name).exists():
        raise NameTaken(f"organisation {name!r}")
    made = Organisation.objects.create(name=name)
    audit.record(
        "identity.organisation.created",
        organisation=made.public_id,
        actor=actor.public_id,
        name=name,
    )
    return made


@transaction.atomic
def create_supplier(*, actor: Actor, organisation: str, name: str) -> Supplier:
    owner = organisation_of(actor, organisation)
    require(actor, owner.pk, administers)
    name = clean_name(name)
    if Supplier.objects.filter(organisation=owner, name=name).exists():
        raise NameTaken(f"supplier {name!r}")
    made = Supplier.objects.create(organisation=owner, name=name)
    audit.record(
        "identity.supplier.created",
        organisation=owner.public_id,
        actor=actor.public_id,
        supplier=made.public_id,
        name=name,
    )
    return made


@transaction.atomic
def set_supplier_enabled(*, actor: Actor, supplier: str, enabled: bool, reason: str) -> Supplier:
    """Disabling is a matter of security: every session of its people is cut."""
    row = Supplier.objects.select_for_update(no_key=True).filter(public_id=supplier).first()
    if row is None:
        raise NotFound(f"supplier {supplier}")
    require(actor, row.organisation_id, administers)
    if row.enabled == enabled:
        raise Conflict(f"supplier {supplier} is {'enabled' if enabled else 'disabled'} already")
    row.disabled_at = None if enabled else timezone.now()
    row.save(update_fields=["disabled_at"])
    audit.record(
        f"identity.supplier.{'enabled' if enabled else 'disabled'}",
        organisation=row.organisation.public_id,
        actor=actor.public_id,
        supplier=row.public_id,
        reason=reason,
    )
    return row


@transaction.atomic
def create_person(
    *, actor: Actor, organisation: str, name: str, email: str, role: Role, supplier: str = "",
    language: str = "", time_zone: str = "UTC", consented: bool = False,
) -> Person:  # fmt: skip
    """Somebody known here already is asked first (``offers``), and keeps their own name; ``consented``: was asked."""
    owner = organisation_of(actor, organisation)
    require(actor, owner.pk, administers)
    firm = _supplier(owner, supplier)
    if (firm is not None and role is not Role.TECHNICIAN) or role in (Role.SERVICE, Role.ANALYST):
        raise BadField("role", "people of a supplier are technicians; nobody is made a service account")
    email = clean_email(email)
    person = Person.objects.filter(email=email).first()
    if person is None:
        person = new_person(clean_name(name), email, language, time_zone)
        audit.record(
            "identity.person.created",
            organisation=owner.public_id,
            actor=actor.public_id,
            about=person.public_id,
            person=person.public_id,
            role=role.value,
            supplier=supplier,
            name=person.name,
            email=email,
        )
    elif person.memberships.filter(organisation=owner).exists():
        raise NameTaken("this person is a member already")
    elif not consented:
        offer(actor=actor.public_id, person=person, owner=owner, role=role, supplier=firm)
        return person
    _join(person, owner, role, firm)
    audit.record(
        "identity.membership.added",
        organisation=owner.public_id,
        actor=actor.public_id,
        person=person.public_id,
        role=role.value,
        supplier=supplier,
    )
    return person


def _join(person: Person, owner: Organisation, role: Role, supplier: Supplier | None) -> None:
    """Who comes by a provider begins anew: it speaks for its own organisation only."""
    if SocialAccount.objects.filter(user=person).exists():
        end_sign_ins(person)
    Membership.objects.create(person=person, organisation=owner, role=role, supplier=supplier)


def _supplier(owner: Organisation, supplier: str) -> Supplier | None:
    if not supplier:
        return None
    row = Supplier.objects.filter(organisation=owner, public_id=supplier).first()
    if row is None:
        raise NotFound(f"supplier {supplier}")
    return row


def clean_email(email: str) -> str:
    email = email.strip().lower()
    try:
        validate_email(email)
    except ValidationError as error:
        raise BadField("email", "not an e-mail address") from error
    if email.endswith(SERVICE_DOMAIN):
        raise BadField("email", "that of a service account")
    return email


def new_person(name: str, email: str, language: str, time_zone: str) -> Person:
    if language not in ("", *Language.values):
        raise BadField("language", "en, it or ja")
    if time_zone not in time_zones():
        raise BadField("time_zone", "not a name of the tz database")
    person = Person(name=name, email=email, language=language, time_zone=time_zone)
    person.set_unusable_password()
    person.save()
    # Whoever administers the organisation vouches for the address; there is no open sign-up.
    EmailAddress.objects.create(user=person, email=email, verified=True, primary=True)
    return person


@transaction.atomic
def change_self(*, actor: Person, name: str, language: str, time_zone: str) -> Person:
    person = Person.objects.select_for_update(no_key=True).get(pk=actor.pk)
    if language not in ("", *Language.values):
        raise BadField("language", "en, it or ja")
    if time_zone not in time_zones():
        raise BadField("time_zone", "not a name of the tz database")
    person.name, person.language, person.time_zone = clean_name(name), language, time_zone
    person.save(update_fields=["name", "language", "time_zone"])
    for organisation in organisations_of_person(person):
        audit.record(
            "identity.person.changed",
            organisation=organisation,
            actor=person.public_id,
            person=person.public_id,
            name=person.name,
            language=language,
            time_zone=time_zone,
        )
    return person


def person_to_change(actor: Actor, person: str) -> Person:
    """A person whose every organisation the actor administers: nobody locks out somebody else's people.

    Raise NotFound for who belongs to none of the actor's, PersonElsewhere for who belongs to one that is not theirs.
    """
    row = Person.objects.select_for_update(no_key=True).filter(public_id=person).first()
    organisations = list(row.memberships.values_list("organisation", flat=True)) if row else []
    mine = isinstance(actor, Operator) or bool(set(organisations) & set(actor.staff_of))
    if row is None or not mine:
        raise NotFound(f"person {person}")
    if isinstance(actor, Person) and not set(organisations) <= set(actor.member_of):
        raise PersonElsewhere("a member of other organisations too: end the membership instead")
    for organisation in organisations:
        require(actor, organisation, administers)
    return row


@transaction.atomic
def set_person_enabled(*, actor: Actor, person: str, enabled: bool, reason: str) -> Person:
    """Disabling is a matter of security: sign-ins and tokens end, sessions are cut."""
    row = person_to_change(actor, person)
    if row.enabled == enabled or row.erased_at is not None:
        raise Conflict(f"person {person} is {'enabled' if row.enabled else 'disabled'}")
    if not enabled:
        keep_an_administrator(row)
        end_sign_ins(row)
    row.disabled_at = None if enabled else timezone.now()
    row.save(update_fields=["disabled_at"])
    row.directory.update(closed=False)  # from here on it is ours: no directory undoes it
    row.memberships.update(since=timezone.now(), warned_at=None)  # whoever was locked could not come
    for organisation in organisations_of_person(row):
        audit.record(
            f"identity.person.{'enabled' if enabled else 'disabled'}",
            organisation=organisation,
            actor=actor.public_id,
            person=row.public_id,
            reason=reason,
        )
    return row


def keep_an_administrator(person: Person, organisation: int | None = None) -> None:
    """Raise LastAdministrator."""
    # Those that a provider gave are its to take: with none of somebody's own right, nobody could get in without it.
    own = {"role": Role.ADMINISTRATOR, "given_by__isnull": True}
    led = person.memberships.filter(**own).order_by("organisation_id")
    led = led.filter(organisation=organisation) if organisation else led
    # One after the other: the last two who remove each other would both find that somebody remains.
    mine = Organisation.objects.filter(pk__in=led.values("organisation_id")).order_by("pk")
    list(mine.select_for_update(no_key=True))
    for membership in led:
        others = Membership.objects.filter(
            organisation=membership.organisation_id, person__disabled_at__isnull=True, **own
        ).exclude(person=person)
        if not others.exists():
            raise LastAdministrator("nobody else could let anybody in again")


def end_sign_ins(person: Person) -> None:
    """Every browser and every connector of this person has to sign in again."""
    from allauth.usersessions.models import UserSession

    keys = list(UserSession.objects.filter(user=person).values_list("session_key", flat=True))
    BrowserSession.objects.filter(session_key__in=keys).delete()
    UserSession.objects.filter(user=person).delete()
    revoke_tokens(person)


def revoke_tokens(person: Person) -> None:
    """Every connector of this person has to sign in again; one that is just signing in as well. A service account's
    tokens end for good.
    """
    AuthorisationCode.objects.filter(person=person).delete()
    for tokens in (ConnectorToken.objects, ApiToken.objects):
        tokens.filter(person=person, revoked_at__isnull=True).update(revoked_at=timezone.now())


@transaction.atomic
def end_membership(*, actor: Actor, person: str, organisation: str, reason: str) -> None:
    owner = organisation_of(actor, organisation)
    require(actor, owner.pk, administers)
    row = Membership.objects.select_for_update(no_key=True).filter(person__public_id=person, organisation=owner).first()
    if row is None:
        raise NotFound(f"person {person}")
    keep_an_administrator(row.person, owner.pk)
    row.delete()
    row.person.directory.filter(organisation=owner).update(closed=False)  # ours from here on
    audit.record(
        "identity.membership.removed",
        organisation=owner.public_id,
        actor=actor.public_id,
        person=person,
        role=row.role,
        supplier=row.supplier.public_id if row.supplier else "",
        reason=reason,
    )


@transaction.atomic
def erase_person(*, actor: Actor, person: str) -> int:
    """Lawful erasure of somebody who was disabled: name, address, personal values of the ledger. Return how many."""
    row = person_to_change(actor, person)
    if row.enabled or row.erased_at is not None:
        raise Conflict("disable first; and erasing is done once")
    check_may_be_forgotten(row.public_id, organisations_of_person(row))
    Authenticator.objects.filter(user=row).delete()
    SocialAccount.objects.filter(user=row).delete()
    row.provided_factors.all().delete()
    row.directory.all().delete()  # what a directory calls them
    row.closed_memberships.all().delete()
    EmailAddress.objects.filter(user=row).delete()
    SavedSearch.objects.filter(person=row).delete()
    row.email, row.name, row.erased_at = f"{row.public_id}@erased.invalid", "—", timezone.now()
    row.set_unusable_password()
    row.save(update_fields=["email", "name", "erased_at", "password"])
    count = audit.erase(row.public_id)
    for organisation in organisations_of_person(row):
        audit.record(
            "identity.person.erased",
            organisation=organisation,
            actor=actor.public_id,
            person=row.public_id,
            values=count,
        )
    return count


@transaction.atomic
def record_for_person(code: str, person: Person, **fields: Any) -> None:
    """An event about somebody's own doing, in each organisation they belong to.

    From where they did it is the business of the one that brought them in, not of the others.
    """
    for organisation, home in homes_first(person):
        said = fields if home else _without_address(fields)
        audit.record(code, organisation=organisation, actor=person.public_id, person=person.public_id, **said)


def homes_first(person: Person) -> list[tuple[str, bool]]:
    """The organisations of a person, and which of them has had them for longest; in the order of all who record in
    several ledgers, which hold them until they commit.
    """
    found = list(person.memberships.order_by("organisation_id").values_list("pk", "organisation__public_id"))
    home = min((pk for pk, _ in found), default=0)
    return [(organisation, pk == home) for pk, organisation in found]


def _without_address(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name != "address"}
