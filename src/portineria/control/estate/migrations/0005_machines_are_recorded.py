# SPDX-License-Identifier: Apache-2.0
"""Whether sessions of a machine are recorded: not, as until now, unless somebody says so.

Rows: every machine gets `none`, by the column's default.
Locks: PostgreSQL adds a column with a constant default without rewriting the table, and reads it once for the constraint.
Back: reversible; what was set is lost.
"""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("estate", "0004_gateways_keep_checkpoints"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="machine",
            name="recording",
            field=models.CharField(
                choices=[("none", "None"), ("full", "Full"), ("strict", "Strict")], default="none", max_length=8
            ),
        ),
        migrations.AddConstraint(
            model_name="machine",
            constraint=models.CheckConstraint(
                condition=models.Q(("recording__in", ["none", "full", "strict"])), name="estate_machine_recording"
            ),
        ),
    ]
