# SPDX-License-Identifier: Apache-2.0
"""Checkpoints and rows of the Merkle tree. Two new tables; nothing of old is read or changed.

An older release goes on beside it: it seals nothing, and the first sealer of this one signs for all that was written.
Back: reversible; what was signed is lost then, and every gateway that kept a checkpoint will alarm later.
"""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="Checkpoint",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("organisation", models.CharField(max_length=24)),
                ("size", models.PositiveBigIntegerField()),
                ("root", models.BinaryField(max_length=32)),
                ("peaks", models.BinaryField()),
                ("note", models.TextField()),
                ("at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("organisation", "size"), name="audit_checkpoint_size"),
                    models.CheckConstraint(condition=Q(size__gte=1), name="audit_checkpoint_of_something"),
                ],
            },
        ),
        migrations.CreateModel(
            name="TreeRow",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("organisation", models.CharField(max_length=24)),
                ("level", models.PositiveSmallIntegerField()),
                ("index", models.PositiveBigIntegerField()),
                ("sha256", models.BinaryField(max_length=32)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("organisation", "level", "index"), name="audit_tree_row"),
                    models.CheckConstraint(condition=Q(level__gte=1), name="audit_tree_level"),
                ],
            },
        ),
    ]
