# SPDX-License-Identifier: Apache-2.0
"""A rule may say of whom it wants approvals, level after level.

Rows: every rule gets a column that says that it has no levels: it means what it meant. Two new tables, empty. Locks:
instant, then two scans of the rules, thousands at most, for the constraints. Back: reversible while no rule wants
more than five approvals in all; whom levels named is then in the register only, and such a rule takes the yes of
whoever approves: end it first.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0024_emergency_standing"),
        ("identity", "0018_second_factors_of_providers"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="rule", name="level_count", field=models.PositiveSmallIntegerField(default=0)
        ),
        migrations.RemoveConstraint(model_name="rule", name="access_rule_approvals"),
        migrations.AddConstraint(
            model_name="rule",
            constraint=models.CheckConstraint(
                condition=Q(("approvals__gte", 1), ("approvals__lte", 15)), name="access_rule_approvals"
            ),
        ),
        migrations.AddConstraint(
            model_name="rule",
            constraint=models.CheckConstraint(
                condition=Q(("level_count", 0)) | Q(("level_count__lte", 3), ("needs_approval", True)),
                name="access_rule_levels",
            ),
        ),
        migrations.CreateModel(
            name="RuleLevel",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveSmallIntegerField()),
                ("approvals", models.PositiveSmallIntegerField(default=1)),
                (
                    "whom",
                    models.CharField(
                        choices=[("anybody", "Anybody"), ("group", "Group"), ("people", "People")], max_length=8
                    ),
                ),
                (
                    "group",
                    models.ForeignKey(
                        blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+",
                        to="identity.group",
                    ),
                ),
                (
                    "rule",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="levels", to="access.rule"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("rule", "number"), name="access_level_once"),
                    models.CheckConstraint(
                        condition=Q(("number__gte", 1), ("number__lte", 3)), name="access_level_number"
                    ),
                    models.CheckConstraint(
                        condition=Q(("approvals__gte", 1), ("approvals__lte", 5)), name="access_level_approvals"
                    ),
                    models.CheckConstraint(
                        condition=Q(("group__isnull", False), ("whom", "group"))
                        | Q(("group__isnull", True), ("whom__in", ["anybody", "people"])),
                        name="access_level_whom",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="LevelPerson",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "level",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="people", to="access.rulelevel"
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("level", "person"), name="access_level_person_once")
                ],
            },
        ),
    ]  # fmt: skip
