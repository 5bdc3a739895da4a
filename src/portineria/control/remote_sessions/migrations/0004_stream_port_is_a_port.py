# SPDX-License-Identifier: Apache-2.0
"""The port of a stream is a port, or unknown: what a gateway says may be any number.

Rows: those of gateways that said something else lose it; the ledger and the signed bytes keep it.
Locks: PostgreSQL scans the table under ACCESS EXCLUSIVE while adding the constraint. Back: reversible.
"""

from django.db import migrations, models
from django.db.models import Q


def forget_what_is_no_port(apps, schema_editor):
    streams = apps.get_model("remote_sessions", "Stream").objects
    streams.filter(Q(port__lt=1) | Q(port__gt=65535)).update(port=None)


class Migration(migrations.Migration):
    dependencies = [("remote_sessions", "0003_session_relay_closed_at")]

    operations = [
        migrations.RunPython(forget_what_is_no_port, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name="stream",
            constraint=models.CheckConstraint(
                condition=Q(port__isnull=True) | Q(port__gte=1, port__lte=65535), name="sessions_stream_port"
            ),
        ),
    ]
