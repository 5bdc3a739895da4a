# SPDX-License-Identifier: Apache-2.0
"""A rule names a supplier, a person or a group.

Rows: none is changed; each rule names exactly one already. Locks: a column that may be empty, instant on PostgreSQL; the
constraint and the index read the rules once, thousands. Back: reversible while no rule names a group.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0012_consent_signals"),
        ("estate", "0008_emergencies"),
        ("identity", "0013_groups_and_directories"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="rule",
            name="access_rule_names_one",
        ),
        migrations.AddField(
            model_name="rule",
            name="group",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="rules",
                to="identity.group",
            ),
        ),
        migrations.AddIndex(
            model_name="rule",
            index=models.Index(
                condition=models.Q(("group__isnull", False)), fields=["group", "organisation"], name="access_rule_group"
            ),
        ),
        migrations.AddConstraint(
            model_name="rule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("group__isnull", True), ("person__isnull", False), ("supplier__isnull", True)),
                    models.Q(("group__isnull", True), ("person__isnull", True), ("supplier__isnull", False)),
                    models.Q(("group__isnull", False), ("person__isnull", True), ("supplier__isnull", True)),
                    _connector="OR",
                ),
                name="access_rule_names_one",
            ),
        ),
    ]
