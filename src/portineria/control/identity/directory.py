# SPDX-License-Identifier: Apache-2.0
"""What a customer's directory does through SCIM: it brings people and groups of one organisation, and takes them out.

It acts as a service account of that organisation, by a token that can do nothing else. Whom it closes is out at once, a
matter of security; what somebody here closed it never opens. Its people are technicians of the organisation: nobody
administers or approves because a program says so (decision 55).
"""

from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from portineria.control.audit.services import record
from portineria.control.identity.directory_models import DirectoryEntry
from portineria.control.identity.models import Membership, Organisation, Person, Role
from portineria.control.identity.provider_models import GROUP_CHARACTERS
from portineria.control.identity.services import (
    BadField,
    NameTaken,
    clean_email,
    clean_name,
    end_sign_ins,
    keep_an_administrator,
    new_person,
)
from portineria.core.errors import NotFound

WHY = "closed by the directory"  # kept with events where somebody else's reason would stand


@dataclass(frozen=True, slots=True)
class Said:
    """What the directory says of somebody; ``email`` is how they sign in."""

    email: str
    name: str
    active: bool
    external_id: str


def organisation_served(actor: Person) -> Organisation:
    """The one that the service account belongs to. Raise NotFound."""
    row = Membership.objects.filter(person=actor, role=Role.SERVICE, person__disabled_at__isnull=True)
    found = row.select_related("organisation").first()
    if found is None:
        raise NotFound(f"organisation of {actor.public_id}")
    return found.organisation


@transaction.atomic
def bring(*, actor: Person, said: Said) -> Person:
    """Somebody new, or somebody whom it had taken out. Raise NameTaken for an address that is somebody's already."""
    owner = organisation_served(actor)
    email, name = clean_email(said.email), clean_name(said.name)
    known = Person.objects.select_for_update(no_key=True).filter(email=email).first()
    entry = DirectoryEntry.objects.filter(organisation=owner, person=known).first() if known else None
    if known is not None and (entry is None or not entry.removed or _shown_out(entry)):
        raise NameTaken("somebody with this address is known here already")
    if entry is None:
        person = new_person(name, email, "", "UTC")
        entry = DirectoryEntry(organisation=owner, person=person, made=True, role=Role.TECHNICIAN)
        record(
            "identity.person.created", organisation=owner.public_id, actor=actor.public_id, about=person.public_id,
            person=person.public_id, role=Role.TECHNICIAN.value, supplier="", name=name, email=email,
        )  # fmt: skip
        _let_in(actor, entry)
    entry.removed = False
    entry.save()
    return _settle(actor, entry, said)


def _shown_out(entry: DirectoryEntry) -> bool:
    """By somebody here, for good."""
    return not entry.closed and not entry.person.memberships.filter(organisation=entry.organisation_id).exists()


def held(*, actor: Person, person: str) -> None:
    """Before a picture of them is read that ``tell`` or ``take_away`` writes back: two at once would undo each other.
    Inside a transaction; raise NotFound.
    """
    _entry(actor, person)


@transaction.atomic
def tell(*, actor: Person, person: str, said: Said) -> Person:
    """All that it says of somebody. Their own name and address it changes only where it made the account, and no other
    organisation knows them. Raise NotFound, NameTaken, BadField, LastAdministrator.
    """
    return _settle(actor, _entry(actor, person), said)


def _entry(actor: Person, person: str) -> DirectoryEntry:
    owner = organisation_served(actor)
    # The person first: whoever locks them here has them first too.
    row = Person.objects.select_for_update(no_key=True).filter(public_id=person, is_service=False).first()
    entry = DirectoryEntry.objects.select_related("organisation", "person").filter(organisation=owner, person=row)
    found = entry.first() if row is not None else None
    if row is None or (found.removed if found else not row.memberships.filter(organisation=owner).exists()):
        raise NotFound(f"person {person}")
    return found or DirectoryEntry(organisation=owner, person=row)


def _settle(actor: Person, entry: DirectoryEntry, said: Said) -> Person:
    entry.external_id, entry.changed_at = clean_external_id(said.external_id), timezone.now()
    entry.save()
    _rename(actor, entry, said)
    if not said.active:
        _close(actor, entry)
    elif entry.closed:
        _open_again(actor, entry)
    return entry.person


def clean_external_id(text: str) -> str:
    if len(text) > GROUP_CHARACTERS or not text.isprintable():
        raise BadField("external_id", f"at most {GROUP_CHARACTERS} characters, all printable", most=GROUP_CHARACTERS)
    return text


def _rename(actor: Person, entry: DirectoryEntry, said: Said) -> None:
    person, email, name = entry.person, clean_email(said.email), clean_name(said.name)
    elsewhere = person.memberships.exclude(organisation=entry.organisation_id).exists()
    if (person.email, person.name) == (email, name) or not entry.made or elsewhere:
        return
    if email != person.email and Person.objects.filter(email=email).exists():
        raise NameTaken("somebody with this address is known here already")
    if email != person.email:
        person.emailaddress_set.filter(email=person.email).update(email=email)  # type: ignore[attr-defined]  # allauth's
    person.email, person.name = email, name
    person.save(update_fields=["email", "name"])
    record(
        "identity.directory.renamed", organisation=entry.organisation.public_id, actor=actor.public_id,
        about=person.public_id, person=person.public_id, name=name, email=email,
    )  # fmt: skip


def _close(actor: Person, entry: DirectoryEntry) -> None:
    """Out of this organisation: the account, or of somebody who works for others too the membership alone."""
    membership = entry.person.memberships.filter(organisation=entry.organisation).first()
    if membership is None or not entry.person.enabled:
        return  # already: by the directory itself, or by somebody here, and what they closed it does not open
    keep_an_administrator(entry.person, entry.organisation_id)
    entry.closed, entry.role, entry.supplier = True, membership.role, membership.supplier
    entry.save()
    end_sign_ins(entry.person)
    if entry.person.memberships.exclude(pk=membership.pk).exists():
        membership.delete()
        _record("identity.membership.removed", actor, entry, role=entry.role, supplier=_firm(entry), reason=WHY)
        return
    entry.person.disabled_at = timezone.now()
    entry.person.save(update_fields=["disabled_at"])
    _record("identity.person.disabled", actor, entry, reason=WHY)


def _open_again(actor: Person, entry: DirectoryEntry) -> None:
    """What the directory itself closed, and nothing else."""
    entry.closed = False
    entry.save()
    if entry.person.memberships.filter(organisation=entry.organisation).exists():
        if entry.person.disabled_at is not None and entry.person.erased_at is None:
            entry.person.disabled_at = None
            entry.person.save(update_fields=["disabled_at"])
            entry.person.memberships.update(since=timezone.now(), warned_at=None)  # whoever was locked could not come
            _record("identity.person.enabled", actor, entry, reason="opened by the directory")
    else:
        _let_in(actor, entry)


def _let_in(actor: Person, entry: DirectoryEntry) -> None:
    Membership.objects.create(
        person=entry.person, organisation=entry.organisation, role=entry.role, supplier=entry.supplier
    )
    _record("identity.membership.added", actor, entry, role=entry.role, supplier=_firm(entry))


@transaction.atomic
def take_away(*, actor: Person, person: str) -> None:
    """Closed, and for the directory gone; the row stays for the register, and remembers who closed it."""
    entry = _entry(actor, person)
    entry.save()
    _close(actor, entry)
    entry.removed = True
    entry.changed_at = timezone.now()
    entry.save()


def _firm(entry: DirectoryEntry) -> str:
    return entry.supplier.public_id if entry.supplier else ""


def _record(code: str, actor: Person, entry: DirectoryEntry, **fields: str) -> None:
    record(
        code, organisation=entry.organisation.public_id, actor=actor.public_id, person=entry.person.public_id, **fields
    )
