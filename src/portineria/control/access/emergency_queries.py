# SPDX-License-Identifier: Apache-2.0
"""Who holds an emergency role where, and what was opened with one."""

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from portineria.control.access.models import EmergencyReview, Grant, Rule, RuleQuerySet
from portineria.control.access.reviews import ReviewQuerySet
from portineria.control.access.seer import Seer
from portineria.control.estate.models import Machine
from portineria.control.identity.models import Membership, Person, Role
from portineria.core.errors import NotFound


def roles_of(actor: Person | Seer) -> RuleQuerySet:
    """The actor's own emergency roles that count: one that was not meant for a supplier's person gives them nothing."""
    own = Membership.objects.filter(person=actor.pk, supplier__isnull=True).values("organisation")
    held = Rule.objects.emergency().holding().filter(person=actor.pk, organisation__in=actor.member_of)
    return held.filter(Q(emergency_guest=True) | Q(organisation__in=own))


def role_for(actor: Person, machine: Machine) -> Rule | None:
    """The actor's own where this machine stands."""
    return roles_of(actor).filter(emergency_plant=machine.plant_id).order_by("pk").first()


def roles(actor: Person) -> RuleQuerySet:
    """All that hold in the organisations whose staff the actor is."""
    found = Rule.objects.emergency().holding().filter(organisation__in=actor.staff_of)
    found = found.select_related("organisation", "person", "emergency_plant")
    return found.order_by("emergency_plant__name", "person__name", "pk")


def role(actor: Person, public_id: str) -> Rule:
    found = roles(actor).filter(public_id=public_id).first()
    if found is None:
        raise NotFound(f"emergency role {public_id}")
    return found


def open_grant(actor: Person, machine: Machine) -> Grant | None:
    """What the actor opened there in an emergency and still may use."""
    live = Grant.objects.live(timezone.now()).filter(person=actor, machine=machine)
    return live.filter(rule__emergency_plant__isnull=False).select_related("request").order_by("pk").first()


def reviews(actor: Person) -> ReviewQuerySet:
    """The oldest first. ``mine``: whether the actor may sign it."""
    approving = Membership.objects.filter(
        person=actor, organisation=OuterRef("organisation"), role__in=[role.value for role in Role if role.approves]
    )
    found = EmergencyReview.objects.visible_to(actor).annotate(approving=Exists(approving))
    found = found.select_related(
        "organisation", "machine__plant", "machine__line", "person", "second", "signed_by", "gateway__plant",
        "grant__request", "supplier",
    )  # fmt: skip
    return found.order_by("opened_at", "pk")


def review(actor: Person, public_id: str) -> EmergencyReview:
    found = reviews(actor).filter(public_id=public_id).first()
    if found is None:
        raise NotFound(f"emergency review {public_id}")
    return found


def may_sign(actor: Person, review: EmergencyReview) -> bool:
    role = actor.role_in(review.organisation_id)
    return role is not None and role.approves and actor.pk not in (review.person_id, review.second_id)
