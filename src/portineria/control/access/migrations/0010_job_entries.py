# SPDX-License-Identifier: Apache-2.0
"""What people write about the work of a request.

Rows: a new table, empty. Locks: none beside the short ones for foreign keys to organisations and people. Back:
reversible, and what was written is gone then.
"""

import functools

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import portineria.core.ids


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0009_narrower_and_bundles"),
        ("identity", "0005_lead"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="JobEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.CharField(
                        default=functools.partial(
                            portineria.core.ids.new_id, *(portineria.core.ids.Kind["JOB_ENTRY"],), **{}
                        ),
                        editable=False,
                        max_length=24,
                        unique=True,
                    ),
                ),
                ("job", models.CharField(max_length=24)),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("kind", models.CharField(choices=[("note", "Note"), ("handover", "Handover")], max_length=8)),
                ("text", models.CharField(blank=True, max_length=2000)),
                ("file_name", models.CharField(blank=True, max_length=100)),
                ("file_kind", models.CharField(blank=True, max_length=4)),
                ("content", models.BinaryField(default=b"", max_length=1048576)),
                (
                    "author",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="job_entries",
                        to="identity.organisation",
                    ),
                ),
                (
                    "to",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["job", "id"], name="access_job_of")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("kind", "note"), ("to__isnull", True)),
                            models.Q(("kind", "handover"), ("to__isnull", False)),
                            _connector="OR",
                        ),
                        name="access_job_handover_to",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("text", ""), _negated=True),
                            models.Q(("file_name", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="access_job_says_something",
                    ),
                ],
            },
        ),
    ]
