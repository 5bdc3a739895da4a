# SPDX-License-Identifier: Apache-2.0
"""Second factors that people have at their company's own sign-in, where its word counts for that."""

from django.db import models
from django.db.models import Exists, OuterRef
from django.utils import timezone

from portineria.control.identity.provider_models import IdentityProvider


class ProvidedFactor(models.Model):
    """This provider has shown a second factor of this person. Worth something for as long as the provider's word
    counts (``counting``); in which browser, and when, stands in that browser's own records (``fresh_factor``).
    """

    person = models.ForeignKey("identity.Person", on_delete=models.CASCADE, related_name="provided_factors")
    provider = models.ForeignKey(IdentityProvider, on_delete=models.CASCADE, related_name="provided_factors")
    first_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(name="identity_provided_factor_one", fields=["person", "provider"])]

    def __str__(self) -> str:
        return f"{self.person_id} by {self.provider_id}"


def counting() -> "models.QuerySet[ProvidedFactor]":
    """Those of providers whose word counts now."""
    return ProvidedFactor.objects.filter(provider__factor_counts=True, provider__disabled_at__isnull=True)


def provided(person: str, organisation: str) -> Exists:
    """Of a row that names both: a provider speaks within its own organisation only."""
    return Exists(counting().filter(person=OuterRef(person), provider__organisation=OuterRef(organisation)))
