import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import core.ids
import core.indexes
import notifications.models.inbox
import notifications.models.webhooks


class Migration(migrations.Migration):
    initial = True

    dependencies = [
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
                        choices=notifications.models.webhooks.webhook_endpoint_kind_choices,
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
            name="WebhookEndpointHealth",
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
            name="Broadcast",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("token", models.UUIDField(editable=False, unique=True)),
                ("title", models.CharField(max_length=200)),
                ("body", models.TextField(blank=True, default="", max_length=2000)),
                (
                    "plan",
                    models.CharField(
                        blank=True, choices=notifications.models.inbox.plan_choices, default="", max_length=20
                    ),
                ),
                ("usernames", models.JSONField(blank=True, default=list)),
                ("last_user_id", models.UUIDField(blank=True, editable=False, null=True)),
                ("recipients", models.PositiveIntegerField(default=0)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                (
                    "actor",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "permissions": [("send_broadcast", "Can send notifications to many users")],
                "indexes": [core.indexes.NamedIndex(fields=["-created_at"], name="idx_broadcasts_created")],
            },
        ),
        migrations.CreateModel(
            name="Notification",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("kind", models.CharField(max_length=60)),
                ("title", models.CharField(max_length=200)),
                ("body", models.TextField(blank=True, default="", max_length=2000)),
                ("resource", models.CharField(blank=True, default="", max_length=60)),
                ("read_at", models.DateTimeField(blank=True, null=True)),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="notifications",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    core.indexes.NamedIndex(
                        fields=["user", "-created_at", "-id", "read_at"], name="idx_notifications_user_read_created"
                    ),
                    core.indexes.NamedIndex(
                        fields=["user", "kind", "-created_at", "-id"], name="idx_notifications_user_type"
                    ),
                    core.indexes.NamedIndex(
                        condition=models.Q(("read_at__isnull", True)),
                        fields=["user", "-created_at", "-id"],
                        name="idx_notifications_unread",
                    ),
                    core.indexes.NamedIndex(fields=["created_at"], name="idx_notifications_created"),
                ],
            },
        ),
        migrations.CreateModel(
            name="NotificationPreference",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("kind", models.CharField(max_length=60)),
                ("inbox", models.BooleanField(blank=True, null=True)),
                ("email", models.BooleanField(blank=True, null=True)),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="notification_preferences",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        models.F("user"), models.F("kind"), name="idx_notification_preferences_unique"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="OutgoingEmail",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("kind", models.CharField(max_length=60)),
                ("title", models.CharField(max_length=200)),
                ("body", models.TextField(blank=True, default="", max_length=2000)),
                ("resource", models.CharField(blank=True, default="", max_length=60)),
                (
                    "status",
                    models.CharField(
                        choices=notifications.models.inbox.outgoing_email_status_choices,
                        default="pending",
                        max_length=12,
                    ),
                ),
                ("claimed_by", models.UUIDField(blank=True, null=True)),
                ("claimed_at", models.DateTimeField(blank=True, null=True)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    core.indexes.NamedIndex(
                        condition=models.Q(("ended_at__isnull", True)),
                        fields=["user", "created_at"],
                        name="idx_outgoing_emails_open",
                    ),
                    core.indexes.NamedIndex(fields=["created_at"], name="idx_outgoing_emails_created"),
                    core.indexes.NamedIndex(fields=["user"], name="idx_outgoing_emails_user"),
                ],
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
            model_name="webhookendpointhealth",
            index=core.indexes.NamedIndex(
                condition=models.Q(("failing_since__isnull", False)),
                fields=["failing_since"],
                name="idx_endpoint_health_failing",
            ),
        ),
        migrations.AddConstraint(
            model_name="webhookendpointhealth",
            constraint=models.CheckConstraint(
                condition=models.Q(("limit_running__gte", 1), ("limit_running__lte", 4)), name="webhook_limit_in_bounds"
            ),
        ),
    ]
