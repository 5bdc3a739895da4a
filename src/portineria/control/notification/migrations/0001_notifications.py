# SPDX-License-Identifier: Apache-2.0
"""What people are told, by which ways, and how far each register was read for it.

Rows: new tables; one row for each organisation, which says that what is in its register already is no news. Locks: none
beside the short ones for foreign keys to people and organisations. Back: reversible, and what was chosen is gone then.
"""

import functools
from typing import Any

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import portineria.core.ids


def begin_now(apps: Any, schema_editor: Any) -> None:
    written = dict(apps.get_model("audit", "Head").objects.values_list("organisation", "seq"))
    apps.get_model("notification", "Reading").objects.bulk_create(
        apps.get_model("notification", "Reading")(organisation=row, seq=written.get(row.public_id, 0))
        for row in apps.get_model("identity", "Organisation").objects.order_by("pk")
    )


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("audit", "0006_time_stamps"),
        ("identity", "0005_lead"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Notification",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.CharField(
                        default=functools.partial(
                            portineria.core.ids.new_id, *(portineria.core.ids.Kind["NOTIFICATION"],), **{}
                        ),
                        editable=False,
                        max_length=24,
                        unique=True,
                    ),
                ),
                ("key", models.CharField(max_length=96)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("waits", "Waits"),
                            ("decided", "Decided"),
                            ("ends", "Ends"),
                            ("held", "Held"),
                            ("locked", "Locked"),
                            ("job", "Job"),
                            ("role", "Role"),
                        ],
                        max_length=8,
                    ),
                ),
                ("code", models.CharField(max_length=64)),
                ("thing", models.CharField(max_length=24)),
                ("by", models.CharField(blank=True, max_length=24)),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("listed", models.BooleanField(default=True)),
                ("read_at", models.DateTimeField(blank=True, null=True)),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="notifications",
                        to="identity.organisation",
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="notifications",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Delivery",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("channel", models.CharField(choices=[("mail", "mail"), ("webhook", "webhook")], max_length=8)),
                (
                    "state",
                    models.CharField(
                        choices=[("waiting", "Waiting"), ("sent", "Sent"), ("moot", "Moot"), ("given-up", "Given Up")],
                        default="waiting",
                        max_length=8,
                    ),
                ),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("next_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("done_at", models.DateTimeField(blank=True, null=True)),
                ("why", models.CharField(blank=True, max_length=120)),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "notification",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="deliveries",
                        to="notification.notification",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Reading",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("seq", models.PositiveBigIntegerField(default=0)),
                (
                    "organisation",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="identity.organisation"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Webhook",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("address", models.CharField(max_length=512)),
                ("wrapped", models.BinaryField()),
                ("made_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "person",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="notification_webhook",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Choice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("waits", "Waits"),
                            ("decided", "Decided"),
                            ("ends", "Ends"),
                            ("held", "Held"),
                            ("locked", "Locked"),
                            ("job", "Job"),
                            ("role", "Role"),
                        ],
                        max_length=8,
                    ),
                ),
                ("console", models.BooleanField(default=True)),
                ("mail", models.BooleanField(default=False)),
                ("webhook", models.BooleanField(default=False)),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="notification_choices",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("person", "kind"), name="notification_choice_one")],
            },
        ),
        migrations.AddIndex(
            model_name="notification",
            index=models.Index(fields=["person", "listed", "at"], name="notification_newest"),
        ),
        migrations.AddIndex(
            model_name="notification",
            index=models.Index(fields=["at"], name="notification_oldest"),
        ),
        migrations.AddConstraint(
            model_name="notification",
            constraint=models.UniqueConstraint(fields=("person", "key"), name="notification_once"),
        ),
        migrations.AddConstraint(
            model_name="notification",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["waits", "decided", "ends", "held", "locked", "job", "role"])),
                name="notification_kind",
            ),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(fields=["state", "next_at"], name="notification_due"),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(fields=["person", "channel", "done_at"], name="notification_sent"),
        ),
        migrations.AddConstraint(
            model_name="delivery",
            constraint=models.UniqueConstraint(fields=("notification", "channel"), name="notification_delivery_once"),
        ),
        migrations.AddConstraint(
            model_name="delivery",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("done_at__isnull", True), ("state", "waiting")),
                    models.Q(("done_at__isnull", False), ("state__in", ["sent", "moot", "given-up"])),
                    _connector="OR",
                ),
                name="notification_delivery_done",
            ),
        ),
        migrations.AddConstraint(
            model_name="delivery",
            constraint=models.CheckConstraint(
                condition=models.Q(("channel__in", ["mail", "webhook"])), name="notification_delivery_leaves"
            ),
        ),
        migrations.RunPython(begin_now, migrations.RunPython.noop),
    ]
