# SPDX-License-Identifier: Apache-2.0
"""Memberships of suppliers' people have an end and a sponsor, and organisations say how far away the end is at most.

Rows: nobody gets an end or a sponsor by this upgrade; the console shows whom that concerns. Locks: the short ones that
columns with a constant default take, then scans of memberships, organisations and what closed, for the constraints.
Back: reversible once nothing is closed because its end had come; ends and sponsors are lost.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q


def _sponsor() -> "models.ForeignKey[object, object]":
    return models.ForeignKey(
        blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="sponsored_%(class)ss",
        to=settings.AUTH_USER_MODEL,
    )  # fmt: skip


class Migration(migrations.Migration):
    dependencies = [
        ("identity", "0019_unused_accounts_close"),
    ]

    operations = [
        migrations.AddField("membership", "ends_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddField("membership", "sponsor", _sponsor()),
        migrations.AddField("membershipoffer", "ends_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddField("membershipoffer", "sponsor", _sponsor()),
        migrations.AddField("organisation", "stay_days", models.PositiveSmallIntegerField(default=365)),
        migrations.AddConstraint(
            model_name="organisation",
            constraint=models.CheckConstraint(name="identity_stay_days", condition=Q(stay_days__range=(1, 3650))),
        ),
        migrations.AddConstraint(
            model_name="membership",
            constraint=models.CheckConstraint(
                name="identity_stay_of_supplier",
                condition=Q(supplier__isnull=False) | Q(ends_at__isnull=True, sponsor__isnull=True),
            ),
        ),
        migrations.RemoveConstraint(model_name="closedmembership", name="identity_closed_why"),
        migrations.AlterField(
            model_name="closedmembership", name="why",
            field=models.CharField(choices=[("unused", "Unused"), ("over", "Over")], max_length=8),
        ),
        migrations.AddConstraint(
            model_name="closedmembership",
            constraint=models.CheckConstraint(condition=Q(why__in=["unused", "over"]), name="identity_closed_why"),
        ),
    ]  # fmt: skip
