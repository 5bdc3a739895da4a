# SPDX-License-Identifier: Apache-2.0
"""AI agents: programs for which a named person answers.

Rows: a column of people, empty for all. Locks: on PostgreSQL the check of the new condition reads the table once. Back:
reversible; an agent is a technician without a sign-in then, and no token of it is taken any more.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("identity", "0013_groups_and_directories"),
    ]

    operations = [
        migrations.AddField(
            model_name="person",
            name="answered_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="agents",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddConstraint(
            model_name="person",
            constraint=models.CheckConstraint(
                condition=models.Q(("answered_by__isnull", True), ("is_service", True), _connector="OR"),
                name="identity_agent_is_program",
            ),
        ),
    ]
