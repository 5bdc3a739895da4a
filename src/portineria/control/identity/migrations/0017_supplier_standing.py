# SPDX-License-Identifier: Apache-2.0
"""How good an organisation judged the security of a supplier, one row for each assessment, and the last one beside it.

Rows: a new table, empty, and two columns of every supplier that say so: nobody has a standing. Locks: instant, then a
scan of the suppliers for the constraint. Back: reversible; what was assessed stays in the register only.
"""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("identity", "0016_analysts_approve_as_long_as_who_is_behind"),
    ]

    operations = [
        migrations.CreateModel(
            name="SupplierStanding",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "level",
                    models.CharField(choices=[("A", "A"), ("B", "B"), ("C", "C"), ("D", "D")], max_length=1),
                ),
                ("assessed_by", models.CharField(max_length=120)),
                ("assessed_on", models.DateField()),
                ("valid_until", models.DateField()),
                ("reference", models.CharField(max_length=120)),
                ("kept_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "kept_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "supplier",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="standings", to="identity.supplier"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("level__in", ["A", "B", "C", "D"])), name="identity_standing_level"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("valid_until__gte", models.F("assessed_on"))),
                        name="identity_standing_days",
                    ),
                ],
            },
        ),
        migrations.AddField(
            model_name="supplier",
            name="standing",
            field=models.CharField(
                blank=True, choices=[("A", "A"), ("B", "B"), ("C", "C"), ("D", "D")], default="", max_length=1
            ),
        ),
        migrations.AddField(
            model_name="supplier",
            name="standing_until",
            field=models.DateField(blank=True, null=True),
        ),
        migrations.AddConstraint(
            model_name="supplier",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("standing", ""),
                    ("standing_until__isnull", True),
                )
                | models.Q(("standing__in", ["A", "B", "C", "D"]), ("standing_until__isnull", False)),
                name="identity_supplier_standing",
            ),
        ),
    ]
