# SPDX-License-Identifier: Apache-2.0
"""When a relay said that it closed a session's legs: beside *cutting*, until the gateway has signed.

Additive: the release before keeps running against it. Rows: none is rewritten. Locks: a new nullable column, instant on
Postgres and SQLite. Back: reversible; what the relays said is lost, and nothing depends on it.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("remote_sessions", "0002_stream_counted_at")]

    operations = [
        migrations.AddField(
            model_name="session", name="relay_closed_at", field=models.DateTimeField(blank=True, null=True)
        ),
    ]
