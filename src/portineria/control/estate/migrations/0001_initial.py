# SPDX-License-Identifier: Apache-2.0

import functools

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import portineria.core.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("identity", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Gateway",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.CharField(
                        default=functools.partial(
                            portineria.core.ids.new_id, *(portineria.core.ids.Kind["GATEWAY"],), **{}
                        ),
                        editable=False,
                        max_length=24,
                        unique=True,
                    ),
                ),
                ("name", models.CharField(max_length=64)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("admitted", "Admitted"),
                            ("refused", "Refused"),
                            ("revoked", "Revoked"),
                            ("quarantined", "Quarantined"),
                        ],
                        default="waiting",
                        max_length=16,
                    ),
                ),
                ("state_reason", models.CharField(blank=True, max_length=200)),
                ("version", models.CharField(blank=True, max_length=32)),
                ("enrolled_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("enrolled_from", models.CharField(blank=True, max_length=64)),
                ("last_seen_at", models.DateTimeField(blank=True, null=True)),
                ("tls_key", models.BinaryField(max_length=128)),
                ("previous_tls_key", models.BinaryField(default=b"", max_length=128)),
                ("spki_sha256", models.BinaryField(max_length=32)),
                ("event_key", models.BinaryField(max_length=32)),
                ("sealing_key", models.BinaryField(max_length=32)),
                ("certificate", models.BinaryField(default=b"")),
                ("certificate_expires_at", models.DateTimeField(blank=True, null=True)),
                ("epoch", models.BinaryField(default=b"", max_length=32)),
                ("seq", models.PositiveBigIntegerField(default=0)),
                (
                    "chain_sha256",
                    models.BinaryField(
                        default=b"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
                        max_length=32,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Line",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=120)),
            ],
        ),
        migrations.CreateModel(
            name="Relay",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.CharField(
                        default=functools.partial(
                            portineria.core.ids.new_id, *(portineria.core.ids.Kind["RELAY"],), **{}
                        ),
                        editable=False,
                        max_length=24,
                        unique=True,
                    ),
                ),
                ("position", models.PositiveSmallIntegerField(unique=True)),
                ("host", models.CharField(max_length=253)),
                ("port", models.PositiveIntegerField()),
                ("retired_at", models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Machine",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.CharField(
                        default=functools.partial(
                            portineria.core.ids.new_id, *(portineria.core.ids.Kind["MACHINE"],), **{}
                        ),
                        editable=False,
                        max_length=24,
                        unique=True,
                    ),
                ),
                ("name", models.CharField(max_length=120)),
                ("tag", models.CharField(blank=True, max_length=60)),
                (
                    "criticality",
                    models.CharField(
                        choices=[("low", "Low"), ("normal", "Normal"), ("high", "High")], default="normal", max_length=8
                    ),
                ),
                ("drain_s", models.PositiveIntegerField(default=600)),
                ("hold_s", models.PositiveIntegerField(default=60)),
                (
                    "on_silence",
                    models.CharField(
                        choices=[("drain", "Drain"), ("cut", "Cut"), ("until_expiry", "Until Expiry")],
                        default="drain",
                        max_length=12,
                    ),
                ),
                (
                    "answering",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="answers_for",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "gateway",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="machines", to="estate.gateway"
                    ),
                ),
                (
                    "line",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="machines",
                        to="estate.line",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Device",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.CharField(
                        default=functools.partial(
                            portineria.core.ids.new_id, *(portineria.core.ids.Kind["DEVICE"],), **{}
                        ),
                        editable=False,
                        max_length=24,
                        unique=True,
                    ),
                ),
                ("name", models.CharField(max_length=120)),
                ("address", models.GenericIPAddressField()),
                (
                    "machine",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="devices", to="estate.machine"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Plant",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.CharField(
                        default=functools.partial(
                            portineria.core.ids.new_id, *(portineria.core.ids.Kind["PLANT"],), **{}
                        ),
                        editable=False,
                        max_length=24,
                        unique=True,
                    ),
                ),
                ("name", models.CharField(max_length=120)),
                ("time_zone", models.CharField(max_length=64)),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="plants", to="identity.organisation"
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="machine",
            name="plant",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="machines", to="estate.plant"
            ),
        ),
        migrations.AddField(
            model_name="line",
            name="plant",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="lines", to="estate.plant"
            ),
        ),
        migrations.AddField(
            model_name="gateway",
            name="plant",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="gateways", to="estate.plant"
            ),
        ),
        migrations.CreateModel(
            name="EnrolmentCode",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("lookup", models.CharField(max_length=8, unique=True)),
                ("wrapped_secret", models.BinaryField()),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("expires_at", models.DateTimeField()),
                ("failures", models.PositiveSmallIntegerField(default=0)),
                ("request_sha256", models.BinaryField(default=b"", max_length=32)),
                ("answer", models.BinaryField(default=b"")),
                (
                    "created_by",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to=settings.AUTH_USER_MODEL),
                ),
                (
                    "gateway",
                    models.OneToOneField(
                        blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, to="estate.gateway"
                    ),
                ),
                ("plant", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="estate.plant")),
            ],
        ),
        migrations.CreateModel(
            name="Link",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("address", models.CharField(max_length=64)),
                ("since", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "gateway",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="links", to="estate.gateway"
                    ),
                ),
                (
                    "relay",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="links", to="estate.relay"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Service",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.CharField(
                        default=functools.partial(
                            portineria.core.ids.new_id, *(portineria.core.ids.Kind["SERVICE"],), **{}
                        ),
                        editable=False,
                        max_length=24,
                        unique=True,
                    ),
                ),
                ("name", models.CharField(max_length=60)),
                ("protocol", models.CharField(max_length=24)),
                ("port", models.PositiveIntegerField()),
                ("transport", models.CharField(default="tcp", max_length=4)),
                (
                    "device",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="services", to="estate.device"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Zone",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=120)),
                (
                    "plant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="zones", to="estate.plant"
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="line",
            name="zone",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="lines",
                to="estate.zone",
            ),
        ),
        migrations.CreateModel(
            name="Boot",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("boot", models.BinaryField(max_length=32)),
                ("first_seen_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("returns", models.PositiveSmallIntegerField(default=0)),
                (
                    "gateway",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="boots", to="estate.gateway"
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("gateway", "boot"), name="estate_boot_once")],
            },
        ),
        migrations.AddConstraint(
            model_name="device",
            constraint=models.UniqueConstraint(fields=("machine", "name"), name="estate_device_name"),
        ),
        migrations.AddConstraint(
            model_name="plant",
            constraint=models.UniqueConstraint(fields=("organisation", "name"), name="estate_plant_name"),
        ),
        migrations.AddConstraint(
            model_name="machine",
            constraint=models.UniqueConstraint(fields=("plant", "name"), name="estate_machine_name"),
        ),
        migrations.AddConstraint(
            model_name="machine",
            constraint=models.CheckConstraint(condition=models.Q(("drain_s__lte", 86400)), name="estate_machine_drain"),
        ),
        migrations.AddConstraint(
            model_name="machine",
            constraint=models.CheckConstraint(condition=models.Q(("hold_s__lte", 3600)), name="estate_machine_hold"),
        ),
        migrations.AddIndex(
            model_name="gateway",
            index=models.Index(fields=["state"], name="estate_gateway_state_idx"),
        ),
        migrations.AddConstraint(
            model_name="gateway",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "admitted"), _negated=True),
                    ("certificate_expires_at__isnull", False),
                    _connector="OR",
                ),
                name="estate_admitted_has_certificate",
            ),
        ),
        migrations.AddConstraint(
            model_name="gateway",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["waiting", "admitted", "refused", "revoked", "quarantined"])),
                name="estate_gateway_state",
            ),
        ),
        migrations.AddConstraint(
            model_name="enrolmentcode",
            constraint=models.CheckConstraint(
                condition=models.Q(("expires_at__gt", models.F("created_at"))), name="estate_code_ends"
            ),
        ),
        migrations.AddConstraint(
            model_name="enrolmentcode",
            constraint=models.CheckConstraint(condition=models.Q(("failures__lte", 5)), name="estate_code_failures"),
        ),
        migrations.AddConstraint(
            model_name="link",
            constraint=models.UniqueConstraint(fields=("gateway", "relay"), name="estate_link_once"),
        ),
        migrations.AddConstraint(
            model_name="service",
            constraint=models.UniqueConstraint(fields=("device", "transport", "port"), name="estate_service_port"),
        ),
        migrations.AddConstraint(
            model_name="service",
            constraint=models.UniqueConstraint(fields=("device", "name"), name="estate_service_name"),
        ),
        migrations.AddConstraint(
            model_name="service",
            constraint=models.CheckConstraint(
                condition=models.Q(("port__gte", 1), ("port__lte", 65535)), name="estate_port_range"
            ),
        ),
        migrations.AddConstraint(
            model_name="service",
            constraint=models.CheckConstraint(condition=models.Q(("transport", "tcp")), name="estate_transport"),
        ),
        migrations.AddConstraint(
            model_name="zone",
            constraint=models.UniqueConstraint(fields=("plant", "name"), name="estate_zone_name"),
        ),
        migrations.AddConstraint(
            model_name="line",
            constraint=models.UniqueConstraint(fields=("plant", "name"), name="estate_line_name"),
        ),
    ]
