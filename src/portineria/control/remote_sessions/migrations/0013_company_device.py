# SPDX-License-Identifier: Apache-2.0
"""From which company device a session was asked for.

Rows: every session gets a column that may be null: from none. Locks: instant for the column; its index is built over
all sessions while others wait to write them, seconds for millions. Back: reversible.
"""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0019_company_devices"),
        ("remote_sessions", "0012_recordings_expire"),
    ]

    operations = [
        migrations.AddField(
            model_name="session",
            name="company_device",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="sessions",
                to="access.companydevice",
            ),
        ),
    ]
