# SPDX-License-Identifier: Apache-2.0
"""Requests that gateways hold until somebody said yes or no.

Rows: none change; one new table.
Locks: none that anybody waits for.
Back: reversible; who answered what stays in the register.
"""

import functools

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import portineria.core.ids


class Migration(migrations.Migration):
    dependencies = [
        ("estate", "0007_held_operations"),
        ("remote_sessions", "0007_watching"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="HeldOperation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.CharField(
                        default=functools.partial(
                            portineria.core.ids.new_id, *(portineria.core.ids.Kind["HELD"],), **{}
                        ),
                        editable=False,
                        max_length=24,
                        unique=True,
                    ),
                ),
                ("question", models.BinaryField(max_length=32)),
                ("request_sha256", models.BinaryField(max_length=32)),
                ("protocol", models.CharField(blank=True, max_length=24)),
                ("function", models.CharField(blank=True, max_length=140)),
                ("code", models.CharField(blank=True, max_length=140)),
                ("kind", models.CharField(blank=True, max_length=24)),
                ("targets", models.CharField(blank=True, max_length=256)),
                ("values", models.CharField(blank=True, max_length=256)),
                ("route", models.CharField(blank=True, max_length=256)),
                ("besides", models.CharField(blank=True, max_length=256)),
                ("asked_at", models.DateTimeField()),
                ("held_until", models.DateTimeField()),
                ("answer_until", models.DateTimeField()),
                ("allowed", models.BooleanField(blank=True, null=True)),
                ("decided_at", models.DateTimeField(blank=True, null=True)),
                ("answer", models.BinaryField(default=b"")),
                ("outcome", models.CharField(blank=True, max_length=12)),
                ("outcome_at", models.DateTimeField(blank=True, null=True)),
                (
                    "decided_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "service",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="estate.service",
                    ),
                ),
                (
                    "session",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="held", to="remote_sessions.session"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["answer_until"], name="sessions_held_until")],
                "constraints": [
                    models.UniqueConstraint(fields=("session", "question"), name="sessions_held"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("decided_by__isnull", True),
                            models.Q(("decided_by", models.F("person")), _negated=True),
                            _connector="OR",
                        ),
                        name="sessions_held_four_eyes",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("allowed__isnull", True), ("decided_at__isnull", True), ("decided_by__isnull", True)
                            ),
                            models.Q(
                                ("allowed__isnull", False), ("decided_at__isnull", False), ("decided_by__isnull", False)
                            ),
                            _connector="OR",
                        ),
                        name="sessions_held_decided",
                    ),
                ],
            },
        ),
    ]
