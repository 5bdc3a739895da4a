# SPDX-License-Identifier: Apache-2.0
"""Who outside says who somebody is: an organisation's identity providers, and what they may say there."""

from functools import partial
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone

from portineria.control.identity.said_factor import FactorTerms
from portineria.core.ids import Kind, new_id

if TYPE_CHECKING:
    from portineria.control.identity.models import Person

GROUP_CHARACTERS = 200  # a name, a path of Keycloak, an object id of Entra, a distinguished name
_ROLES = ("administrator", "approver", "operator", "technician")
_ROLES_OF_EVERYBODY = ("operator", "technician")  # nobody approves because they have an account somewhere


class ProviderQuerySet(models.QuerySet["IdentityProvider"]):
    def visible_to(self, actor: "Person") -> "ProviderQuerySet":
        return self.filter(organisation__in=actor.staff_of)


class ProviderKind(models.TextChoices):
    OPENID = "openid", "OpenID Connect"
    SAML = "saml", "SAML 2.0"


class IdentityProvider(models.Model):
    """``issuer`` is pinned when it is added: what it signs counts under this name only, and another one is another
    provider. Its subjects are the sign-in library's accounts, under ``public_id``.
    """

    public_id: "models.CharField[str, str]" = models.CharField(
        max_length=24, unique=True, editable=False, default=partial(new_id, Kind.PROVIDER)
    )
    organisation = models.ForeignKey("identity.Organisation", on_delete=models.PROTECT, related_name="providers")
    kind = models.CharField(max_length=8, choices=ProviderKind.choices)
    name = models.CharField(max_length=60)
    issuer = models.CharField(max_length=200)
    settings = models.JSONField(default=dict)  # addresses, client id, certificates: nothing secret
    wrapped = models.BinaryField(default=b"")  # the client's secret, under the master key
    groups_claim = models.CharField(max_length=120, blank=True)  # empty: this provider names no groups
    factor_counts = models.BooleanField(default=False)  # whether a second factor that it shows is taken for one here
    factor_levels = models.CharField(max_length=400, blank=True)  # ``said_factor.FactorTerms``, between spaces
    created_at = models.DateTimeField(default=timezone.now)
    disabled_at = models.DateTimeField(null=True, blank=True)

    objects = ProviderQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="identity_provider_name", fields=["organisation", "name"]),
            models.UniqueConstraint(name="identity_provider_issuer", fields=["organisation", "issuer"]),
            models.CheckConstraint(name="identity_provider_kind", condition=Q(kind__in=ProviderKind.values)),
            models.CheckConstraint(name="identity_provider_has_issuer", condition=~Q(issuer="")),
            models.CheckConstraint(
                name="identity_provider_levels_count", condition=Q(factor_counts=True) | Q(factor_levels="")
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def enabled(self) -> bool:
        return self.disabled_at is None

    @property
    def factor_terms(self) -> FactorTerms:
        return FactorTerms(self.factor_counts, tuple(self.factor_levels.split()))


class ProviderDomain(models.Model):
    """People with addresses of this domain come by this provider, once it is confirmed that it is the organisation's:
    whoever may claim any domain is asked for other people's passwords.
    """

    provider = models.ForeignKey(IdentityProvider, on_delete=models.CASCADE, related_name="domains")
    domain = models.CharField(max_length=253)
    confirmed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="identity_domain_once", fields=["provider", "domain"]),
            models.UniqueConstraint(
                name="identity_domain_one_provider", fields=["domain"], condition=Q(confirmed_at__isnull=False)
            ),
            models.CheckConstraint(name="identity_domain_lower", condition=Q(domain=Lower("domain"))),
        ]

    def __str__(self) -> str:
        return self.domain


class GroupRole(models.Model):
    """Who is in ``group`` at the provider has this role here; the empty group is everybody whom it knows."""

    provider = models.ForeignKey(IdentityProvider, on_delete=models.CASCADE, related_name="group_roles")
    group = models.CharField(max_length=GROUP_CHARACTERS, blank=True)
    role = models.CharField(max_length=16)
    supplier = models.ForeignKey(
        "identity.Supplier", on_delete=models.PROTECT, null=True, blank=True, related_name="group_roles"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(name="identity_group_once", fields=["provider", "group"]),
            models.CheckConstraint(name="identity_group_role", condition=Q(role__in=_ROLES)),
            models.CheckConstraint(
                name="identity_group_supplier_is_technician", condition=Q(supplier__isnull=True) | Q(role="technician")
            ),
            models.CheckConstraint(
                name="identity_group_everybody", condition=~Q(group="") | Q(role__in=_ROLES_OF_EVERYBODY)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.group or '*'}: {self.role}"
