# SPDX-License-Identifier: Apache-2.0
"""Consent signals, and rules that ask for them. A new table, and a column that no rule uses yet."""

import functools

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import portineria.core.ids


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0011_maintenance"),
        ("estate", "0008_emergencies"),
        ("identity", "0008_emergency_minutes"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="rule",
            name="signals",
            field=models.CharField(blank=True, default="", max_length=60),
        ),
        migrations.CreateModel(
            name="Signal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.CharField(
                        default=functools.partial(
                            portineria.core.ids.new_id, *(portineria.core.ids.Kind["SIGNAL"],), **{}
                        ),
                        editable=False,
                        max_length=24,
                        unique=True,
                    ),
                ),
                ("kind", models.CharField(max_length=12)),
                ("name", models.CharField(max_length=60)),
                (
                    "source",
                    models.CharField(
                        choices=[
                            ("file", "File"),
                            ("modbus-coil", "Coil"),
                            ("modbus-discrete", "Discrete"),
                            ("opcua-node", "Node"),
                        ],
                        max_length=16,
                    ),
                ),
                ("address", models.CharField(blank=True, default="", max_length=45)),
                ("port", models.PositiveIntegerField(default=0)),
                ("unit", models.PositiveSmallIntegerField(default=0)),
                ("number", models.PositiveIntegerField(default=0)),
                ("place", models.CharField(blank=True, default="", max_length=120)),
                ("inverted", models.BooleanField(default=False)),
                (
                    "state",
                    models.CharField(
                        choices=[("on", "On"), ("off", "Off"), ("lost", "Lost"), ("unheard", "Unheard")],
                        default="lost",
                        max_length=8,
                    ),
                ),
                ("state_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("fault", models.CharField(blank=True, default="", max_length=64)),
                ("added_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("removed_at", models.DateTimeField(blank=True, null=True)),
                (
                    "added_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "gateway",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="signals", to="estate.gateway"
                    ),
                ),
                (
                    "line",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="signals",
                        to="estate.line",
                    ),
                ),
                (
                    "machine",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="signals",
                        to="estate.machine",
                    ),
                ),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="signals", to="identity.organisation"
                    ),
                ),
                (
                    "removed_by",
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
                "indexes": [
                    models.Index(fields=["gateway", "removed_at"], name="access_signal_gateway"),
                    models.Index(fields=["machine", "removed_at"], name="access_signal_machine"),
                    models.Index(fields=["line", "removed_at"], name="access_signal_line"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("line__isnull", False), ("machine__isnull", True)),
                            models.Q(("line__isnull", True), ("machine__isnull", False)),
                            _connector="OR",
                        ),
                        name="access_signal_names_one",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("kind__in", ["lock-out", "guard", "key", "button"]), models.Q(("name", ""), _negated=True)
                        ),
                        name="access_signal_kind",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["on", "off", "lost", "unheard"])), name="access_signal_state"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("address", ""), ("port", 0), ("source", "file")),
                            models.Q(
                                ("port__gte", 1),
                                ("port__lte", 65535),
                                ("source__in", ["modbus-coil", "modbus-discrete", "opcua-node"]),
                                models.Q(("address", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="access_signal_source",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("number__lte", 65535), ("unit__lte", 255)), name="access_signal_number"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("removed_at__isnull", True), ("removed_by__isnull", True)),
                            models.Q(("removed_at__isnull", False), ("removed_by__isnull", False)),
                            _connector="OR",
                        ),
                        name="access_signal_removed_by_somebody",
                    ),
                ],
            },
        ),
    ]
