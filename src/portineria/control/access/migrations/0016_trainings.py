# SPDX-License-Identifier: Apache-2.0
"""Trainings that rules may ask for, and who confirmed which version.

Rows: four new tables, empty; every rule gets a column that asks for nothing. Locks: the short one on access_rule that
a column with a constant default takes. Back: reversible; what was confirmed stays in the register only.
"""

import functools

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import portineria.core.ids


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0015_places_and_services"),
        ("identity", "0008_emergency_minutes"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="rule",
            name="trainings",
            field=models.CharField(blank=True, default="", max_length=168),
        ),
        migrations.CreateModel(
            name="Training",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.CharField(
                        default=functools.partial(
                            portineria.core.ids.new_id, *(portineria.core.ids.Kind["TRAINING"],), **{}
                        ),
                        editable=False,
                        max_length=24,
                        unique=True,
                    ),
                ),
                ("name", models.CharField(max_length=60)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="trainings",
                        to="identity.organisation",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="TrainingVersion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField()),
                ("days", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("published_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "published_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "training",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="versions", to="access.training"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="TrainingText",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "language",
                    models.CharField(choices=[("en", "English"), ("it", "Italiano"), ("ja", "日本語")], max_length=5),
                ),
                ("text", models.CharField(blank=True, max_length=4000)),
                ("link", models.CharField(blank=True, max_length=500)),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="texts", to="access.trainingversion"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="TrainingDone",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "language",
                    models.CharField(choices=[("en", "English"), ("it", "Italiano"), ("ja", "日本語")], max_length=5),
                ),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("until", models.DateTimeField(blank=True, null=True)),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="trainings",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="done", to="access.trainingversion"
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="training",
            constraint=models.UniqueConstraint(
                condition=models.Q(("ended_at__isnull", True)),
                fields=("organisation", "name"),
                name="access_training_name",
            ),
        ),
        migrations.AddConstraint(
            model_name="training",
            constraint=models.CheckConstraint(
                condition=models.Q(("name", ""), _negated=True), name="access_training_named"
            ),
        ),
        migrations.AddConstraint(
            model_name="trainingversion",
            constraint=models.UniqueConstraint(fields=("training", "number"), name="access_training_version"),
        ),
        migrations.AddConstraint(
            model_name="trainingversion",
            constraint=models.CheckConstraint(condition=models.Q(("number__gte", 1)), name="access_training_numbered"),
        ),
        migrations.AddConstraint(
            model_name="trainingversion",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("days__isnull", True), models.Q(("days__gte", 1), ("days__lte", 3650)), _connector="OR"
                ),
                name="access_training_days",
            ),
        ),
        migrations.AddConstraint(
            model_name="trainingtext",
            constraint=models.UniqueConstraint(fields=("version", "language"), name="access_training_language"),
        ),
        migrations.AddConstraint(
            model_name="trainingtext",
            constraint=models.CheckConstraint(
                condition=models.Q(("language__in", ["en", "it", "ja"])), name="access_training_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="trainingtext",
            constraint=models.CheckConstraint(
                condition=models.Q(("link", ""), ("text", ""), _negated=True), name="access_training_says"
            ),
        ),
        migrations.AddConstraint(
            model_name="trainingdone",
            constraint=models.UniqueConstraint(fields=("version", "person"), name="access_training_once"),
        ),
        migrations.AddConstraint(
            model_name="trainingdone",
            constraint=models.CheckConstraint(
                condition=models.Q(("language__in", ["en", "it", "ja"])), name="access_training_read_in"
            ),
        ),
        migrations.AddConstraint(
            model_name="trainingdone",
            constraint=models.CheckConstraint(
                condition=models.Q(("until__isnull", True), ("until__gt", models.F("at")), _connector="OR"),
                name="access_training_until",
            ),
        ),
    ]
