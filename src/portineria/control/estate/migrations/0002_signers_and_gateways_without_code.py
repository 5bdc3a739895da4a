# SPDX-License-Identifier: Apache-2.0
"""Whom each gateway believes, and whether it came without a code.

Rows: none is rewritten; a gateway of before believes, until it says otherwise, the signers it was enrolled with. Locks:
adding a column with a constant default is instant on PostgreSQL and copies one small table on SQLite. Back: reversible
as long as no signer was rotated; afterwards letters would be signed by a signer that some gateways do not know.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("estate", "0001_initial")]

    operations = [
        migrations.AddField("Gateway", "signers", models.JSONField(default=list)),
        migrations.AddField("Gateway", "without_code", models.BooleanField(default=False)),
        migrations.AddIndex(
            "Gateway", models.Index(fields=["without_code", "enrolled_at"], name="estate_without_code_idx")
        ),
    ]
