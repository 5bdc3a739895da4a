# SPDX-License-Identifier: Apache-2.0
"""Remarks on service reports, who signed them, and what suppliers have done on machines before.

Rows: none change; three new tables. What was done before this is not known: it counts as never done.
Locks: none that anybody waits for.
Back: reversible; remarks are lost then, and what was signed stays in the register.
"""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("estate", "0006_inspection"),
        ("remote_sessions", "0008_held_operations"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ServiceReport",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("technician_remarks", models.CharField(blank=True, max_length=4000)),
                ("owner_remarks", models.CharField(blank=True, max_length=4000)),
                (
                    "session",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="service_report",
                        to="remote_sessions.session",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="KnownWork",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("whose", models.CharField(max_length=24)),
                ("kind", models.CharField(choices=[("function", "Function"), ("target", "Target")], max_length=12)),
                ("name", models.CharField(max_length=300)),
                (
                    "machine",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="estate.machine"
                    ),
                ),
                (
                    "session",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="first_work",
                        to="remote_sessions.session",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("machine", "whose", "kind", "name"), name="sessions_known_work")
                ],
            },
        ),
        migrations.CreateModel(
            name="ReportSignature",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("side", models.CharField(choices=[("technician", "Technician"), ("owner", "Owner")], max_length=12)),
                ("text_sha256", models.BinaryField(max_length=32)),
                ("signed_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("withdrawn_at", models.DateTimeField(blank=True, null=True)),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "worked_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "report",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="signatures",
                        to="remote_sessions.servicereport",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("person", models.F("worked_by")), ("side", "technician")),
                            models.Q(("side", "owner"), models.Q(("person", models.F("worked_by")), _negated=True)),
                            _connector="OR",
                        ),
                        name="sessions_signature_side",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("withdrawn_at__isnull", True)),
                        fields=("report", "side"),
                        name="sessions_signature_once",
                    ),
                ],
            },
        ),
    ]
