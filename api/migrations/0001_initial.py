import uuid

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import core.ids
import core.indexes


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="IdempotencyKey",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("method", models.CharField(max_length=8)),
                ("route", models.CharField(max_length=200)),
                ("key", models.CharField(max_length=255)),
                ("fingerprint", models.CharField(max_length=64)),
                (
                    "state",
                    models.CharField(
                        choices=[("in_progress", "in progress"), ("completed", "completed")],
                        default="in_progress",
                        max_length=16,
                    ),
                ),
                ("owner_token", models.UUIDField(default=uuid.uuid4)),
                ("locked_until", models.DateTimeField()),
                ("completed_at", models.DateTimeField(blank=True, null=True)),
                ("expires_at", models.DateTimeField()),
                ("status_code", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("headers", models.JSONField(blank=True, default=dict)),
                ("body", models.BinaryField(blank=True, null=True)),
                ("is_reference", models.BooleanField(default=False)),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="idempotency_keys",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-created_at", "-id"],
                "indexes": [core.indexes.NamedIndex(fields=["expires_at"], name="idx_idempotency_expires")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("user", "method", "route", "key"), name="api_idempotency_key_unique"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("body__isnull", False),
                                ("completed_at__isnull", False),
                                ("state", "completed"),
                                ("status_code__isnull", False),
                            ),
                            models.Q(("body__isnull", True), ("state", "in_progress"), ("status_code__isnull", True)),
                            _connector="OR",
                        ),
                        name="api_idempotency_completed_has_response",
                    ),
                ],
            },
        ),
    ]
