# SPDX-License-Identifier: Apache-2.0
"""A rule names several people to watch; whoever asked for more time may withdraw that.

Rows: a new table, empty; whom a rule names already stays in its own row. Questions for more time may have one more
state. Locks: PostgreSQL reads access_extension once while it checks the new constraint: a few rows. Back: reversible
while no question was withdrawn; whom a rule names besides the first is then in the register only.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0022_least_standing"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="RuleWatcher",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "rule",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="watchers", to="access.rule"
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("rule", "person"), name="access_watcher_once")],
            },
        ),
        migrations.RemoveConstraint(model_name="extension", name="access_extension_decided"),
        migrations.AlterField(
            model_name="extension",
            name="state",
            field=models.CharField(
                choices=[
                    ("pending", "Pending"),
                    ("approved", "Approved"),
                    ("refused", "Refused"),
                    ("expired", "Expired"),
                    ("cancelled", "Cancelled"),
                ],
                default="pending",
                max_length=12,
            ),
        ),
        migrations.AddConstraint(
            model_name="extension",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("decided_at__isnull", True),
                    ("decided_by__isnull", True),
                    ("state__in", ["pending", "expired", "cancelled"]),
                )
                | models.Q(("decided_at__isnull", False), ("state", "approved"))
                | models.Q(("decided_at__isnull", False), ("decided_by__isnull", False), ("state", "refused")),
                name="access_extension_decided",
            ),
        ),
    ]
