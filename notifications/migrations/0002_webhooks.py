"""Webhook endpoints, deliveries and attempts."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import core.ids
import core.indexes
import notifications.models.webhooks


class Migration(migrations.Migration):
    dependencies = [
        ("notifications", "0001_inbox"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="WebhookEndpoint",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("row_version", models.PositiveBigIntegerField(default=1, editable=False)),
                (
                    "kind",
                    models.CharField(
                        choices=notifications.models.webhooks.endpoint_kind_choices,
                        default="subscription",
                        max_length=16,
                    ),
                ),
                ("url", models.CharField(blank=True, default="", max_length=4096)),
                ("description", models.CharField(blank=True, default="", max_length=200)),
                ("events", models.JSONField(default=list)),
                ("secret", models.TextField(editable=False)),
                ("previous_secret", models.TextField(blank=True, default="", editable=False)),
                ("previous_secret_until", models.DateTimeField(blank=True, null=True)),
                ("is_enabled", models.BooleanField(default=True)),
                ("disabled_at", models.DateTimeField(blank=True, null=True)),
                (
                    "disabled_reason",
                    models.CharField(
                        blank=True,
                        choices=notifications.models.webhooks.disabled_reason_choices,
                        default="",
                        max_length=16,
                    ),
                ),
                ("deleted_at", models.DateTimeField(blank=True, null=True)),
                (
                    "owner",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="webhook_endpoints",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "permissions": [("switch_webhook_endpoint", "Can disable and enable webhook endpoints")],
            },
        ),
        migrations.CreateModel(
            name="WebhookDelivery",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("type", models.CharField(max_length=60)),
                ("resource", models.CharField(max_length=60)),
                ("sequence", models.BigIntegerField()),
                ("body", models.TextField()),
                (
                    "format",
                    models.CharField(
                        choices=notifications.models.webhooks.body_format_choices, default="standard", max_length=10
                    ),
                ),
                ("url", models.CharField(blank=True, default="", max_length=4096)),
                (
                    "status",
                    models.CharField(
                        choices=notifications.models.webhooks.delivery_status_choices, default="pending", max_length=12
                    ),
                ),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("last_status_code", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("last_error", models.CharField(blank=True, default="", max_length=60)),
                ("next_attempt_at", models.DateTimeField(blank=True, null=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                ("job_id", models.UUIDField(blank=True, editable=False, null=True)),
                (
                    "endpoint",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="deliveries",
                        to="notifications.webhookendpoint",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "webhook deliveries",
                "permissions": [("redeliver_webhook", "Can send deliveries again")],
            },
        ),
        migrations.CreateModel(
            name="EndpointHealth",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("limit_running", models.PositiveSmallIntegerField(default=4)),
                ("limit_changed_at", models.DateTimeField(blank=True, null=True)),
                ("is_slow", models.BooleanField(default=False)),
                ("failing_since", models.DateTimeField(blank=True, null=True)),
                ("last_attempt_at", models.DateTimeField(blank=True, null=True)),
                ("last_success_at", models.DateTimeField(blank=True, null=True)),
                (
                    "endpoint",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="health",
                        to="notifications.webhookendpoint",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "endpoint health",
            },
        ),
        migrations.CreateModel(
            name="DeliveryAttempt",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("number", models.PositiveIntegerField()),
                ("status_code", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("error", models.CharField(blank=True, default="", max_length=60)),
                ("detail", models.CharField(blank=True, default="", max_length=300)),
                ("duration_s", models.FloatField()),
                ("response_body", models.TextField(blank=True, default="")),
                (
                    "delivery",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="history",
                        to="notifications.webhookdelivery",
                    ),
                ),
            ],
            options={
                "ordering": ["number"],
                "indexes": [core.indexes.NamedIndex(fields=["-created_at"], name="idx_delivery_attempts_created")],
                "constraints": [
                    models.UniqueConstraint(fields=("delivery", "number"), name="uniq_delivery_attempt_number")
                ],
            },
        ),
        migrations.AddIndex(
            model_name="webhookendpoint",
            index=core.indexes.NamedIndex(
                condition=models.Q(("deleted_at__isnull", True)),
                fields=["owner", "-created_at", "-id"],
                name="idx_webhook_endpoints_owner",
            ),
        ),
        migrations.AddIndex(
            model_name="webhookendpoint",
            index=core.indexes.NamedIndex(fields=["-created_at"], name="idx_webhook_endpoints_created"),
        ),
        migrations.AddIndex(
            model_name="webhookendpoint",
            index=core.indexes.NamedIndex(
                condition=models.Q(("deleted_at__isnull", False)),
                fields=["deleted_at"],
                name="idx_webhook_endpoints_deleted",
            ),
        ),
        migrations.AddConstraint(
            model_name="webhookendpoint",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind", "renders")), fields=("owner",), name="uniq_webhook_endpoint_of_renders"
            ),
        ),
        migrations.AddIndex(
            model_name="webhookdelivery",
            index=core.indexes.NamedIndex(
                fields=["endpoint", "-created_at", "-id"], name="idx_webhook_deliveries_endpoint"
            ),
        ),
        migrations.AddIndex(
            model_name="webhookdelivery",
            index=core.indexes.NamedIndex(
                condition=models.Q(("status", "failed")),
                fields=["endpoint", "created_at", "id"],
                name="idx_webhook_deliveries_failed",
            ),
        ),
        migrations.AddIndex(
            model_name="webhookdelivery",
            index=core.indexes.NamedIndex(fields=["resource", "-sequence"], name="idx_webhook_deliveries_resource"),
        ),
        migrations.AddIndex(
            model_name="webhookdelivery",
            index=core.indexes.NamedIndex(fields=["created_at"], name="idx_webhook_deliveries_created"),
        ),
        migrations.AddIndex(
            model_name="endpointhealth",
            index=core.indexes.NamedIndex(
                condition=models.Q(("failing_since__isnull", False)),
                fields=["failing_since"],
                name="idx_endpoint_health_failing",
            ),
        ),
        migrations.AddConstraint(
            model_name="endpointhealth",
            constraint=models.CheckConstraint(
                condition=models.Q(("limit_running__gte", 1), ("limit_running__lte", 4)), name="webhook_limit_in_bounds"
            ),
        ),
    ]
