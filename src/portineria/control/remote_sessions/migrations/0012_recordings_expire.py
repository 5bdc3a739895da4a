# SPDX-License-Identifier: Apache-2.0
"""When a recording's time was over: shown to nobody from then on, and deleted.

Rows: none is changed; organisations from before keep recordings until they say otherwise (privacy, 0002). Locks:
PostgreSQL takes ACCESS EXCLUSIVE on the recordings while it checks that none was deleted yet. Back: reversible.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("remote_sessions", "0011_playback_and_holds"),
    ]

    operations = [
        migrations.AddField(
            model_name="recording",
            name="expired_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddConstraint(
            model_name="recording",
            constraint=models.CheckConstraint(
                condition=models.Q(("deleted_at__isnull", True), ("expired_at__isnull", False), _connector="OR"),
                name="sessions_recording_deleted",
            ),
        ),
    ]
