# SPDX-License-Identifier: Apache-2.0
"""Sessions by state, of an organisation, a gateway, a machine and a person, newest first.

The index of open sessions was a partial one, which SQLite does not use where the state is a parameter: a list of who is
inside read every session that ever was (2 s with 100,000). Whole indexes take about 60 bytes a session each.
Rows: none change.
Locks: PostgreSQL keeps writers of remote_sessions_session waiting while it builds each index, about a second in all
with 100,000 sessions; readers go on. SQLite does it in the one transaction of the migration.
Back: reversible.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("remote_sessions", "0004_stream_port_is_a_port")]

    operations = [
        migrations.RemoveIndex("session", "sessions_open"),
        migrations.AddIndex("session", models.Index(fields=["state"], name="sessions_of_state")),
        migrations.AddIndex(
            "session", models.Index(fields=["gateway", "state", "organisation"], name="sessions_of_gateway")
        ),
        migrations.AddIndex(
            "session",
            models.Index(fields=["machine", "organisation", "state", "requested_at"], name="sessions_of_machine"),
        ),
        migrations.AddIndex(
            "session",
            models.Index(fields=["person", "organisation", "state", "requested_at"], name="sessions_of_person"),
        ),
        migrations.AddIndex(
            "session", models.Index(fields=["organisation", "state", "requested_at"], name="sessions_by_state")
        ),
    ]
