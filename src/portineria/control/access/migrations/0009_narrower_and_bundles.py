# SPDX-License-Identifier: Apache-2.0
"""A yes may be narrowed to another function profile besides; several machines may be asked for together.

Rows: none is rewritten: what was given is narrowed to nothing, what was asked stands alone. Locks: columns with constant
values, instant on PostgreSQL beside the short lock for each foreign key and the time that an empty index takes; a copy
of requests, approvals and grants on SQLite. Back: reversible; what was narrowed is as wide as its rule's profile then,
so end such grants first.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0008_substitutions"),
        ("estate", "0007_held_operations"),
        ("identity", "0005_lead"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="accessrequest",
            name="bundle",
            field=models.CharField(blank=True, default="", max_length=24),
        ),
        migrations.AddField(
            model_name="approval",
            name="narrower",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="access.functionprofile",
            ),
        ),
        migrations.AddField(
            model_name="grant",
            name="narrower",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="access.functionprofile",
            ),
        ),
        migrations.AddIndex(
            model_name="accessrequest",
            index=models.Index(
                condition=models.Q(("bundle", ""), _negated=True), fields=["bundle"], name="access_request_bundle"
            ),
        ),
        migrations.AddConstraint(
            model_name="approval",
            constraint=models.CheckConstraint(
                condition=models.Q(("narrower__isnull", True), ("approved", True), _connector="OR"),
                name="access_approval_narrower",
            ),
        ),
    ]
