# SPDX-License-Identifier: Apache-2.0
"""Witnesses of our registers, and registers of others that we witness. Five new tables; nothing of old is touched.

An older release goes on beside it: it asks no witness and answers no question.
Back: reversible, and then this installation has forgotten what it cosigned: make a new witness key before it goes on
(`portineria signers --rotate witness`), for the old one could be made to cosign second histories.
"""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0002_checkpoints"),
    ]

    operations = [
        migrations.CreateModel(
            name="Watched",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("origin", models.CharField(max_length=255)),
                ("key", models.CharField(max_length=320)),
                ("at", models.DateTimeField()),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("origin", "key"), name="audit_watched_once")],
            },
        ),
        migrations.CreateModel(
            name="WatchedCheckpoint",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("origin", models.CharField(max_length=255)),
                ("size", models.PositiveBigIntegerField()),
                ("root", models.BinaryField(max_length=32)),
                ("note", models.TextField()),
                ("at", models.DateTimeField()),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("origin", "size"), name="audit_watched_size")],
            },
        ),
        migrations.CreateModel(
            name="WatchedFault",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("origin", models.CharField(max_length=255)),
                ("size", models.PositiveBigIntegerField()),
                ("kind", models.CharField(max_length=16)),
                ("why", models.TextField()),
                ("note", models.TextField()),
                ("note_sha256", models.BinaryField(max_length=32)),
                ("at", models.DateTimeField()),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("origin", "note_sha256"), name="audit_watched_fault")],
            },
        ),
        migrations.CreateModel(
            name="Witnessed",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("organisation", models.CharField(max_length=24)),
                ("witness", models.CharField(max_length=320)),
                ("size", models.PositiveBigIntegerField(default=0)),
                ("answered_at", models.DateTimeField(null=True)),
                ("failures", models.PositiveIntegerField(default=0)),
                ("error", models.TextField(blank=True)),
                ("next_at", models.DateTimeField(null=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("organisation", "witness"), name="audit_witnessed_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="Cosignature",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("witness", models.CharField(max_length=320)),
                ("line", models.TextField()),
                ("at", models.DateTimeField()),
                (
                    "checkpoint",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="cosignatures", to="audit.checkpoint"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("checkpoint", "witness"), name="audit_cosignature_once")
                ],
            },
        ),
    ]
