# SPDX-License-Identifier: Apache-2.0
"""A power of its own for what leaves by a provider's sinks.

Rows: one for each customer and provider; none has it. Locks: a column with a constant value and a check, instant on so
few rows. Back: reversible.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("identity", "0010_templates"),
    ]

    operations = [
        migrations.AddField(
            model_name="delegation",
            name="sink",
            field=models.BooleanField(default=False),
        ),
        migrations.AddConstraint(
            model_name="delegation",
            constraint=models.CheckConstraint(
                condition=models.Q(("register", True), ("sink", False), _connector="OR"),
                name="identity_delegation_of_register",
            ),
        ),
    ]
