# SPDX-License-Identifier: Apache-2.0
"""Second factors of identity providers: whether one's word counts for that, and of whom it was given.

Rows: of every provider it does not count, as before; the new table is empty. Locks: the short one on
identity_identityprovider that columns with a constant default take. Back: reversible; what the providers showed is
asked anew.
"""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("identity", "0017_supplier_standing"),
    ]

    operations = [
        migrations.AddField(
            model_name="identityprovider",
            name="factor_counts",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="identityprovider",
            name="factor_levels",
            field=models.CharField(blank=True, default="", max_length=400),
            preserve_default=False,
        ),
        migrations.AddConstraint(
            model_name="identityprovider",
            constraint=models.CheckConstraint(
                condition=models.Q(("factor_counts", True), ("factor_levels", ""), _connector="OR"),
                name="identity_provider_levels_count",
            ),
        ),
        migrations.CreateModel(
            name="ProvidedFactor",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("first_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="provided_factors",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "provider",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="provided_factors",
                        to="identity.identityprovider",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("person", "provider"), name="identity_provided_factor_one")
                ],
            },
        ),
    ]
