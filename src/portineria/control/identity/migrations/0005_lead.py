# SPDX-License-Identifier: Apache-2.0
"""One row per duty of which there is one at a time. A new table; a release before this one knows nothing of it.

Back: reversible; every process that leads then stops within seconds, and an older release leads without asking.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("identity", "0004_language_may_be_left_open")]

    operations = [
        migrations.CreateModel(
            name="LeadRow",
            fields=[
                ("duty", models.CharField(max_length=16, primary_key=True, serialize=False)),
                ("holder", models.CharField(max_length=64)),
                ("until", models.DateTimeField()),
            ],
        ),
    ]
