# SPDX-License-Identifier: Apache-2.0
"""Whether two PINs may open machines at a gateway's own console, and what it keeps of our word about that.

Rows: none is rewritten; nothing may be opened anywhere. Locks: two columns, instant on PostgreSQL; a copy of the
gateways on SQLite. Back: reversible; gateways go by the last word that they heard until they hear another.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("estate", "0007_held_operations"),
    ]

    operations = [
        migrations.AddField(
            model_name="gateway",
            name="emergency",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="gateway",
            name="emergency_kept",
            field=models.BinaryField(max_length=32, null=True),
        ),
    ]
