# SPDX-License-Identifier: Apache-2.0
"""A person's language may be empty: as their browser asks, until they choose one.

Before, whoever was invited got English, whatever their browser spoke. Rows: none are touched; who has a language keeps
it, because a choice and the old default cannot be told apart. The account page offers the browser's again.
Locks: none, the column stays as it is; a release before this one reads an empty language as no language of ours and
falls back to English.
Back: reversible; empty ones stay.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("identity", "0003_membership_offers")]

    operations = [
        migrations.AlterField(
            model_name="person",
            name="language",
            field=models.CharField(
                blank=True, choices=[("en", "English"), ("it", "Italiano"), ("ja", "日本語")], max_length=5
            ),
        ),
    ]
