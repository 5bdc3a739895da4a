# SPDX-License-Identifier: Apache-2.0
"""Emergency roles are rules of their own kind, and what they opened is looked at afterwards.

Rows: none is rewritten; no rule that is there is an emergency role. Locks: two columns and a new table, instant on
PostgreSQL beside the short lock for each foreign key and the check of the rules, of which there are thousands at most; a
copy of the rules on SQLite. Back: reversible while there is no emergency role; reviews are forgotten.
"""

import functools

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import portineria.core.ids


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0006_tickets"),
        ("estate", "0007_held_operations"),
        ("identity", "0008_emergency_minutes"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="EmergencyReview",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.CharField(
                        default=functools.partial(
                            portineria.core.ids.new_id, *(portineria.core.ids.Kind["REVIEW"],), **{}
                        ),
                        editable=False,
                        max_length=24,
                        unique=True,
                    ),
                ),
                ("opening", models.CharField(blank=True, default="", max_length=24)),
                ("reason", models.CharField(max_length=500)),
                ("opened_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("signed_at", models.DateTimeField(blank=True, null=True)),
                ("note", models.CharField(blank=True, default="", max_length=500)),
            ],
        ),
        migrations.AddField(
            model_name="rule",
            name="emergency_guest",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="rule",
            name="emergency_plant",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="emergency_roles",
                to="estate.plant",
            ),
        ),
        migrations.AddConstraint(
            model_name="rule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("emergency_guest", False), ("emergency_plant__isnull", True)),
                    models.Q(
                        ("emergency_plant__isnull", False),
                        ("needs_approval", False),
                        ("needs_recording", True),
                        ("person__isnull", False),
                        ("profile__isnull", True),
                        ("windows", ""),
                    ),
                    _connector="OR",
                ),
                name="access_rule_emergency",
            ),
        ),
        migrations.AddConstraint(
            model_name="rule",
            constraint=models.UniqueConstraint(
                condition=models.Q(("emergency_plant__isnull", False), ("ended_at__isnull", True)),
                fields=("person", "emergency_plant"),
                name="access_rule_emergency_once",
            ),
        ),
        migrations.AddField(
            model_name="emergencyreview",
            name="gateway",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="estate.gateway",
            ),
        ),
        migrations.AddField(
            model_name="emergencyreview",
            name="grant",
            field=models.OneToOneField(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="emergency_review",
                to="access.grant",
            ),
        ),
        migrations.AddField(
            model_name="emergencyreview",
            name="machine",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="estate.machine",
            ),
        ),
        migrations.AddField(
            model_name="emergencyreview",
            name="organisation",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="emergency_reviews",
                to="identity.organisation",
            ),
        ),
        migrations.AddField(
            model_name="emergencyreview",
            name="person",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="emergencyreview",
            name="second",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="emergencyreview",
            name="signed_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddIndex(
            model_name="emergencyreview",
            index=models.Index(fields=["organisation", "signed_at"], name="access_review_unsigned"),
        ),
        migrations.AddConstraint(
            model_name="emergencyreview",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("signed_by__isnull", True),
                        ("person__isnull", True),
                        models.Q(("signed_by", models.F("person")), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("signed_by__isnull", True),
                        ("second__isnull", True),
                        models.Q(("signed_by", models.F("second")), _negated=True),
                        _connector="OR",
                    ),
                ),
                name="access_review_two_eyes",
            ),
        ),
        migrations.AddConstraint(
            model_name="emergencyreview",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("note", ""), ("signed_at__isnull", True), ("signed_by__isnull", True)),
                    models.Q(
                        ("signed_at__isnull", False),
                        ("signed_by__isnull", False),
                        models.Q(("note", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="access_review_signed_with_note",
            ),
        ),
        migrations.AddConstraint(
            model_name="emergencyreview",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("gateway__isnull", True), ("grant__isnull", False), ("opening", ""), ("person__isnull", False)
                    ),
                    models.Q(
                        ("gateway__isnull", False), ("grant__isnull", True), models.Q(("opening", ""), _negated=True)
                    ),
                    _connector="OR",
                ),
                name="access_review_of_one",
            ),
        ),
        migrations.AddConstraint(
            model_name="emergencyreview",
            constraint=models.UniqueConstraint(
                condition=models.Q(("gateway__isnull", False)),
                fields=("gateway", "opening"),
                name="access_review_opening",
            ),
        ),
    ]
