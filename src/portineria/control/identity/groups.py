# SPDX-License-Identifier: Apache-2.0
"""Who is in which group: by hand, by what an identity provider says at a sign-in, or by a directory.

To leave a group is a matter of security: whoever takes somebody out says who they are no longer, and sessions under
rules for that group are cut. Whoever wants work to finish changes the rule instead.
"""

from collections.abc import Iterable

from allauth.socialaccount.models import SocialAccount
from django.db import transaction
from django.utils import timezone

from portineria.control.audit.services import record
from portineria.control.identity.authority import Actor, Operator, administers, organisation_of, require
from portineria.control.identity.claims import Refusal, Vouched
from portineria.control.identity.group_models import Group, GroupMember, GroupSource, JoinedBy
from portineria.control.identity.models import Membership, Organisation, Person, Role
from portineria.control.identity.provider_models import GROUP_CHARACTERS, IdentityProvider
from portineria.control.identity.services import BadField, NameTaken, clean_name
from portineria.core.errors import Conflict, NotFound

MOST_GROUPS, MOST_SOURCES = 500, 50  # of one organisation, of one group


class TooManyGroups(Conflict):
    code = "identity.group.too-many"


class InAlready(Conflict):
    code = "identity.group.in-already"


@transaction.atomic
def create_group(*, actor: Actor, organisation: str, name: str) -> Group:
    """Raise NameTaken, TooManyGroups."""
    owner = organisation_of(actor, organisation)
    require(actor, owner.pk, administers)
    return make_group(actor.public_id, owner, name)


def make_group(actor: str, owner: Organisation, name: str, **kept: object) -> Group:
    """Inside a transaction, once it is established that the actor may."""
    name = clean_name(name)
    Organisation.objects.select_for_update(no_key=True).get(pk=owner.pk)  # one after the other, for the number
    there = Group.objects.open().filter(organisation=owner)
    if there.filter(name=name).exists():
        raise NameTaken(f"group {name!r}")
    if there.count() >= MOST_GROUPS:
        raise TooManyGroups(f"{MOST_GROUPS} groups")
    made = Group.objects.create(organisation=owner, name=name, **kept)
    record("identity.group.created", organisation=owner.public_id, actor=actor, group=made.public_id, name=name)
    return made


def _to_change(actor: Actor, group: str) -> Group:
    seen = Group.objects.all() if isinstance(actor, Operator) else Group.objects.visible_to(actor)
    row = seen.open().select_for_update(of=("self",), no_key=True).select_related("organisation")
    found = row.filter(public_id=group).first()
    if found is None:
        raise NotFound(f"group {group}")
    require(actor, found.organisation_id, administers)
    return found


@transaction.atomic
def close_group(*, actor: Actor, group: str, reason: str) -> Group:
    """Everybody leaves it. Rules that name it stay, and let nobody in."""
    return shut(actor.public_id, _to_change(actor, group), reason)


def shut(actor: str, row: Group, reason: str) -> Group:
    """Inside a transaction, with the row locked."""
    row.members.all().delete()
    row.sources.all().delete()
    row.closed_at, row.external_id = timezone.now(), ""
    row.save(update_fields=["closed_at", "external_id"])
    record(
        "identity.group.closed", organisation=row.organisation.public_id, actor=actor, group=row.public_id,
        name=row.name, reason=reason,
    )  # fmt: skip
    return row


@transaction.atomic
def put_in(*, actor: Actor, group: str, person: str) -> None:
    """By hand: no provider and no directory takes them out again. Raise InAlready."""
    row = _to_change(actor, group)
    if not join(actor.public_id, row, _membership(row, person), JoinedBy.HAND):
        raise InAlready(f"{person} is in {group}")


@transaction.atomic
def take_out(*, actor: Actor, group: str, person: str, by: Iterable[JoinedBy] = tuple(JoinedBy)) -> None:
    """Whoever of ``by`` put them in. A provider that still names the group puts them in at the next sign-in."""
    row = _to_change(actor, group)
    membership = _membership(row, person)
    if not leave(actor.public_id, row, membership, *by):
        raise NotFound(f"{person} in {group}")


def _membership(group: Group, person: str) -> Membership:
    rows = Membership.objects.filter(organisation=group.organisation_id, person__public_id=person)
    found = rows.exclude(role=Role.SERVICE).select_related("person").first()
    if found is None:
        raise NotFound(f"person {person}")
    return found


def join(actor: str, group: Group, membership: Membership, by: JoinedBy) -> bool:
    """Inside a transaction, with the group locked. Return whether that is one reason more."""
    others = list(group.members.filter(membership=membership).values_list("by", flat=True))
    if by.value in others:
        return False
    GroupMember.objects.create(group=group, membership=membership, by=by)
    if not others:
        _record("joined", actor, group, membership, by)
    return True


def leave(actor: str, group: Group, membership: Membership, *by: JoinedBy) -> bool:
    """As ``join``. Whoever is in it for another reason as well stays."""
    gone, _ = group.members.filter(membership=membership, by__in=by).delete()
    if gone and not group.members.filter(membership=membership).exists():
        _record("left", actor, group, membership, by[0] if len(by) == 1 else JoinedBy.HAND)
    return bool(gone)


def _record(what: str, actor: str, group: Group, membership: Membership, by: JoinedBy) -> None:
    record(
        f"identity.group.{what}", organisation=group.organisation.public_id, actor=actor,
        group=group.public_id, person=membership.person.public_id, joined_by=by.value,
    )  # fmt: skip


@transaction.atomic
def add_source(*, actor: Actor, group: str, provider: str, claimed: str) -> GroupSource:
    """From the next sign-in on, whoever the provider says is in ``claimed`` is in the group."""
    row = _to_change(actor, group)
    known = IdentityProvider.objects.filter(organisation=row.organisation_id, public_id=provider).first()
    if known is None:
        raise NotFound(f"provider {provider}")
    claimed = clean_name(claimed, "claimed", characters=GROUP_CHARACTERS)
    if row.sources.filter(provider=known, claimed=claimed).exists():
        raise NameTaken(f"group {claimed!r} of {provider}")
    if row.sources.count() >= MOST_SOURCES:
        raise BadField("claimed", f"at most {MOST_SOURCES}")
    made = GroupSource.objects.create(group=row, provider=known, claimed=claimed)
    record(
        "identity.group.sourced", organisation=row.organisation.public_id, actor=actor.public_id,
        group=row.public_id, provider=provider, claimed=claimed,
    )  # fmt: skip
    return made


@transaction.atomic
def remove_source(*, actor: Actor, group: str, source: int) -> None:
    """Whom any provider put in leaves at once; what other groups of theirs give, the next sign-in gives back."""
    row = _to_change(actor, group)
    gone = row.sources.select_related("provider").filter(pk=source).first()
    if gone is None:
        raise NotFound(f"source {source} of {group}")
    gone.delete()
    record(
        "identity.group.unsourced", organisation=row.organisation.public_id, actor=actor.public_id,
        group=row.public_id, provider=gone.provider.public_id, claimed=gone.claimed,
    )  # fmt: skip
    for member in row.members.filter(by=JoinedBy.PROVIDER).select_related("membership__person").order_by("pk"):
        leave(actor.public_id, row, member.membership, JoinedBy.PROVIDER)


def take_claims(provider: IdentityProvider, person: Person, vouched: Vouched) -> None:
    """Inside the transaction of a sign-in that succeeded. Where the provider only says that the groups are too many to
    name, nothing is known, and nothing changes.
    """
    if vouched.groups is Refusal.GROUPS_ELSEWHERE:
        return
    membership = person.memberships.filter(organisation=provider.organisation_id).select_related("person").first()
    named = frozenset[str]() if isinstance(vouched.groups, Refusal) else vouched.groups
    wanted = set(provider.group_sources.filter(claimed__in=named).values_list("group_id", flat=True))
    given = GroupMember.objects.filter(membership=membership, by=JoinedBy.PROVIDER)
    concerned = wanted | set(given.values_list("group_id", flat=True))
    if membership is not None and concerned:
        _settle(provider.public_id, concerned, wanted, membership)


def forget_claims(actor: str, provider: IdentityProvider, person: Person | None = None) -> None:
    """Inside a transaction: whom it knows, or this one of them, leaves the groups that its word put them in."""
    known = SocialAccount.objects.filter(provider=provider.public_id)
    people = [person.pk] if person is not None else list(known.values_list("user_id", flat=True))
    rows = Membership.objects.filter(organisation=provider.organisation_id, person__in=people)
    for membership in rows.filter(in_groups__by=JoinedBy.PROVIDER).select_related("person").distinct().order_by("pk"):
        given = set(membership.in_groups.filter(by=JoinedBy.PROVIDER).values_list("group_id", flat=True))
        _settle(actor, given, set(), membership)


def _settle(actor: str, concerned: Iterable[int], wanted: set[int], membership: Membership) -> None:
    rows = Group.objects.open().filter(pk__in=concerned).select_related("organisation").order_by("pk")
    for group in rows.select_for_update(of=("self",), no_key=True):
        act = join if group.pk in wanted else leave
        act(actor, group, membership, JoinedBy.PROVIDER)
