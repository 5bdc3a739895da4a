# SPDX-License-Identifier: Apache-2.0
"""Whether sessions of AI agents are recorded: they are, until somebody says otherwise.

Rows: one per organisation at most. Locks: none to speak of. Back: reversible.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("privacy", "0004_program_contents"),
    ]

    operations = [
        migrations.AddField(
            model_name="terms",
            name="records_agents",
            field=models.BooleanField(default=True),
        ),
    ]
