# SPDX-License-Identifier: Apache-2.0
"""How long a technician's tool waits for an answer, and whether a gateway can hold a request.

Rows: none is rewritten. Locks: two columns with constant values, instant on PostgreSQL, a copy of two tables on SQLite;
the constraint is checked against a service's rows, which are few.
Back: reversible; gateways say it again, time-outs are lost.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("estate", "0006_inspection"),
    ]

    operations = [
        migrations.AddField(
            model_name="gateway",
            name="holds",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="service",
            name="client_timeout_s",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddConstraint(
            model_name="service",
            constraint=models.CheckConstraint(
                condition=models.Q(("client_timeout_s__lte", 600)), name="estate_client_timeout"
            ),
        ),
    ]
