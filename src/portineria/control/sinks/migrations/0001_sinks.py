# SPDX-License-Identifier: Apache-2.0
"""Sinks, and the events that one would not take.

Rows: two new tables, empty. Locks: none beside the short ones for foreign keys to organisations. Back: reversible, and
what was set up is gone then.
"""

import functools

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import portineria.core.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("identity", "0005_lead"),
    ]

    operations = [
        migrations.CreateModel(
            name="Sink",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.CharField(
                        default=functools.partial(
                            portineria.core.ids.new_id, *(portineria.core.ids.Kind["SINK"],), **{}
                        ),
                        editable=False,
                        max_length=24,
                        unique=True,
                    ),
                ),
                ("name", models.CharField(max_length=60)),
                ("kind", models.CharField(max_length=16)),
                ("settings", models.JSONField(default=dict)),
                ("wrapped", models.BinaryField()),
                (
                    "personal",
                    models.CharField(
                        choices=[("none", "None"), ("pseudonyms", "Pseudonyms"), ("values", "Values")],
                        default="none",
                        max_length=16,
                    ),
                ),
                ("codes", models.JSONField(default=list)),
                ("severity", models.PositiveSmallIntegerField(default=6)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("paused_at", models.DateTimeField(blank=True, null=True)),
                ("delivered", models.PositiveBigIntegerField(default=0)),
                ("delivered_at", models.DateTimeField(blank=True, null=True)),
                ("sent", models.PositiveBigIntegerField(default=0)),
                ("counted", models.PositiveBigIntegerField(default=0)),
                ("counted_from", models.DateTimeField(blank=True, null=True)),
                ("failures", models.PositiveIntegerField(default=0)),
                ("failed_at", models.DateTimeField(blank=True, null=True)),
                ("error", models.CharField(blank=True, max_length=200)),
                ("told", models.BooleanField(default=False)),
                ("dead_in_a_row", models.PositiveIntegerField(default=0)),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="sinks", to="identity.organisation"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="DeadLetter",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("seq", models.PositiveBigIntegerField()),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("why", models.CharField(max_length=200)),
                (
                    "sink",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="dead_letters", to="sinks.sink"
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="sink",
            constraint=models.UniqueConstraint(fields=("organisation", "name"), name="sinks_sink_name"),
        ),
        migrations.AddConstraint(
            model_name="sink",
            constraint=models.CheckConstraint(
                condition=models.Q(("personal__in", ["none", "pseudonyms", "values"])), name="sinks_sink_personal"
            ),
        ),
        migrations.AddConstraint(
            model_name="sink",
            constraint=models.CheckConstraint(
                condition=models.Q(("severity__gte", 2), ("severity__lte", 6)), name="sinks_sink_severity"
            ),
        ),
        migrations.AddConstraint(
            model_name="deadletter",
            constraint=models.UniqueConstraint(fields=("sink", "seq"), name="sinks_dead_letter_once"),
        ),
        migrations.AddConstraint(
            model_name="deadletter",
            constraint=models.CheckConstraint(condition=models.Q(("seq__gte", 1)), name="sinks_dead_letter_numbered"),
        ),
    ]
