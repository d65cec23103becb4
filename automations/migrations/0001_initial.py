import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import automations.models
import core.ids
import core.indexes


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("renders", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Automation",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("row_version", models.PositiveBigIntegerField(default=1, editable=False)),
                ("name", models.CharField(max_length=200)),
                ("is_active", models.BooleanField(default=True)),
                ("trigger_type", models.CharField(choices=automations.models.trigger_choices, max_length=10)),
                ("trigger", models.JSONField()),
                ("action_type", models.CharField(choices=automations.models.action_choices, max_length=10)),
                ("action", models.JSONField()),
                ("author_scopes", models.JSONField(default=list, editable=False)),
                ("runs_per_hour", models.PositiveIntegerField(default=60)),
                ("max_failures", models.PositiveIntegerField(default=5)),
                ("next_run_at", models.DateTimeField(blank=True, editable=False, null=True)),
                ("last_triggered_at", models.DateTimeField(blank=True, editable=False, null=True)),
                ("failures", models.PositiveIntegerField(default=0, editable=False)),
                ("paused_at", models.DateTimeField(blank=True, editable=False, null=True)),
                ("paused_reason", models.CharField(blank=True, default="", editable=False, max_length=200)),
                ("webhook_salt", models.CharField(blank=True, default="", editable=False, max_length=64)),
                ("previous_webhook_salt", models.CharField(blank=True, default="", editable=False, max_length=64)),
                ("previous_webhook_salt_until", models.DateTimeField(blank=True, editable=False, null=True)),
                ("updated_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                (
                    "owner",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="automations",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="automations",
                        to="renders.project",
                    ),
                ),
            ],
            options={
                "permissions": [
                    ("run_automation", "Can run automations now"),
                    ("pause_automation", "Can pause and resume automations"),
                ],
            },
        ),
        migrations.CreateModel(
            name="AutomationRun",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("trigger_type", models.CharField(choices=automations.models.trigger_choices, max_length=10)),
                ("trigger_key", models.CharField(max_length=200)),
                (
                    "status",
                    models.CharField(
                        choices=automations.models.automation_run_status_choices, default="queued", max_length=10
                    ),
                ),
                ("input", models.JSONField(default=dict)),
                ("body_sha256", models.CharField(blank=True, default="", max_length=64)),
                ("request", models.JSONField(blank=True, null=True)),
                ("error", models.JSONField(blank=True, null=True)),
                ("chain", models.JSONField(blank=True, default=list)),
                ("job_id", models.UUIDField(blank=True, editable=False, null=True)),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                (
                    "automation",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="runs",
                        to="automations.automation",
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "render",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="automation_runs",
                        to="renders.render",
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="automation",
            index=core.indexes.NamedIndex(
                fields=["owner", "is_active", "trigger_type"], name="idx_automations_user_active"
            ),
        ),
        migrations.AddIndex(
            model_name="automation",
            index=core.indexes.NamedIndex(fields=["owner", "-created_at", "-id"], name="idx_automations_user_created"),
        ),
        migrations.AddIndex(
            model_name="automation",
            index=core.indexes.NamedIndex(fields=["project", "-created_at", "-id"], name="idx_automations_project"),
        ),
        migrations.AddIndex(
            model_name="automation",
            index=core.indexes.NamedIndex(
                condition=models.Q(("next_run_at__isnull", False)), fields=["next_run_at"], name="idx_automations_due"
            ),
        ),
        migrations.AddIndex(
            model_name="automation",
            index=core.indexes.NamedIndex(fields=["created_at"], name="idx_automations_created"),
        ),
        migrations.AddIndex(
            model_name="automationrun",
            index=core.indexes.NamedIndex(
                fields=["automation", "-created_at", "-id"], name="idx_automation_runs_created"
            ),
        ),
        migrations.AddIndex(
            model_name="automationrun",
            index=core.indexes.NamedIndex(fields=["owner", "created_at"], name="idx_automation_runs_owner"),
        ),
        migrations.AddIndex(
            model_name="automationrun",
            index=core.indexes.NamedIndex(
                condition=models.Q(("render__isnull", False)), fields=["render"], name="idx_automation_runs_render"
            ),
        ),
        migrations.AddIndex(
            model_name="automationrun",
            index=core.indexes.NamedIndex(fields=["created_at"], name="idx_automation_runs_old"),
        ),
        migrations.AddConstraint(
            model_name="automationrun",
            constraint=models.UniqueConstraint(
                models.F("automation"), models.F("trigger_key"), name="idx_automation_runs_trigger"
            ),
        ),
        migrations.AddConstraint(
            model_name="automationrun",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("finished_at__isnull", True), ("status", "queued")),
                    models.Q(models.Q(("status", "queued"), _negated=True), ("finished_at__isnull", False)),
                    _connector="OR",
                ),
                name="automations_ended_run_has_time",
            ),
        ),
    ]
