import uuid

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import analytics.models
import core.ids
import core.indexes


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="RetentionWatermark",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("name", models.CharField(max_length=16, unique=True)),
                ("complete_since", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="AnalyticsEvent",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("type", models.CharField(choices=analytics.models.event_type_choices, max_length=32)),
                ("code", models.CharField(blank=True, default="", max_length=64)),
                ("project_id", models.UUIDField(default=uuid.UUID("00000000-0000-0000-0000-000000000000"))),
                ("duration_ms", models.BigIntegerField(default=0)),
                ("work_ms", models.BigIntegerField(default=0)),
                ("waited_ms", models.BigIntegerField(default=0)),
                ("credits", models.BigIntegerField(default=0)),
                ("size_bytes", models.BigIntegerField(default=0)),
                ("resource_id", models.UUIDField(blank=True, null=True)),
                ("counted", models.BooleanField(default=False)),
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
                    core.indexes.NamedIndex(fields=["created_at", "user"], name="idx_analytics_events_time_user"),
                    core.indexes.NamedIndex(fields=["type", "created_at"], name="idx_analytics_events_type_time"),
                    core.indexes.NamedIndex(
                        condition=models.Q(("counted", False)),
                        fields=["user", "created_at"],
                        name="idx_analytics_events_uncounted",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="DailyStat",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("type", models.CharField(choices=analytics.models.event_type_choices, max_length=32)),
                ("code", models.CharField(blank=True, default="", max_length=64)),
                ("project_id", models.UUIDField(default=uuid.UUID("00000000-0000-0000-0000-000000000000"))),
                ("duration_ms", models.BigIntegerField(default=0)),
                ("work_ms", models.BigIntegerField(default=0)),
                ("waited_ms", models.BigIntegerField(default=0)),
                ("credits", models.BigIntegerField(default=0)),
                ("size_bytes", models.BigIntegerField(default=0)),
                ("start", models.DateTimeField()),
                ("count", models.BigIntegerField(default=0)),
                ("waits", models.TextField(blank=True, default="")),
                ("latest_at", models.DateTimeField(blank=True, null=True)),
                ("latest_id", models.UUIDField(blank=True, null=True)),
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
                    core.indexes.NamedIndex(fields=["user", "start"], name="idx_analytics_daily_user_date"),
                    core.indexes.NamedIndex(fields=["project_id", "start"], name="idx_analytics_daily_project_date"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("start", "user", "type", "code", "project_id"), name="uniq_analytics_daily_key"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="HourlyStat",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("type", models.CharField(choices=analytics.models.event_type_choices, max_length=32)),
                ("code", models.CharField(blank=True, default="", max_length=64)),
                ("project_id", models.UUIDField(default=uuid.UUID("00000000-0000-0000-0000-000000000000"))),
                ("duration_ms", models.BigIntegerField(default=0)),
                ("work_ms", models.BigIntegerField(default=0)),
                ("waited_ms", models.BigIntegerField(default=0)),
                ("credits", models.BigIntegerField(default=0)),
                ("size_bytes", models.BigIntegerField(default=0)),
                ("start", models.DateTimeField()),
                ("count", models.BigIntegerField(default=0)),
                ("waits", models.TextField(blank=True, default="")),
                ("latest_at", models.DateTimeField(blank=True, null=True)),
                ("latest_id", models.UUIDField(blank=True, null=True)),
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
                    core.indexes.NamedIndex(fields=["start"], name="idx_analytics_hourly_time"),
                    core.indexes.NamedIndex(fields=["project_id", "start"], name="idx_analytics_hourly_project"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("user", "start", "type", "code", "project_id"), name="uniq_analytics_hourly_key"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="MonthlyUsage",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("start", models.DateTimeField()),
                ("renders", models.BigIntegerField(default=0)),
                ("work_ms", models.BigIntegerField(default=0)),
                ("credits", models.BigIntegerField(default=0)),
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
                "constraints": [models.UniqueConstraint(fields=("start", "user"), name="uniq_analytics_monthly_key")],
            },
        ),
        migrations.CreateModel(
            name="StatRollup",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("interval", models.CharField(choices=[("hour", "hour"), ("day", "day")], max_length=4)),
                ("start", models.DateTimeField()),
                ("project_id", models.UUIDField(default=uuid.UUID("ffffffff-ffff-ffff-ffff-ffffffffffff"))),
                ("stored_bytes", models.BigIntegerField(default=0)),
                ("renders", models.BigIntegerField(default=0)),
                ("work_ms", models.BigIntegerField(default=0)),
                ("credits", models.BigIntegerField(default=0)),
                ("waits", models.TextField(default="{}")),
                ("aggregates", models.TextField(default="{}")),
                (
                    "user",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    core.indexes.NamedIndex(fields=["interval", "start"], name="idx_analytics_rollup_time"),
                    core.indexes.NamedIndex(
                        fields=["interval", "project_id", "start", "user", "renders", "work_ms", "credits"],
                        name="idx_analytics_rollup_busiest",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("interval", "project_id", "user", "start"), name="uniq_analytics_rollup_key"
                    )
                ],
            },
        ),
    ]
