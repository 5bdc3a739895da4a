# SPDX-License-Identifier: Apache-2.0
"""What a directory takes from many at once, and sessions that go on meanwhile.

Rows: none change; three new tables.
Locks: none that anybody waits for.
Back: reversible; what waits then ends at once, who answered what stays in the register.
"""

import functools

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import portineria.core.ids


class Migration(migrations.Migration):
    dependencies = [
        ("identity", "0015_factor_age"),
        ("remote_sessions", "0013_company_device"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="DirectoryEnd",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.CharField(
                        default=functools.partial(
                            portineria.core.ids.new_id, *(portineria.core.ids.Kind["DIRECTORY_END"],), **{}
                        ),
                        editable=False,
                        max_length=24,
                        unique=True,
                    ),
                ),
                ("asked_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("ends_at", models.DateTimeField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("confirmed", "Confirmed"),
                            ("refused", "Refused"),
                            ("lapsed", "Lapsed"),
                            ("settled", "Settled"),
                        ],
                        default="waiting",
                        max_length=12,
                    ),
                ),
                ("answered_at", models.DateTimeField(blank=True, null=True)),
                (
                    "answered_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="directory_ends",
                        to="identity.organisation",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Stay",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("since", models.DateTimeField()),
                ("reasons", models.CharField(max_length=200)),
                ("version", models.PositiveIntegerField()),
                ("approvals", models.PositiveIntegerField()),
                ("over", models.BooleanField(default=False)),
                (
                    "directory_end",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="stays",
                        to="remote_sessions.directoryend",
                    ),
                ),
                (
                    "session",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="stays", to="remote_sessions.session"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="DirectoryAct",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("of_people", models.BooleanField()),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("sessions", models.PositiveIntegerField()),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="identity.organisation"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["organisation", "at"], name="sessions_directory_act")],
            },
        ),
        migrations.AddIndex(
            model_name="directoryend",
            index=models.Index(fields=["state", "ends_at"], name="sessions_directory_end_state"),
        ),
        migrations.AddConstraint(
            model_name="directoryend",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("answered_at__isnull", False),
                        ("answered_by__isnull", False),
                        ("state__in", ["confirmed", "refused"]),
                    ),
                    models.Q(
                        ("answered_at__isnull", True),
                        ("answered_by__isnull", True),
                        ("state__in", ["waiting", "lapsed", "settled"]),
                    ),
                    _connector="OR",
                ),
                name="sessions_directory_end_answered",
            ),
        ),
        migrations.AddConstraint(
            model_name="directoryend",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "waiting")),
                fields=("organisation",),
                name="sessions_directory_end_waits_once",
            ),
        ),
        migrations.AddIndex(
            model_name="stay",
            index=models.Index(fields=["over"], name="sessions_stays_open"),
        ),
        migrations.AddConstraint(
            model_name="stay",
            constraint=models.UniqueConstraint(
                condition=models.Q(("over", False)), fields=("session",), name="sessions_stays_once"
            ),
        ),
    ]
