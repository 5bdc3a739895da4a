# SPDX-License-Identifier: Apache-2.0
"""What an organisation records of whom, and for how long.

Organisations that are there already get a row that says what held so far: everybody is recorded at machines that are
recorded, and nothing is deleted by itself. Later ones begin with the product's terms: suppliers are recorded, own staff
is not, recordings are kept for 90 days. Rows: one for each organisation. Locks: none beside the short ones for foreign
keys. Back: reversible, and everybody is recorded again then.
"""

import django.db.models.deletion
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def keep_what_was_recorded(apps: StateApps, _editor: BaseDatabaseSchemaEditor) -> None:
    terms = apps.get_model("privacy", "Terms")
    for organisation in apps.get_model("identity", "Organisation").objects.order_by("pk"):
        terms.objects.create(organisation=organisation, records_staff=True, recordings_days=None)


class Migration(migrations.Migration):
    dependencies = [
        ("identity", "0005_lead"),
        ("privacy", "0001_notices"),
    ]

    operations = [
        migrations.CreateModel(
            name="Terms",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("records_staff", models.BooleanField(default=False)),
                ("records_suppliers", models.BooleanField(default=True)),
                ("recordings_days", models.PositiveSmallIntegerField(blank=True, default=90, null=True)),
                (
                    "organisation",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="terms", to="identity.organisation"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("recordings_days__isnull", True),
                            models.Q(("recordings_days__gte", 1), ("recordings_days__lte", 3650)),
                            _connector="OR",
                        ),
                        name="privacy_terms_days",
                    )
                ],
            },
        ),
        migrations.RunPython(keep_what_was_recorded, migrations.RunPython.noop),
    ]
