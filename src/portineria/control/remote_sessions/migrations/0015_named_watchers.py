# SPDX-License-Identifier: Apache-2.0
"""When whoever a rule names to watch was last there: at a session, and before one begins.

Rows: every session gets a column that may be null: nobody was; a new table, a row for each grant under a rule that names
somebody. What runs under such a rule goes on for as long as the setting ``watch_grace_s`` says from its beginning, and
then only while it is watched. Locks: instant. Back: reversible; it is forgotten who stood by.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0019_company_devices"),
        ("remote_sessions", "0014_directory_ends"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField("session", "watched_at", models.DateTimeField(blank=True, null=True)),
        migrations.CreateModel(
            name="StandingBy",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("seen_at", models.DateTimeField(blank=True, null=True)),
                (
                    "grant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="standing_by", to="access.grant"
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="standingby",
            constraint=models.UniqueConstraint(fields=("grant", "person"), name="sessions_standing_by"),
        ),
    ]
