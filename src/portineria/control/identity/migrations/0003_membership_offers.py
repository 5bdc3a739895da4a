# SPDX-License-Identifier: Apache-2.0
"""Somebody known here already is asked before another organisation counts them among its people.

Rows and locks: none, the table is new. Back: reversible; offers that nobody has answered are lost.
"""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

_ROLES = [
    ("administrator", "Administrator"), ("approver", "Approver"), ("operator", "Operator"), ("technician", "Technician"),
]  # fmt: skip


class Migration(migrations.Migration):
    dependencies = [("identity", "0002_requests_count_once")]

    operations = [
        migrations.CreateModel(
            name="MembershipOffer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("role", models.CharField(choices=_ROLES, max_length=16)),
                ("offered_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="membership_offers",
                        to="identity.organisation",
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="membership_offers",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "supplier",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="membership_offers",
                        to="identity.supplier",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("person", "organisation"), name="identity_offer_one"),
                    models.CheckConstraint(
                        condition=models.Q(("supplier__isnull", True), ("role", "technician"), _connector="OR"),
                        name="identity_offer_supplier_is_technician",
                    ),
                ]
            },
        ),
    ]
