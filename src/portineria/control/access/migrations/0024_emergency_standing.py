# SPDX-License-Identifier: Apache-2.0
"""What is opened in an emergency by somebody of a supplier keeps how that supplier was judged at that moment.

Rows: those of before keep nothing of it: it was not asked. Locks: three columns with a constant value, instant on
PostgreSQL, and a constraint that reads the few emergencies there are; a copy of them on SQLite. Back: reversible; what
was kept is then in the register only.
"""

import django.db.models.deletion
from django.db import migrations, models

_LEVELS = [(level, level) for level in "ABCD"]
_ANY = ["", *"ABCD"]


class Migration(migrations.Migration):
    dependencies = [("access", "0023_watchers_and_withdrawals"), ("identity", "0017_supplier_standing")]

    operations = [
        migrations.AddField(
            model_name="emergencyreview",
            name="supplier",
            field=models.ForeignKey(
                blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+",
                to="identity.supplier",
            ),
        ),
        *(
            migrations.AddField(
                model_name="emergencyreview",
                name=name,
                field=models.CharField(blank=True, choices=_LEVELS, default="", max_length=1),
            )
            for name in ("standing", "least_standing")
        ),
        migrations.AddConstraint(
            model_name="emergencyreview",
            constraint=models.CheckConstraint(
                condition=models.Q(("least_standing", ""), ("standing", ""))
                | models.Q(("least_standing__in", _ANY), ("standing__in", _ANY), ("supplier__isnull", False)),
                name="access_review_standing",
            ),
        ),
    ]  # fmt: skip
