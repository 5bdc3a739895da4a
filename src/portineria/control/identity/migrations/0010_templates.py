# SPDX-License-Identifier: Apache-2.0
"""The template by which an organisation was set up.

Rows: one for each organisation that keeps one, 256 KiB at most. Locks: none, a new table. Back: reversible; the files
are forgotten.
"""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("identity", "0009_delegations"),
    ]

    operations = [
        migrations.CreateModel(
            name="Template",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("content", models.BinaryField(max_length=262144)),
                ("kept_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "kept_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "organisation",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="template", to="identity.organisation"
                    ),
                ),
            ],
        ),
    ]
