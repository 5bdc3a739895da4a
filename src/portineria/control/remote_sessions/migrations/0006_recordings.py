# SPDX-License-Identifier: Apache-2.0
"""Recordings that gateways bring, their chunks, and whom they are encrypted to.

Rows: none change; three new tables.
Locks: none that anybody waits for.
Back: reversible while nothing is recorded; then the rows are lost, the chunks stay in the store.
"""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("identity", "0005_lead"),
        ("remote_sessions", "0005_found_by_indexes"),
    ]

    operations = [
        migrations.CreateModel(
            name="Recording",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("key", models.BinaryField(max_length=32)),
                ("chunks", models.PositiveIntegerField(default=0)),
                (
                    "head",
                    models.BinaryField(
                        default=b"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
                        max_length=32,
                    ),
                ),
                ("size", models.PositiveBigIntegerField(default=0)),
                ("to_device", models.PositiveBigIntegerField(default=0)),
                ("from_device", models.PositiveBigIntegerField(default=0)),
                ("lost", models.PositiveBigIntegerField(default=0)),
                ("end", models.CharField(blank=True, max_length=32)),
                ("began_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "session",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="recordings",
                        to="remote_sessions.session",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="RecordingChunk",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField()),
                ("sha256", models.BinaryField(max_length=32)),
                ("size", models.PositiveIntegerField()),
                (
                    "recording",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="parts",
                        to="remote_sessions.recording",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="RecordingRecipient",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("recipient", models.CharField(max_length=128)),
                ("wrapped", models.BinaryField(default=b"")),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("retired_at", models.DateTimeField(blank=True, null=True)),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="recording_recipients",
                        to="identity.organisation",
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="recording",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("end", ""), models.Q(("chunks__gte", 1), ("ended_at__isnull", False)), _connector="OR"
                ),
                name="sessions_recording_end",
            ),
        ),
        migrations.AddConstraint(
            model_name="recordingchunk",
            constraint=models.UniqueConstraint(fields=("recording", "number"), name="sessions_chunk"),
        ),
        migrations.AddConstraint(
            model_name="recordingchunk",
            constraint=models.CheckConstraint(condition=models.Q(("number__gte", 1)), name="sessions_chunk_numbered"),
        ),
        migrations.AddConstraint(
            model_name="recordingrecipient",
            constraint=models.UniqueConstraint(fields=("organisation", "recipient"), name="sessions_recipient"),
        ),
    ]
