# SPDX-License-Identifier: Apache-2.0
"""Signed requests of connectors count once, and another password ends a connector's token.

Rows: a token of before has no mark of a password, so it is taken no more: those few connectors sign in again.
Locks: one short ALTER TABLE of identity_connectortoken; identity_usedproof is new.
Back: reversible; older code ignores both.
"""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("identity", "0001_initial")]

    operations = [
        migrations.AddField("connectortoken", "password_mark", models.CharField(default="", max_length=128)),
        migrations.CreateModel(
            name="UsedProof",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("nonce", models.BinaryField(max_length=16)),
                ("at", models.DateTimeField()),
                (
                    "token",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="used_proofs",
                        to="identity.connectortoken",
                    ),
                ),
            ],
            options={"constraints": [models.UniqueConstraint(fields=("token", "nonce"), name="identity_proof_once")]},
        ),
    ]
