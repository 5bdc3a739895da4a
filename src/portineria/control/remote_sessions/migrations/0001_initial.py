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
        ("access", "0001_initial"),
        ("audit", "0001_initial"),
        ("estate", "0001_initial"),
        ("identity", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Session",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.CharField(
                        default=functools.partial(
                            portineria.core.ids.new_id, *(portineria.core.ids.Kind["SESSION"],), **{}
                        ),
                        editable=False,
                        max_length=24,
                        unique=True,
                    ),
                ),
                ("key", models.BinaryField(max_length=128)),
                ("key_sha256", models.BinaryField(max_length=32, unique=True)),
                ("certificate", models.BinaryField()),
                ("order", models.BinaryField()),
                ("order_seq", models.PositiveIntegerField()),
                ("order_sha256", models.BinaryField(max_length=32)),
                ("withdrawal", models.BinaryField(default=b"")),
                ("expires_at", models.DateTimeField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("opening", "Opening"),
                            ("live", "Live"),
                            ("draining", "Draining"),
                            ("cutting", "Cutting"),
                            ("ended", "Ended"),
                        ],
                        default="opening",
                        max_length=12,
                    ),
                ),
                ("requested_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("live_at", models.DateTimeField(blank=True, null=True)),
                ("drain_until", models.DateTimeField(blank=True, null=True)),
                ("cut_requested_at", models.DateTimeField(blank=True, null=True)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "ending_class",
                    models.CharField(
                        blank=True,
                        choices=[("security", "security"), ("administrative", "administrative")],
                        max_length=16,
                    ),
                ),
                ("end_why", models.CharField(blank=True, max_length=120)),
                ("end_reason", models.CharField(blank=True, max_length=500)),
                ("ending", models.CharField(blank=True, max_length=12)),
                ("latency_ms", models.PositiveIntegerField(blank=True, null=True)),
                ("to_device", models.PositiveBigIntegerField(default=0)),
                ("from_device", models.PositiveBigIntegerField(default=0)),
                (
                    "ended_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "gateway",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="sessions", to="estate.gateway"
                    ),
                ),
                (
                    "grant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="sessions", to="access.grant"
                    ),
                ),
                (
                    "machine",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="sessions", to="estate.machine"
                    ),
                ),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="sessions", to="identity.organisation"
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="sessions",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "receipt",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="audit.event",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Stream",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.CharField(max_length=64)),
                ("service_id_text", models.CharField(blank=True, max_length=24)),
                ("address", models.CharField(blank=True, max_length=45)),
                ("port", models.PositiveIntegerField(blank=True, null=True)),
                ("opened_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                ("how", models.CharField(blank=True, max_length=32)),
                ("to_device", models.PositiveBigIntegerField(default=0)),
                ("from_device", models.PositiveBigIntegerField(default=0)),
                ("resumed", models.PositiveIntegerField(default=0)),
                (
                    "service",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="estate.service",
                    ),
                ),
                (
                    "session",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="streams",
                        to="remote_sessions.session",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="AskedQuestion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("nonce", models.BinaryField(max_length=32)),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "boot",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="questions", to="estate.boot"
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("boot", "nonce"), name="sessions_question")],
            },
        ),
        migrations.CreateModel(
            name="GatewayReport",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("epoch", models.BinaryField(max_length=32)),
                ("seq", models.PositiveBigIntegerField()),
                ("sha256", models.BinaryField(max_length=32)),
                ("signed", models.BinaryField()),
                (
                    "event",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="audit.event"
                    ),
                ),
                (
                    "gateway",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="reports", to="estate.gateway"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("gateway", "epoch", "seq"), name="sessions_report"),
                    models.CheckConstraint(condition=models.Q(("seq__gte", 1)), name="sessions_report_numbered"),
                ],
            },
        ),
        migrations.AddIndex(
            model_name="session",
            index=models.Index(
                condition=models.Q(("state", "ended"), _negated=True), fields=["gateway", "state"], name="sessions_open"
            ),
        ),
        migrations.AddIndex(
            model_name="session",
            index=models.Index(fields=["organisation", "requested_at"], name="sessions_recent"),
        ),
        migrations.AddConstraint(
            model_name="session",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "ended"), _negated=True),
                    models.Q(("ended_at__isnull", False), ("receipt__isnull", False)),
                    models.Q(("ended_at__isnull", False), ("ending", "unproven")),
                    _connector="OR",
                ),
                name="sessions_ended_has_proof",
            ),
        ),
        migrations.AddConstraint(
            model_name="session",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "cutting"), _negated=True), ("cut_requested_at__isnull", False), _connector="OR"
                ),
                name="sessions_cutting_was_asked",
            ),
        ),
        migrations.AddConstraint(
            model_name="session",
            constraint=models.CheckConstraint(
                condition=models.Q(("order_seq__gte", 1)), name="sessions_order_numbered"
            ),
        ),
        migrations.AddConstraint(
            model_name="session",
            constraint=models.CheckConstraint(
                condition=models.Q(("expires_at__gt", models.F("requested_at"))), name="sessions_expire"
            ),
        ),
        migrations.AddConstraint(
            model_name="session",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["opening", "live", "draining", "cutting", "ended"])),
                name="sessions_state",
            ),
        ),
        migrations.AddConstraint(
            model_name="stream",
            constraint=models.UniqueConstraint(fields=("session", "public_id"), name="sessions_stream"),
        ),
    ]
