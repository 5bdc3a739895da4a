# SPDX-License-Identifier: Apache-2.0
"""Memberships that nobody uses close by themselves: after how many days, when each was used last, what was closed.

Rows: every membership begins now, so nobody is away for longer than since this upgrade; suppliers' people close after
90 days and programs after 180, as in a new installation, each told two weeks before. Locks: the short ones that columns
with a constant default take, and a scan of the organisations. Back: reversible; what closed stays closed.
"""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q

_RANGE = (30, 3650)


class Migration(migrations.Migration):
    dependencies = [
        ("identity", "0018_second_factors_of_providers"),
    ]

    operations = [
        migrations.AddField("person", "used_at", models.DateTimeField(editable=False, null=True)),
        migrations.AddField("membership", "since", models.DateTimeField(default=django.utils.timezone.now)),
        migrations.AddField("membership", "warned_at", models.DateTimeField(editable=False, null=True)),
        migrations.AddField("organisation", "unused_days_supplied", models.PositiveSmallIntegerField(default=90)),
        migrations.AddField("organisation", "unused_days_own", models.PositiveSmallIntegerField(default=0)),
        migrations.AddField("organisation", "unused_days_programs", models.PositiveSmallIntegerField(default=180)),
        migrations.AddConstraint(
            model_name="organisation",
            constraint=models.CheckConstraint(
                name="identity_unused_days",
                condition=(Q(unused_days_supplied=0) | Q(unused_days_supplied__range=_RANGE))
                & (Q(unused_days_own=0) | Q(unused_days_own__range=_RANGE))
                & (Q(unused_days_programs=0) | Q(unused_days_programs__range=_RANGE)),
            ),
        ),
        migrations.CreateModel(
            name="ClosedMembership",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("role", models.CharField(max_length=16)),
                ("why", models.CharField(choices=[("unused", "Unused")], max_length=8)),
                ("used_at", models.DateTimeField()),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="identity.organisation"
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="closed_memberships",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "supplier",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+",
                        to="identity.supplier",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=["person", "organisation"], name="identity_closed_one"),
                    models.CheckConstraint(condition=Q(why__in=["unused"]), name="identity_closed_why"),
                    models.CheckConstraint(
                        condition=Q(supplier__isnull=True) | Q(role="technician"),
                        name="identity_closed_supplier_is_technician",
                    ),
                ],
            },
        ),
    ]  # fmt: skip
