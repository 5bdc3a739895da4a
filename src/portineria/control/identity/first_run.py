# SPDX-License-Identifier: Apache-2.0
"""Accounts before there is anybody to invite anybody: the first owner, links to set a password, accounts of a demo."""

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.urls import reverse

from portineria.control.audit.services import record
from portineria.control.identity.authority import Actor, Operator, administers, require
from portineria.control.identity.models import Organisation, Person, Role
from portineria.control.identity.queries import organisations_of_person
from portineria.control.identity.services import BadField, create_organisation, create_person
from portineria.core.errors import Conflict, NotFound


class HasPassword(Conflict):
    code = "identity.person.has-password"


class NotAPerson(Conflict):
    code = "identity.person.service"


class NobodyThere(NotFound):
    code = "identity.person.nobody"


@transaction.atomic
def create_owner(*, actor: Operator, organisation: str, name: str, email: str, language: str = "",
                 time_zone: str = "UTC") -> Person:  # fmt: skip
    """An organisation with its first administrator."""
    made = create_organisation(actor=actor, name=organisation)
    return create_person(
        actor=actor,
        organisation=made.public_id,
        name=name,
        email=email,
        role=Role.ADMINISTRATOR,
        language=language,
        time_zone=time_zone,
    )


@transaction.atomic
def invite(*, actor: Actor, person: str) -> str:
    """Return the path where this person sets a password, once; handed over by whoever invites.

    Whatever was handed over before is dead. Raise HasPassword for somebody who has followed it already.
    """
    row = Person.objects.select_for_update(no_key=True).filter(public_id=person, disabled_at__isnull=True).first()
    owners = list(Organisation.objects.filter(memberships__person=row)) if row else []
    if row is None or not owners:
        raise NotFound(f"person {person}")
    for owner in owners:
        require(actor, owner.pk, administers)
    if row.has_usable_password():
        raise HasPassword(f"{row.email} has a password; for who lost it: portineria person invite-again")
    path = new_link(row)
    for organisation in organisations_of_person(row):
        record("identity.person.invited", organisation=organisation, actor=actor.public_id, person=person, link=path)
    return path


def new_link(person: Person) -> str:
    """The path where a locked row's person sets a password: once, within PASSWORD_RESET_TIMEOUT. Raise NotAPerson.

    The password there was, its sessions and its tokens count no more, nor does any link that was made before.
    """
    if person.is_service:
        raise NotAPerson(f"{person.public_id} is a service account, which never signs in")
    person.set_unusable_password()  # another random one each time: a link is made for one password
    person.save(update_fields=["password"])
    uidb36, key = user_pk_to_url_str(person), default_token_generator.make_token(person)
    return reverse("account_reset_password_from_key", kwargs={"uidb36": uidb36, "key": key})


def invite_address(*, actor: Operator, email: str) -> str:
    """``invite`` for the server's own command line, where people are known by their e-mail address."""
    row = Person.objects.filter(email=email.strip().lower(), disabled_at__isnull=True).first()
    if row is None:
        raise NobodyThere(f"nobody who is entered here and not locked has the address {email!r}")
    return invite(actor=actor, person=row.public_id)


@transaction.atomic
def set_password(*, actor: Operator, person: str, password: str) -> None:
    """From the server's own command line only."""
    row = Person.objects.select_for_update(no_key=True).filter(public_id=person).first()
    if row is None:
        raise NotFound(f"person {person} for {actor.public_id}")
    try:
        validate_password(password, row)
    except ValidationError as error:
        raise BadField("password", " ".join(error.messages)) from error
    row.set_password(password)
    row.save(update_fields=["password"])
    for organisation in organisations_of_person(row):
        record("identity.password.set", organisation=organisation, actor=actor.public_id, person=person)


@transaction.atomic
def set_totp(*, actor: Operator, person: str, secret: str) -> None:
    """Give somebody a known TOTP secret (base32), replacing another. For demonstrations and rescue."""
    row = Person.objects.filter(public_id=person).first()
    if row is None:
        raise NotFound(f"person {person}")
    Authenticator.objects.filter(user=row, type=Authenticator.Type.TOTP).delete()
    TOTP.activate(row, secret)
    for organisation in organisations_of_person(row):
        record(
            "identity.second-factor.added",
            organisation=organisation,
            actor=actor.public_id,
            person=person,
            kind="totp",
        )
