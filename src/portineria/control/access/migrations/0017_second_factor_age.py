# SPDX-License-Identifier: Apache-2.0
"""How long ago whoever begins may have proved a second factor, by rule.

Rows: every rule gets a column that asks for nothing. Locks: instant, then a scan of the rules, thousands at most, for
the constraint. Back: reversible; the condition is forgotten.
"""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0016_trainings"),
        ("estate", "0008_emergencies"),
        ("identity", "0015_factor_age"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="rule",
            name="factor_minutes",
            field=models.PositiveSmallIntegerField(blank=True, null=True),
        ),
        migrations.AddConstraint(
            model_name="rule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("factor_minutes__isnull", True),
                    models.Q(("factor_minutes__gte", 5), ("factor_minutes__lte", 720)),
                    _connector="OR",
                ),
                name="access_rule_factor",
            ),
        ),
    ]
