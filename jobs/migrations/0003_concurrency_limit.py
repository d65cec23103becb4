"""Limits by key: jobs that are due but over their key's limit wait as `blocked`.

The indexes and the constraint over active jobs are made anew, as their condition names the states. On PostgreSQL that
locks the table while they are built: seconds at a million jobs.
"""

from django.conf import settings
from django.db import migrations, models

import core.indexes


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0002_tune_job_table"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="job",
            name="uniq_jobs_active_key",
        ),
        migrations.RemoveIndex(
            model_name="job",
            name="idx_jobs_active",
        ),
        migrations.AddField(
            model_name="job",
            name="limit_key",
            field=models.CharField(blank=True, default=None, max_length=100, null=True),
        ),
        migrations.AddField(
            model_name="job",
            name="limit_running",
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name="job",
            name="status",
            field=models.CharField(
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
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("limit_key", None), ("limit_running", None)),
                    models.Q(("limit_key__isnull", False), ("limit_running__gte", 1), ("limit_running__isnull", False)),
                    _connector="OR",
                ),
                name="jobs_limit_is_whole",
            ),
        ),
    ]
