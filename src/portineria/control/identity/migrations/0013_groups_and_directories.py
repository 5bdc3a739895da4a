# SPDX-License-Identifier: Apache-2.0
"""Groups of people, what identity providers say of them, and what a directory says of people through SCIM.

Rows: new tables, empty. Locks: a column with a constant value on the tokens of service accounts, a handful; the short
ones for foreign keys. Back: reversible; groups and what directories said are forgotten.
"""

import functools

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import portineria.core.ids


class Migration(migrations.Migration):
    dependencies = [
        ("identity", "0012_saved_searches"),
    ]

    operations = [
        migrations.CreateModel(
            name="DirectoryEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("external_id", models.CharField(blank=True, default="", max_length=200)),
                ("made", models.BooleanField(default=False)),
                ("closed", models.BooleanField(default=False)),
                ("removed", models.BooleanField(default=False)),
                ("role", models.CharField(blank=True, default="", max_length=16)),
                ("changed_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.CreateModel(
            name="Group",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.CharField(
                        default=functools.partial(
                            portineria.core.ids.new_id, *(portineria.core.ids.Kind["GROUP"],), **{}
                        ),
                        editable=False,
                        max_length=24,
                        unique=True,
                    ),
                ),
                ("name", models.CharField(max_length=120)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                ("external_id", models.CharField(blank=True, default="", max_length=200)),
                ("provisioned", models.BooleanField(default=False)),
            ],
        ),
        migrations.CreateModel(
            name="GroupMember",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "by",
                    models.CharField(
                        choices=[("hand", "Hand"), ("provider", "Provider"), ("directory", "Directory")], max_length=10
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="GroupSource",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("claimed", models.CharField(max_length=200)),
            ],
        ),
        migrations.AddField(
            model_name="apitoken",
            name="provisions",
            field=models.BooleanField(default=False),
        ),
        migrations.AddConstraint(
            model_name="apitoken",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("provisions", False), models.Q(("asks", False), ("operates", False)), _connector="OR"
                ),
                name="identity_api_token_provisions_alone",
            ),
        ),
        migrations.AddField(
            model_name="directoryentry",
            name="organisation",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="directory", to="identity.organisation"
            ),
        ),
        migrations.AddField(
            model_name="directoryentry",
            name="person",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="directory", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="directoryentry",
            name="supplier",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="identity.supplier",
            ),
        ),
        migrations.AddField(
            model_name="group",
            name="organisation",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="groups", to="identity.organisation"
            ),
        ),
        migrations.AddField(
            model_name="groupmember",
            name="group",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="members", to="identity.group"
            ),
        ),
        migrations.AddField(
            model_name="groupmember",
            name="membership",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="in_groups", to="identity.membership"
            ),
        ),
        migrations.AddField(
            model_name="groupsource",
            name="group",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="sources", to="identity.group"
            ),
        ),
        migrations.AddField(
            model_name="groupsource",
            name="provider",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="group_sources",
                to="identity.identityprovider",
            ),
        ),
        migrations.AddConstraint(
            model_name="directoryentry",
            constraint=models.UniqueConstraint(fields=("organisation", "person"), name="identity_directory_once"),
        ),
        migrations.AddConstraint(
            model_name="group",
            constraint=models.UniqueConstraint(
                condition=models.Q(("closed_at__isnull", True)),
                fields=("organisation", "name"),
                name="identity_group_name",
            ),
        ),
        migrations.AddConstraint(
            model_name="groupmember",
            constraint=models.UniqueConstraint(fields=("group", "membership", "by"), name="identity_group_member_once"),
        ),
        migrations.AddConstraint(
            model_name="groupmember",
            constraint=models.CheckConstraint(
                condition=models.Q(("by__in", ["hand", "provider", "directory"])), name="identity_group_member_by"
            ),
        ),
        migrations.AddConstraint(
            model_name="groupsource",
            constraint=models.UniqueConstraint(
                fields=("provider", "claimed", "group"), name="identity_group_source_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="groupsource",
            constraint=models.CheckConstraint(
                condition=models.Q(("claimed", ""), _negated=True), name="identity_group_source_claimed"
            ),
        ),
    ]
