# SPDX-License-Identifier: Apache-2.0
"""What a person's webhook reads: signed JSON as before, or the message of a chat.

Rows: each webhook, at most one for a person, gets the form it has. Locks: a column with a constant value, instant on
PostgreSQL, and a constraint that reads these few rows; a copy of them on SQLite. Back: reversible; a chat gets signed
JSON then, and refuses it.
"""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("notification", "0001_notifications"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="webhook",
            name="form",
            field=models.CharField(
                choices=[("signed", "Signed"), ("slack", "Slack"), ("teams", "Teams")], default="signed", max_length=8
            ),
        ),
        migrations.AddConstraint(
            model_name="webhook",
            constraint=models.CheckConstraint(
                condition=models.Q(("form__in", ["signed", "slack", "teams"])), name="notification_webhook_form"
            ),
        ),
    ]
