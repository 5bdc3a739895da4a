# SPDX-License-Identifier: Apache-2.0
"""Machines carry labels, by which rules name them.

Rows: two new tables, empty. Locks: none beside the short ones for foreign keys to organisations and machines. Back:
reversible, and which machine carried what is gone then.
"""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("estate", "0009_free_reads"),
        ("identity", "0008_emergency_minutes"),
    ]

    operations = [
        migrations.CreateModel(
            name="Label",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("word", models.CharField(max_length=32)),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="labels", to="identity.organisation"
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="machine",
            name="labels",
            field=models.ManyToManyField(related_name="machines", to="estate.label"),
        ),
        migrations.AddConstraint(
            model_name="label",
            constraint=models.UniqueConstraint(fields=("organisation", "word"), name="estate_label_word"),
        ),
    ]
