# SPDX-License-Identifier: Apache-2.0
"""What customers delegate to providers, the analysts who act by it, and questions who is behind one.

Rows: none new; memberships get an empty column and two checks. Locks: on PostgreSQL the checks read the memberships once,
thousands at the most; SQLite copies that table. Back: reversible while nobody is an analyst.
"""

import functools

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import portineria.core.ids


class Migration(migrations.Migration):
    dependencies = [
        ("identity", "0008_emergency_minutes"),
    ]

    operations = [
        migrations.CreateModel(
            name="Delegation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.CharField(
                        default=functools.partial(
                            portineria.core.ids.new_id, *(portineria.core.ids.Kind["DELEGATION"],), **{}
                        ),
                        editable=False,
                        max_length=24,
                        unique=True,
                    ),
                ),
                ("estate", models.BooleanField(default=False)),
                ("work", models.BooleanField(default=False)),
                ("decide", models.BooleanField(default=False)),
                ("watch", models.BooleanField(default=False)),
                ("cut", models.BooleanField(default=False)),
                ("lock", models.BooleanField(default=False)),
                ("register", models.BooleanField(default=False)),
                ("given_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("ends_at", models.DateTimeField(blank=True, null=True)),
                ("withdrawn_at", models.DateTimeField(blank=True, null=True)),
                ("incident_hours", models.PositiveSmallIntegerField(default=0)),
                ("incident_until", models.DateTimeField(blank=True, null=True)),
                ("customer_half", models.BinaryField(max_length=64)),
                ("provider_half", models.BinaryField(max_length=64)),
            ],
        ),
        migrations.CreateModel(
            name="NameQuestion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.CharField(
                        default=functools.partial(
                            portineria.core.ids.new_id, *(portineria.core.ids.Kind["NAME_QUESTION"],), **{}
                        ),
                        editable=False,
                        max_length=24,
                        unique=True,
                    ),
                ),
                ("by_customer", models.BooleanField()),
                ("reason", models.CharField(max_length=500)),
                ("asked_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "state",
                    models.CharField(
                        choices=[("asked", "Asked"), ("answered", "Answered"), ("refused", "Refused")],
                        default="asked",
                        max_length=8,
                    ),
                ),
                ("answered_at", models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="membership",
            name="identity_membership_role",
        ),
        migrations.AlterField(
            model_name="membership",
            name="role",
            field=models.CharField(
                choices=[
                    ("administrator", "Administrator"),
                    ("approver", "Approver"),
                    ("operator", "Operator"),
                    ("technician", "Technician"),
                    ("service", "Service"),
                    ("analyst", "Analyst"),
                ],
                max_length=16,
            ),
        ),
        migrations.AlterField(
            model_name="membershipoffer",
            name="role",
            field=models.CharField(
                choices=[
                    ("administrator", "Administrator"),
                    ("approver", "Approver"),
                    ("operator", "Operator"),
                    ("technician", "Technician"),
                    ("service", "Service"),
                    ("analyst", "Analyst"),
                ],
                max_length=16,
            ),
        ),
        migrations.AddField(
            model_name="delegation",
            name="organisation",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="delegations", to="identity.organisation"
            ),
        ),
        migrations.AddField(
            model_name="delegation",
            name="provider",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="customers", to="identity.organisation"
            ),
        ),
        migrations.AddField(
            model_name="membership",
            name="delegation",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="memberships",
                to="identity.delegation",
            ),
        ),
        migrations.AddConstraint(
            model_name="membership",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("role__in", ["administrator", "approver", "operator", "technician", "service", "analyst"])
                ),
                name="identity_membership_role",
            ),
        ),
        migrations.AddConstraint(
            model_name="membership",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("delegation__isnull", False), ("role", "analyst")),
                    models.Q(models.Q(("role", "analyst"), _negated=True), ("delegation", None)),
                    _connector="OR",
                ),
                name="identity_analyst_is_delegated",
            ),
        ),
        migrations.AddField(
            model_name="namequestion",
            name="analyst",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="asked_about", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="namequestion",
            name="answered_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="namequestion",
            name="asked_by",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="namequestion",
            name="delegation",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="questions", to="identity.delegation"
            ),
        ),
        migrations.AddField(
            model_name="namequestion",
            name="person",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddConstraint(
            model_name="delegation",
            constraint=models.UniqueConstraint(fields=("organisation", "provider"), name="identity_delegation_one"),
        ),
        migrations.AddConstraint(
            model_name="delegation",
            constraint=models.CheckConstraint(
                condition=models.Q(("provider", models.F("organisation")), _negated=True),
                name="identity_delegation_to_another",
            ),
        ),
        migrations.AddConstraint(
            model_name="delegation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("work", True), models.Q(("cut", False), ("decide", False), ("watch", False)), _connector="OR"
                    ),
                    models.Q(("estate", True), ("lock", False), _connector="OR"),
                ),
                name="identity_delegation_of_sight",
            ),
        ),
        migrations.AddConstraint(
            model_name="delegation",
            constraint=models.CheckConstraint(
                condition=models.Q(("withdrawn_at__isnull", True), ("ends_at__isnull", False), _connector="OR"),
                name="identity_delegation_withdrawn_ends",
            ),
        ),
        migrations.AddConstraint(
            model_name="delegation",
            constraint=models.CheckConstraint(
                condition=models.Q(("incident_hours__lte", 72)), name="identity_delegation_incident"
            ),
        ),
        migrations.AddConstraint(
            model_name="namequestion",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "asked")), fields=("analyst", "by_customer"), name="identity_question_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="namequestion",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("person__isnull", True),
                    models.Q(
                        ("answered_by__isnull", False),
                        ("state", "answered"),
                        models.Q(("answered_by", models.F("asked_by")), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="identity_question_two_yeses",
            ),
        ),
    ]
