# SPDX-License-Identifier: Apache-2.0
"""The standing that the supplier of whoever works has to have, by rule.

Rows: every rule gets a column that asks for nothing. Locks: instant, then a scan of the rules, thousands at most, for
the constraint. Back: reversible; the condition is forgotten, and rules that asked for it admit more: end them first.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0021_extensions"),
        ("identity", "0017_supplier_standing"),
    ]

    operations = [
        migrations.AddField(
            model_name="rule",
            name="least_standing",
            field=models.CharField(
                blank=True, choices=[("A", "A"), ("B", "B"), ("C", "C"), ("D", "D")], default="", max_length=1
            ),
        ),
        migrations.AddConstraint(
            model_name="rule",
            constraint=models.CheckConstraint(
                condition=models.Q(("least_standing__in", ["", "A", "B", "C", "D"])), name="access_rule_standing"
            ),
        ),
    ]
