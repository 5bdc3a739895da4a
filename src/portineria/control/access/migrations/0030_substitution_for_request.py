# SPDX-License-Identifier: Apache-2.0
"""An approver hands one request to a colleague: a substitution for that request alone.

Rows: those that are there are for whatever comes. Locks: an empty column, its index and its reference, in a table of
few rows; a copy of it on SQLite. Back: reversible; what was handed over would be for whatever comes, so it is ended.
"""

import django.db.models.deletion
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import Q
from django.db.models.functions import Now


def end_what_was_handed(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    rows = apps.get_model("access", "Substitution").objects.filter(request__isnull=False, ended_at__isnull=True)
    rows.update(ended_at=Now())


class Migration(migrations.Migration):
    dependencies = [("access", "0029_approval_in_level")]

    operations = [
        migrations.AddField(
            "substitution",
            "request",
            models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="handed_to",
                to="access.accessrequest",
            ),
        ),
        migrations.AddConstraint(
            "substitution",
            models.UniqueConstraint(
                name="access_substitution_handed_once",
                fields=["request", "approver"],
                condition=Q(request__isnull=False, ended_at__isnull=True),
            ),
        ),
        migrations.RunPython(migrations.RunPython.noop, end_what_was_handed),
    ]
