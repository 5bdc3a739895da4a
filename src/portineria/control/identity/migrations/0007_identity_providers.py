# SPDX-License-Identifier: Apache-2.0
"""Identity providers of organisations, their domains, and what their groups are here.

New tables and one empty column; a release before this one knows nothing of it. Back: reversible; memberships that a
provider gave would stay as if somebody here had given them, so providers are withdrawn first.
"""

import functools

import django.db.models.deletion
import django.db.models.functions.text
import django.utils.timezone
from django.db import migrations, models

import portineria.core.ids


class Migration(migrations.Migration):
    dependencies = [
        ("identity", "0006_service_accounts"),
    ]

    operations = [
        migrations.CreateModel(
            name="GroupRole",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("group", models.CharField(blank=True, max_length=200)),
                ("role", models.CharField(max_length=16)),
                (
                    "supplier",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="group_roles",
                        to="identity.supplier",
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="membership",
            name="given_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="memberships",
                to="identity.grouprole",
            ),
        ),
        migrations.CreateModel(
            name="IdentityProvider",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.CharField(
                        default=functools.partial(
                            portineria.core.ids.new_id, *(portineria.core.ids.Kind["PROVIDER"],), **{}
                        ),
                        editable=False,
                        max_length=24,
                        unique=True,
                    ),
                ),
                ("kind", models.CharField(choices=[("openid", "OpenID Connect"), ("saml", "SAML 2.0")], max_length=8)),
                ("name", models.CharField(max_length=60)),
                ("issuer", models.CharField(max_length=200)),
                ("settings", models.JSONField(default=dict)),
                ("wrapped", models.BinaryField(default=b"")),
                ("groups_claim", models.CharField(blank=True, max_length=120)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("disabled_at", models.DateTimeField(blank=True, null=True)),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="providers",
                        to="identity.organisation",
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="grouprole",
            name="provider",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="group_roles", to="identity.identityprovider"
            ),
        ),
        migrations.CreateModel(
            name="ProviderDomain",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("domain", models.CharField(max_length=253)),
                ("confirmed_at", models.DateTimeField(blank=True, null=True)),
                (
                    "provider",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="domains",
                        to="identity.identityprovider",
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="identityprovider",
            constraint=models.UniqueConstraint(fields=("organisation", "name"), name="identity_provider_name"),
        ),
        migrations.AddConstraint(
            model_name="identityprovider",
            constraint=models.UniqueConstraint(fields=("organisation", "issuer"), name="identity_provider_issuer"),
        ),
        migrations.AddConstraint(
            model_name="identityprovider",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["openid", "saml"])), name="identity_provider_kind"
            ),
        ),
        migrations.AddConstraint(
            model_name="identityprovider",
            constraint=models.CheckConstraint(
                condition=models.Q(("issuer", ""), _negated=True), name="identity_provider_has_issuer"
            ),
        ),
        migrations.AddConstraint(
            model_name="grouprole",
            constraint=models.UniqueConstraint(fields=("provider", "group"), name="identity_group_once"),
        ),
        migrations.AddConstraint(
            model_name="grouprole",
            constraint=models.CheckConstraint(
                condition=models.Q(("role__in", ("administrator", "approver", "operator", "technician"))),
                name="identity_group_role",
            ),
        ),
        migrations.AddConstraint(
            model_name="grouprole",
            constraint=models.CheckConstraint(
                condition=models.Q(("supplier__isnull", True), ("role", "technician"), _connector="OR"),
                name="identity_group_supplier_is_technician",
            ),
        ),
        migrations.AddConstraint(
            model_name="grouprole",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("group", ""), _negated=True), ("role__in", ("operator", "technician")), _connector="OR"
                ),
                name="identity_group_everybody",
            ),
        ),
        migrations.AddConstraint(
            model_name="providerdomain",
            constraint=models.UniqueConstraint(fields=("provider", "domain"), name="identity_domain_once"),
        ),
        migrations.AddConstraint(
            model_name="providerdomain",
            constraint=models.UniqueConstraint(
                condition=models.Q(("confirmed_at__isnull", False)),
                fields=("domain",),
                name="identity_domain_one_provider",
            ),
        ),
        migrations.AddConstraint(
            model_name="providerdomain",
            constraint=models.CheckConstraint(
                condition=models.Q(("domain", django.db.models.functions.text.Lower("domain"))),
                name="identity_domain_lower",
            ),
        ),
    ]
