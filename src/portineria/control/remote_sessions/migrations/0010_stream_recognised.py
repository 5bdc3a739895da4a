# SPDX-License-Identifier: Apache-2.0
"""What a stream was recognised as, by its first bytes.

Rows: those of before stay without it. Locks: adding a column with a default is instant on PostgreSQL; SQLite as well.
Back: reversible; the gateways' signed events still say it.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("remote_sessions", "0009_service_reports_and_known_work")]

    operations = [
        migrations.AddField("Stream", "recognised", models.CharField(blank=True, default="", max_length=24)),
    ]
