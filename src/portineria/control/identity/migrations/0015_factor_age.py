# SPDX-License-Identifier: Apache-2.0
"""When the person last proved a second factor in the browser that signed a connector in.

Rows: connectors that are signed in, and codes of the last minute: nobody knows it of them, so rules that ask for it
want a new sign-in. Locks: columns that may be null, instant. Back: reversible.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("identity", "0014_agents"),
    ]

    operations = [
        migrations.AddField(
            model_name="authorisationcode",
            name="factor_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="connectortoken",
            name="factor_at",
            field=models.DateTimeField(null=True),
        ),
    ]
