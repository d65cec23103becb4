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
            name="QueueState",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("name", models.CharField(max_length=64, unique=True)),
                ("paused", models.BooleanField(default=False)),
                ("paused_at", models.DateTimeField(blank=True, null=True)),
                (
                    "max_running",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="Maximum number of running jobs of the queue, over all workers.",
                        null=True,
                    ),
                ),
            ],
            options={
                "permissions": [("pause_queue", "Can pause and resume queues")],
            },
        ),
        migrations.CreateModel(
            name="Schedule",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("name", models.CharField(max_length=100, unique=True)),
                ("cron", models.CharField(max_length=100)),
                ("type", models.CharField(max_length=100)),
                ("payload", models.JSONField(blank=True, default=dict)),
                ("enabled", models.BooleanField(default=True)),
                ("next_run_at", models.DateTimeField()),
                ("last_run_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "permissions": [("run_schedule", "Can run schedules at once")],
            },
        ),
        migrations.CreateModel(
            name="Worker",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("name", models.CharField(max_length=100, unique=True)),
                ("hostname", models.CharField(max_length=64)),
                ("pid", models.PositiveIntegerField()),
                ("queues", models.JSONField(default=list)),
                ("concurrency", models.PositiveSmallIntegerField()),
                ("busy", models.PositiveSmallIntegerField(default=0)),
                ("started_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("last_seen_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("stopped_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Job",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("queue", models.CharField(default="default", max_length=64)),
                ("type", models.CharField(max_length=100)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("scheduled", "Scheduled"),
                            ("blocked", "Blocked"),
                            ("queued", "Queued"),
                            ("running", "Running"),
                            ("succeeded", "Succeeded"),
                            ("dead", "Dead"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="queued",
                        max_length=16,
                    ),
                ),
                (
                    "priority",
                    models.PositiveSmallIntegerField(
                        choices=[(0, "Urgent"), (1, "High"), (2, "Normal"), (3, "Low")], default=2
                    ),
                ),
                ("scheduled_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("failures", models.PositiveIntegerField(default=0)),
                ("lost", models.PositiveIntegerField(default=0)),
                ("max_attempts", models.PositiveIntegerField(default=5)),
                ("timeout_s", models.PositiveIntegerField(default=600)),
                ("worker", models.CharField(blank=True, default="", max_length=120)),
                ("lease_expires_at", models.DateTimeField(blank=True, null=True)),
                ("unique_key", models.CharField(blank=True, default=None, max_length=200, null=True)),
                ("limit_key", models.CharField(blank=True, default=None, max_length=100, null=True)),
                ("limit_running", models.PositiveIntegerField(blank=True, null=True)),
                ("payload", models.JSONField(blank=True, default=dict)),
                ("reference", models.CharField(blank=True, default="", max_length=200)),
                ("traceparent", models.CharField(blank=True, default="", max_length=128)),
                ("request_id", models.CharField(blank=True, default="", max_length=64)),
                ("error", models.JSONField(blank=True, null=True)),
                ("result", models.JSONField(blank=True, null=True)),
                ("cancel_requested_at", models.DateTimeField(blank=True, null=True)),
                ("queued_at", models.DateTimeField(blank=True, null=True)),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                (
                    "user",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "permissions": [("retry_job", "Can retry dead jobs"), ("cancel_job", "Can cancel jobs")],
            },
        ),
        migrations.CreateModel(
            name="JobAttempt",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("number", models.PositiveIntegerField()),
                ("worker", models.CharField(max_length=120)),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("succeeded", "Succeeded"),
                            ("failed", "Failed"),
                            ("timeout", "Timeout"),
                            ("postponed", "Postponed"),
                            ("lost", "Lost"),
                            ("released", "Released"),
                            ("cancelled", "Cancelled"),
                        ],
                        max_length=16,
                    ),
                ),
                ("error", models.JSONField(blank=True, null=True)),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("finished_at", models.DateTimeField()),
                (
                    "job",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="history",
                        to="jobs.job",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="KeyLimit",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("limit_key", models.CharField(max_length=100, unique=True)),
                ("limit_running", models.PositiveIntegerField()),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("limit_running__gte", 1)), name="jobs_key_limit_is_not_zero"
                    )
                ],
            },
        ),
        migrations.AddIndex(
            model_name="job",
            index=core.indexes.NamedIndex(
                fields=["queue", "status", "priority", "scheduled_at", "id"],
                name="idx_jobs_queue_status_priority_scheduled",
            ),
        ),
        migrations.AddIndex(
            model_name="job",
            index=core.indexes.NamedIndex(
                condition=models.Q(("status__in", ["scheduled", "queued", "running", "blocked"])),
                fields=["scheduled_at", "queue", "status"],
                name="idx_jobs_active",
            ),
        ),
        migrations.AddIndex(
            model_name="job",
            index=core.indexes.NamedIndex(
                condition=models.Q(("status", "blocked")),
                fields=["limit_key", "priority", "scheduled_at", "id"],
                name="idx_jobs_blocked",
            ),
        ),
        migrations.AddIndex(
            model_name="job",
            index=core.indexes.NamedIndex(
                condition=models.Q(("limit_key__isnull", False), ("status__in", ["queued", "running"])),
                fields=["limit_key", "status"],
                name="idx_jobs_limit_key",
            ),
        ),
        migrations.AddIndex(
            model_name="job",
            index=core.indexes.NamedIndex(fields=["type", "status"], name="idx_jobs_type_status"),
        ),
        migrations.AddIndex(
            model_name="job",
            index=core.indexes.NamedIndex(fields=["created_at"], name="idx_jobs_created_at"),
        ),
        migrations.AddIndex(
            model_name="job",
            index=core.indexes.NamedIndex(fields=["user", "created_at"], name="idx_jobs_user_created"),
        ),
        migrations.AddIndex(
            model_name="job",
            index=core.indexes.NamedIndex(
                condition=models.Q(("status", "running")), fields=["worker", "status"], name="idx_jobs_worker_status"
            ),
        ),
        migrations.AddIndex(
            model_name="job",
            index=core.indexes.NamedIndex(
                condition=models.Q(("status__in", ["succeeded", "dead", "cancelled"])),
                fields=["finished_at"],
                name="idx_jobs_old_completed",
            ),
        ),
        migrations.AddIndex(
            model_name="job",
            index=core.indexes.NamedIndex(
                condition=models.Q(("status", "dead")), fields=["finished_at", "id"], name="idx_jobs_dlq"
            ),
        ),
        migrations.AddIndex(
            model_name="job",
            index=core.indexes.NamedIndex(
                condition=models.Q(("status", "scheduled")), fields=["scheduled_at"], name="idx_jobs_scheduled_due"
            ),
        ),
        migrations.AddIndex(
            model_name="job",
            index=core.indexes.NamedIndex(
                condition=models.Q(("status", "running")), fields=["lease_expires_at"], name="idx_jobs_lease"
            ),
        ),
        migrations.AddConstraint(
            model_name="job",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    ("status__in", ["scheduled", "queued", "running", "blocked"]), ("unique_key__isnull", False)
                ),
                fields=("unique_key",),
                name="uniq_jobs_active_key",
            ),
        ),
        migrations.AddConstraint(
            model_name="job",
            constraint=models.CheckConstraint(condition=models.Q(("priority__lte", 3)), name="jobs_priority_is_known"),
        ),
        migrations.AddConstraint(
            model_name="job",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("limit_key", None), ("limit_running", None)),
                    models.Q(("limit_key__isnull", False), ("limit_running__gte", 1), ("limit_running__isnull", False)),
                    _connector="OR",
                ),
                name="jobs_limit_is_whole",
            ),
        ),
        migrations.AddConstraint(
            model_name="jobattempt",
            constraint=models.UniqueConstraint(fields=("job", "number"), name="uniq_job_attempt_number"),
        ),
    ]
