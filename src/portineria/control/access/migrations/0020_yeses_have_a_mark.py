# SPDX-License-Identifier: Apache-2.0
"""A yes keeps the mark of what it was said to.

Rows: of what was decided before nobody knows the mark; it counts on for grants. Where a request waits under a rule
with a function profile or with single services, whoever said yes says it again. Locks: the short one on
access_approval that a column with a constant default takes. Back: reversible; the marks are lost.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0019_company_devices"),
    ]

    operations = [
        migrations.AddField(
            model_name="approval",
            name="mark",
            field=models.CharField(blank=True, default="", max_length=40),
        ),
        migrations.AddField(
            model_name="approval",
            name="counts",
            field=models.BooleanField(default=True),
        ),
    ]
