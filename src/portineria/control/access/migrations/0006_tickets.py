# SPDX-License-Identifier: Apache-2.0

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0005_windows_conditions_locks"),
        ("estate", "0007_held_operations"),
        ("identity", "0005_lead"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="accessrequest",
            name="ticket_asked_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="accessrequest",
            name="ticket_standing",
            field=models.CharField(blank=True, default="", max_length=12),
        ),
        migrations.AddField(
            model_name="accessrequest",
            name="ticket_state",
            field=models.CharField(blank=True, default="", max_length=200),
        ),
        migrations.AddField(
            model_name="accessrequest",
            name="ticket_system",
            field=models.CharField(blank=True, default="", max_length=24),
        ),
        migrations.AddIndex(
            model_name="accessrequest",
            index=models.Index(fields=["ticket_system", "ticket_asked_at"], name="access_request_ticket"),
        ),
        migrations.AddConstraint(
            model_name="accessrequest",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("ticket_standing", ""), ("ticket_system", "")),
                    models.Q(
                        models.Q(("ticket_system", ""), _negated=True),
                        ("ticket_standing__in", ["unasked", "holds", "missing", "state", "machine", "supplier"]),
                    ),
                    _connector="OR",
                ),
                name="access_request_ticket_stands",
            ),
        ),
    ]
