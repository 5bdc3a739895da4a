# SPDX-License-Identifier: Apache-2.0
"""Programs of an organisation have accounts of their own, and tokens by which they act.

Rows and locks: two tables are new; every person gets a column with its default, and PostgreSQL looks at every person
and membership once for the constraints, which no row there is can break. Back: reversible where there is no service
account.
"""

import functools

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models
from django.db.models import F, Q

import portineria.core.ids

_ROLES = [
    ("administrator", "Administrator"), ("approver", "Approver"), ("operator", "Operator"),
    ("technician", "Technician"), ("service", "Service"),
]  # fmt: skip


class Migration(migrations.Migration):
    dependencies = [("identity", "0005_lead")]

    operations = [
        migrations.AddField("person", "is_service", models.BooleanField(default=False)),
        migrations.AddConstraint(
            "person",
            models.CheckConstraint(
                condition=Q(("is_service", False), ("password__startswith", "!"), _connector="OR"),
                name="identity_service_has_no_password",
            ),
        ),
        migrations.RemoveConstraint("membership", "identity_membership_role"),
        migrations.AlterField("membership", "role", models.CharField(choices=_ROLES, max_length=16)),
        migrations.AlterField("membershipoffer", "role", models.CharField(choices=_ROLES, max_length=16)),
        migrations.AddConstraint(
            "membership",
            models.CheckConstraint(
                condition=Q(role__in=[value for value, _ in _ROLES]), name="identity_membership_role"
            ),
        ),
        migrations.CreateModel(
            "ApiToken",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("expires_at", models.DateTimeField()),
                ("address", models.CharField(blank=True, max_length=64)),
                ("name", models.CharField(max_length=64)),
                (
                    "public_id",
                    models.CharField(
                        default=functools.partial(portineria.core.ids.new_id, portineria.core.ids.Kind.API_TOKEN),
                        editable=False,
                        max_length=24,
                        unique=True,
                    ),
                ),
                ("token_sha256", models.BinaryField(max_length=32, unique=True)),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="api_tokens",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("asks", models.BooleanField(default=False)),
                ("operates", models.BooleanField(default=False)),
                ("key", models.BinaryField(default=b"", max_length=32)),
                ("used_at", models.DateTimeField(null=True)),
                ("revoked_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.AddConstraint(
            "apitoken",
            models.CheckConstraint(condition=Q(expires_at__gt=F("created_at")), name="identity_api_token_ends"),
        ),
        migrations.CreateModel(
            "UsedApiProof",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "token",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="used_proofs",
                        to="identity.apitoken",
                    ),
                ),
                ("nonce", models.BinaryField(max_length=16)),
                ("at", models.DateTimeField()),
            ],
        ),
        migrations.AddConstraint(
            "usedapiproof",
            models.UniqueConstraint(fields=["token", "nonce"], name="identity_api_proof_once"),
        ),
    ]
