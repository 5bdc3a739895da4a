# SPDX-License-Identifier: Apache-2.0
"""Function profiles, and the rules and grants that name one.

Rows: none is rewritten: rules and grants that are there name none, and everything passes under them as before.
Locks: a new table; two nullable columns and one with a constant value, instant on PostgreSQL beside the short lock for
each foreign key, a copy of both tables on SQLite. Back: reversible while no rule names a profile.
"""

import functools

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import portineria.core.ids


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0003_found_by_indexes"),
        ("identity", "0005_lead"),
    ]

    operations = [
        migrations.CreateModel(
            name="FunctionProfile",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.CharField(
                        default=functools.partial(portineria.core.ids.new_id, portineria.core.ids.Kind["PROFILE"]),
                        editable=False,
                        max_length=24,
                        unique=True,
                    ),
                ),
                ("name", models.CharField(max_length=60)),
                ("version", models.PositiveIntegerField()),
                ("content", models.BinaryField(max_length=16384)),
                ("made_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="profiles",
                        to="identity.organisation",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("organisation", "name", "version"), name="access_profile_version"),
                    models.CheckConstraint(condition=models.Q(("version__gte", 1)), name="access_profile_numbered"),
                ],
            },
        ),
        migrations.AddField(
            model_name="rule",
            name="profile",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="rules",
                to="access.functionprofile",
            ),
        ),
        migrations.AddField(
            model_name="rule",
            name="only_decoded",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="grant",
            name="profile",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="grants",
                to="access.functionprofile",
            ),
        ),
    ]
