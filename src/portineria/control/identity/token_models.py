# SPDX-License-Identifier: Apache-2.0
"""What connectors and programs prove themselves with."""

from datetime import datetime
from functools import partial

from django.db import models
from django.db.models import Q
from django.utils import timezone

from portineria.core.ids import Kind, new_id


class _Expiring(models.Model):
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    address = models.CharField(max_length=64, blank=True)
    name = models.CharField(max_length=64)

    class Meta:
        abstract = True

    def expired(self, at: datetime) -> bool:
        return at >= self.expires_at


class AuthorisationCode(_Expiring):
    """One use, sixty seconds: what the browser brings back to the connector that opened it."""

    code_sha256 = models.BinaryField(max_length=32, unique=True)
    person = models.ForeignKey("identity.Person", on_delete=models.CASCADE)
    challenge = models.CharField(max_length=64)
    key = models.BinaryField(max_length=32)
    factor_at = models.DateTimeField(null=True)  # when the browser's person last proved a second factor there
    used_at = models.DateTimeField(null=True)


class ConnectorToken(_Expiring):
    """Worth nothing without the key it is bound to."""

    public_id = models.CharField(max_length=24, unique=True, editable=False, default=partial(new_id, Kind.CONNECTOR))
    token_sha256 = models.BinaryField(max_length=32, unique=True)
    person = models.ForeignKey("identity.Person", on_delete=models.CASCADE, related_name="connector_tokens")
    key = models.BinaryField(max_length=32)
    # Of the password it was issued under, as Django's own browser sessions have it: another password ends the token.
    password_mark = models.CharField(max_length=128, default="")
    factor_at = models.DateTimeField(null=True)  # in the browser that gave it; null: nobody knows
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(name="identity_token_ends", condition=Q(expires_at__gt=models.F("created_at")))
        ]


class UsedProof(models.Model):
    """A signed request that was taken: it is not taken again. Kept for as long as its time would fit."""

    token = models.ForeignKey(ConnectorToken, on_delete=models.CASCADE, related_name="used_proofs")
    nonce = models.BinaryField(max_length=16)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(name="identity_proof_once", fields=["token", "nonce"])]


class ApiToken(_Expiring):
    """By which programs act as a service account. There is no column for approving: no row can say that one may."""

    public_id = models.CharField(max_length=24, unique=True, editable=False, default=partial(new_id, Kind.API_TOKEN))
    token_sha256 = models.BinaryField(max_length=32, unique=True)
    person = models.ForeignKey("identity.Person", on_delete=models.CASCADE, related_name="api_tokens")
    asks = models.BooleanField(default=False)
    operates = models.BooleanField(default=False)
    provisions = models.BooleanField(default=False)  # speaks SCIM for a directory, and does nothing else
    key = models.BinaryField(max_length=32, default=b"")  # Ed25519; empty: whoever has the token has everything
    used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(name="identity_api_token_ends", condition=Q(expires_at__gt=models.F("created_at"))),
            models.CheckConstraint(
                name="identity_api_token_provisions_alone",
                condition=Q(provisions=False) | Q(asks=False, operates=False),
            ),
        ]


class UsedApiProof(models.Model):
    """As ``UsedProof``, of a service account's token that is bound to a key."""

    token = models.ForeignKey(ApiToken, on_delete=models.CASCADE, related_name="used_proofs")
    nonce = models.BinaryField(max_length=16)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(name="identity_api_proof_once", fields=["token", "nonce"])]
