# SPDX-License-Identifier: Apache-2.0

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Head",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("organisation", models.CharField(max_length=24, unique=True)),
                ("seq", models.PositiveBigIntegerField(default=0)),
                (
                    "leaf_sha256",
                    models.BinaryField(
                        default=b"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
                        max_length=32,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Event",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("organisation", models.CharField(max_length=24)),
                ("seq", models.PositiveBigIntegerField()),
                ("at", models.DateTimeField()),
                ("code", models.CharField(max_length=64)),
                ("actor", models.CharField(max_length=24)),
                ("leaf", models.BinaryField()),
                ("leaf_sha256", models.BinaryField(max_length=32)),
                ("prev_sha256", models.BinaryField(max_length=32)),
                ("session", models.CharField(blank=True, max_length=24)),
                ("machine", models.CharField(blank=True, max_length=24)),
                ("gateway", models.CharField(blank=True, max_length=24)),
                ("person", models.CharField(blank=True, max_length=24)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("session", ""), _negated=True),
                        fields=["session", "seq"],
                        name="audit_event_session",
                    ),
                    models.Index(
                        condition=models.Q(("machine", ""), _negated=True),
                        fields=["machine", "seq"],
                        name="audit_event_machine",
                    ),
                    models.Index(
                        condition=models.Q(("gateway", ""), _negated=True),
                        fields=["gateway", "seq"],
                        name="audit_event_gateway",
                    ),
                    models.Index(fields=["organisation", "code", "seq"], name="audit_event_code"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("organisation", "seq"), name="audit_event_seq"),
                    models.CheckConstraint(condition=models.Q(("seq__gte", 1)), name="audit_event_numbered"),
                    models.CheckConstraint(
                        condition=models.Q(("leaf_sha256", models.F("prev_sha256")), _negated=True),
                        name="audit_event_chained",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="PersonalValue",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("field", models.CharField(max_length=32)),
                ("about", models.CharField(db_index=True, max_length=24)),
                ("salt", models.BinaryField(max_length=16)),
                ("value", models.TextField(null=True)),
                (
                    "event",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="personal_values", to="audit.event"
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("event", "field"), name="audit_personal_field")],
            },
        ),
    ]
