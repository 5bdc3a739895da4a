# SPDX-License-Identifier: Apache-2.0
"""Who looks on at sessions, which of them stand still or write a program, and who opened a
recording on its page.

Rows: of sessions none changes, their new columns have defaults; two new tables, a row for each person and session they
looked on at, or recording they opened.
Locks: PostgreSQL adds columns with constant defaults without rewriting the table.
Back: reversible; then it is forgotten who looked on, and what stands still goes on standing at its gateway.
"""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("remote_sessions", "0006_recordings"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Watching",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("first_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("seen_at", models.DateTimeField(blank=True, null=True)),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "session",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="watchings",
                        to="remote_sessions.session",
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="watching",
            constraint=models.UniqueConstraint(fields=("session", "person"), name="sessions_watching"),
        ),
        migrations.CreateModel(
            name="RecordingReading",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("first_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "recording",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="readings",
                        to="remote_sessions.recording",
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="recordingreading",
            constraint=models.UniqueConstraint(fields=("recording", "person"), name="sessions_recording_reading"),
        ),
        migrations.AddField("session", "freeze_letter", models.BinaryField(default=b"")),
        migrations.AddField("session", "freeze_number", models.PositiveIntegerField(default=0)),
        migrations.AddField("session", "frozen", models.BooleanField(default=False)),
        migrations.AddField("session", "freeze_proven_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddField("session", "freeze_latency_ms", models.PositiveIntegerField(blank=True, null=True)),
        migrations.AddField("session", "transfer_since", models.DateTimeField(blank=True, null=True)),
    ]
