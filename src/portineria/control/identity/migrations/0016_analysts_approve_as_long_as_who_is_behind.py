# SPDX-License-Identifier: Apache-2.0
"""Whether the person behind an analyst approves at the provider.

Rows: every membership says so; of analysts the timer finds out within a second, of others nobody asks. Locks: the
short one on identity_membership that a column with a constant default takes. Back: reversible.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("identity", "0015_factor_age"),
    ]

    operations = [
        migrations.AddField(
            model_name="membership",
            name="approves_there",
            field=models.BooleanField(default=True),
        ),
    ]
