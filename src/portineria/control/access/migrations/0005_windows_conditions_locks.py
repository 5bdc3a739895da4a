# SPDX-License-Identifier: Apache-2.0
"""Rules have windows, conditions and versions; what is locked is kept in rows.

Rows: none is rewritten: rules that are there are open always, ask for one approval and nothing more, and their history
begins with the next change; nothing is locked. Locks: columns with constant values and two new tables, instant on
PostgreSQL beside the short lock for each foreign key; a copy of rules, requests and approvals on SQLite. A request may
have several approvals now, of different people. Back: reversible while no request has two; the rest is forgotten.
"""

import functools

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import portineria.core.ids


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0004_function_profiles"),
        ("estate", "0006_inspection"),
        ("identity", "0005_lead"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Lock",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.CharField(
                        default=functools.partial(
                            portineria.core.ids.new_id, *(portineria.core.ids.Kind["LOCK"],), **{}
                        ),
                        editable=False,
                        max_length=24,
                        unique=True,
                    ),
                ),
                ("reason", models.CharField(max_length=500)),
                ("made_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("lifted_at", models.DateTimeField(blank=True, null=True)),
                ("lifted_reason", models.CharField(blank=True, default="", max_length=500)),
            ],
        ),
        migrations.CreateModel(
            name="RuleVersion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField()),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("terms", models.JSONField(default=dict)),
                ("added", models.JSONField(default=list)),
                ("removed", models.JSONField(default=list)),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="approval",
            name="access_approval_once",
        ),
        migrations.AddField(
            model_name="accessrequest",
            name="reference",
            field=models.CharField(blank=True, default="", max_length=60),
        ),
        migrations.AddField(
            model_name="approval",
            name="minutes",
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="rule",
            name="approvals",
            field=models.PositiveSmallIntegerField(default=1),
        ),
        migrations.AddField(
            model_name="rule",
            name="needs_recording",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="rule",
            name="needs_reference",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="rule",
            name="watcher",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="watches",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="rule",
            name="windows",
            field=models.CharField(blank=True, default="", max_length=1000),
        ),
        migrations.AddConstraint(
            model_name="approval",
            constraint=models.UniqueConstraint(fields=("request", "decided_by"), name="access_approval_once"),
        ),
        migrations.AddConstraint(
            model_name="approval",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("minutes__isnull", True), models.Q(("approved", True), ("minutes__gte", 1)), _connector="OR"
                ),
                name="access_approval_minutes",
            ),
        ),
        migrations.AddConstraint(
            model_name="rule",
            constraint=models.CheckConstraint(
                condition=models.Q(("approvals__gte", 1), ("approvals__lte", 5)), name="access_rule_approvals"
            ),
        ),
        migrations.AddField(
            model_name="lock",
            name="gateway",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="locks",
                to="estate.gateway",
            ),
        ),
        migrations.AddField(
            model_name="lock",
            name="lifted_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="lock",
            name="line",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="locks",
                to="estate.line",
            ),
        ),
        migrations.AddField(
            model_name="lock",
            name="machine",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="locks",
                to="estate.machine",
            ),
        ),
        migrations.AddField(
            model_name="lock",
            name="made_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="lock",
            name="organisation",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="locks", to="identity.organisation"
            ),
        ),
        migrations.AddField(
            model_name="lock",
            name="person",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="locks",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="lock",
            name="plant",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="locks",
                to="estate.plant",
            ),
        ),
        migrations.AddField(
            model_name="lock",
            name="supplier",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="locks",
                to="identity.supplier",
            ),
        ),
        migrations.AddField(
            model_name="lock",
            name="zone",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="locks",
                to="estate.zone",
            ),
        ),
        migrations.AddField(
            model_name="ruleversion",
            name="by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="ruleversion",
            name="rule",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="versions", to="access.rule"
            ),
        ),
        migrations.AddIndex(
            model_name="lock",
            index=models.Index(fields=["organisation", "lifted_at"], name="access_lock_holding"),
        ),
        migrations.AddConstraint(
            model_name="lock",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("gateway__isnull", True),
                        ("line__isnull", True),
                        ("machine__isnull", True),
                        ("person__isnull", True),
                        ("plant__isnull", True),
                        ("supplier__isnull", True),
                        ("zone__isnull", True),
                    ),
                    models.Q(
                        ("gateway__isnull", True),
                        ("line__isnull", True),
                        ("machine__isnull", True),
                        ("person__isnull", False),
                        ("plant__isnull", True),
                        ("supplier__isnull", True),
                        ("zone__isnull", True),
                    ),
                    models.Q(
                        ("gateway__isnull", True),
                        ("line__isnull", True),
                        ("machine__isnull", True),
                        ("person__isnull", True),
                        ("plant__isnull", True),
                        ("supplier__isnull", False),
                        ("zone__isnull", True),
                    ),
                    models.Q(
                        ("gateway__isnull", True),
                        ("line__isnull", True),
                        ("machine__isnull", False),
                        ("person__isnull", True),
                        ("plant__isnull", True),
                        ("supplier__isnull", True),
                        ("zone__isnull", True),
                    ),
                    models.Q(
                        ("gateway__isnull", True),
                        ("line__isnull", False),
                        ("machine__isnull", True),
                        ("person__isnull", True),
                        ("plant__isnull", True),
                        ("supplier__isnull", True),
                        ("zone__isnull", True),
                    ),
                    models.Q(
                        ("gateway__isnull", True),
                        ("line__isnull", True),
                        ("machine__isnull", True),
                        ("person__isnull", True),
                        ("plant__isnull", True),
                        ("supplier__isnull", True),
                        ("zone__isnull", False),
                    ),
                    models.Q(
                        ("gateway__isnull", True),
                        ("line__isnull", True),
                        ("machine__isnull", True),
                        ("person__isnull", True),
                        ("plant__isnull", False),
                        ("supplier__isnull", True),
                        ("zone__isnull", True),
                    ),
                    models.Q(
                        ("gateway__isnull", False),
                        ("line__isnull", True),
                        ("machine__isnull", True),
                        ("person__isnull", True),
                        ("plant__isnull", True),
                        ("supplier__isnull", True),
                        ("zone__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="access_lock_names_one",
            ),
        ),
        migrations.AddConstraint(
            model_name="lock",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("reason", ""), _negated=True),
                    models.Q(
                        models.Q(("lifted_at__isnull", True), ("lifted_by__isnull", True), ("lifted_reason", "")),
                        models.Q(("lifted_at__isnull", False), models.Q(("lifted_reason", ""), _negated=True)),
                        _connector="OR",
                    ),
                ),
                name="access_lock_lifted_with_reason",
            ),
        ),
        migrations.AddConstraint(
            model_name="ruleversion",
            constraint=models.UniqueConstraint(fields=("rule", "number"), name="access_rule_version"),
        ),
    ]
