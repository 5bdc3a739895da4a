# SPDX-License-Identifier: Apache-2.0
"""Running streams are counted now and then: when each was counted last.

Rows: none is rewritten; streams of before stay without a time. Locks: adding a column that may be empty is instant on
PostgreSQL and SQLite. Back: reversible; only figures of running streams are lost, never those of closed ones.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("remote_sessions", "0001_initial")]

    operations = [
        migrations.AddField("Stream", "counted_at", models.DateTimeField(blank=True, null=True)),
    ]
