# SPDX-License-Identifier: Apache-2.0
"""What was answered to requests with an idempotency key.

Rows and locks: none, the table is new. Back: reversible; a request that is sent again afterwards is done again.
"""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = [("identity", "0006_service_accounts")]

    operations = [
        migrations.CreateModel(
            "KeptAnswer",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                ("key", models.CharField(max_length=64)),
                ("request_sha256", models.BinaryField(max_length=32)),
                ("answer", models.BinaryField(default=b"", max_length=32768)),
                ("made_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.AddConstraint(
            "keptanswer", models.UniqueConstraint(fields=["person", "key"], name="rest_answer_once")
        ),
        migrations.AddIndex("keptanswer", models.Index(fields=["person", "made_at"], name="rest_answer_age")),
    ]
