# SPDX-License-Identifier: Apache-2.0
from dataclasses import dataclass

from allauth.socialaccount.models import SocialAccount
from django.db.models import Count, Exists, OuterRef, Q

from portineria.control.identity.models import Person
from portineria.control.identity.provider_models import IdentityProvider, ProviderQuerySet
from portineria.core.errors import NotFound


def providers(actor: Person) -> ProviderQuerySet:
    """Each with ``people``: how many memberships rest on it."""
    rows = IdentityProvider.objects.visible_to(actor).select_related("organisation")
    return rows.annotate(people=Count("group_roles__memberships", distinct=True)).order_by("name", "pk")


def named_providers(actor: Person) -> ProviderQuerySet:
    """For their names alone."""
    return IdentityProvider.objects.visible_to(actor)


def provider(actor: Person, public_id: str) -> IdentityProvider:
    """Raise NotFound."""
    found = providers(actor).filter(public_id=public_id).first()
    if found is None:
        raise NotFound(f"provider {public_id}")
    return found


def provider_for(email: str) -> IdentityProvider | None:
    """By whom people with such an address sign in. Asked by anybody; says the same for addresses that nobody has."""
    domain = email.strip().lower().rpartition("@")[2]
    rows = IdentityProvider.objects.filter(domains__domain=domain, domains__confirmed_at__isnull=False)
    return rows.filter(disabled_at__isnull=True).first()


def enabled_provider(public_id: str) -> IdentityProvider | None:
    """For the sign-in itself, before anybody is known."""
    return IdentityProvider.objects.filter(public_id=public_id, disabled_at__isnull=True).first()


def any_provider() -> bool:
    """Whether the sign-in page offers it at all."""
    return IdentityProvider.objects.filter(disabled_at__isnull=True).exists()


@dataclass(frozen=True, slots=True)
class OwnProviders:
    connected: list[IdentityProvider]  # the actor's own identities elsewhere
    connectable: list[IdentityProvider]  # to what somebody may connect their account who is of one organisation only


def own_providers(actor: Person) -> OwnProviders:
    mine = Exists(SocialAccount.objects.filter(user=actor, provider=OuterRef("public_id")))
    here = Q(organisation__in=actor.member_of if len(actor.member_of) == 1 else [], disabled_at__isnull=True)
    rows = list(IdentityProvider.objects.annotate(mine=mine).filter(Q(mine=True) | here).order_by("name"))
    return OwnProviders(
        [row for row in rows if row.__dict__["mine"]], [row for row in rows if not row.__dict__["mine"]]
    )
