import django.db.models.deletion
import django.db.models.expressions
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
            name="Project",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("row_version", models.PositiveBigIntegerField(default=1, editable=False)),
                ("name", models.CharField(max_length=200)),
                ("description", models.TextField(blank=True, max_length=2000)),
                ("metadata", models.JSONField(blank=True, default=dict)),
                ("updated_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="projects",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-created_at", "-id"],
            },
        ),
        migrations.CreateModel(
            name="Batch",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("metadata", models.JSONField(blank=True, default=dict)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("processing", "Processing"),
                            ("cancelling", "Cancelling"),
                            ("completed", "Completed"),
                        ],
                        default="processing",
                        max_length=16,
                    ),
                ),
                ("total", models.PositiveIntegerField()),
                ("pending", models.PositiveIntegerField()),
                ("succeeded", models.PositiveIntegerField(default=0)),
                ("failed", models.PositiveIntegerField(default=0)),
                ("cancelled", models.PositiveIntegerField(default=0)),
                ("credits_reserved", models.PositiveBigIntegerField(default=0)),
                ("credits_charged", models.PositiveBigIntegerField(default=0)),
                ("cancel_requested_at", models.DateTimeField(blank=True, null=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                (
                    "owner",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="batches",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="batches",
                        to="renders.project",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "batches",
                "ordering": ["-created_at", "-id"],
                "permissions": [("cancel_batch", "Can cancel batches")],
            },
        ),
        migrations.CreateModel(
            name="Template",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("row_version", models.PositiveBigIntegerField(default=1, editable=False)),
                ("name", models.CharField(max_length=200)),
                ("description", models.TextField(blank=True, max_length=2000)),
                ("edit", models.JSONField()),
                ("merge_defaults", models.JSONField(blank=True, default=dict)),
                ("version", models.PositiveIntegerField(default=1, editable=False)),
                ("updated_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="templates",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="templates",
                        to="renders.project",
                    ),
                ),
            ],
            options={
                "ordering": ["-created_at", "-id"],
            },
        ),
        migrations.CreateModel(
            name="Render",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("row_version", models.PositiveBigIntegerField(default=1, editable=False)),
                ("template_version", models.PositiveIntegerField(blank=True, null=True)),
                ("job_id", models.UUIDField(blank=True, editable=False, null=True)),
                ("edit", models.JSONField()),
                ("merge", models.JSONField(blank=True, default=dict)),
                ("strict", models.BooleanField(default=False)),
                (
                    "priority",
                    models.PositiveSmallIntegerField(
                        choices=[(0, "urgent"), (1, "high"), (2, "normal"), (3, "low")], default=2
                    ),
                ),
                ("metadata", models.JSONField(blank=True, default=dict)),
                ("webhook", models.JSONField(blank=True, null=True)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("scheduled", "Scheduled"),
                            ("queued", "Queued"),
                            ("fetching", "Fetching"),
                            ("rendering", "Rendering"),
                            ("saving", "Saving"),
                            ("cancelling", "Cancelling"),
                            ("succeeded", "Succeeded"),
                            ("failed", "Failed"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="queued",
                        max_length=16,
                    ),
                ),
                ("attempt", models.PositiveIntegerField(default=0)),
                ("max_attempts", models.PositiveIntegerField(default=3)),
                ("percent", models.FloatField(default=0.0)),
                ("frame", models.PositiveIntegerField(default=0)),
                ("total_frames", models.PositiveIntegerField(blank=True, null=True)),
                ("speed_fps", models.FloatField(blank=True, null=True)),
                ("eta_s", models.FloatField(blank=True, null=True)),
                ("progress_at", models.DateTimeField(blank=True, null=True)),
                ("output_format", models.CharField(blank=True, max_length=8)),
                ("output_width", models.PositiveIntegerField(blank=True, null=True)),
                ("output_height", models.PositiveIntegerField(blank=True, null=True)),
                ("output_fps", models.FloatField(blank=True, null=True)),
                ("output_duration_s", models.FloatField(blank=True, null=True)),
                ("output_size_bytes", models.PositiveBigIntegerField(blank=True, null=True)),
                ("output_sha256", models.CharField(blank=True, max_length=64)),
                ("output_key", models.CharField(blank=True, max_length=300)),
                ("poster_key", models.CharField(blank=True, max_length=300)),
                ("thumbnail_key", models.CharField(blank=True, max_length=300)),
                ("output_deleted_at", models.DateTimeField(blank=True, null=True)),
                ("credits_reserved", models.PositiveBigIntegerField(default=0)),
                ("credits_topped_up", models.PositiveBigIntegerField(default=0)),
                ("credits_charged", models.PositiveBigIntegerField(blank=True, null=True)),
                ("error", models.JSONField(blank=True, null=True)),
                ("warnings", models.JSONField(blank=True, default=list)),
                ("timings", models.JSONField(blank=True, default=dict)),
                ("log", models.TextField(blank=True)),
                ("run_at", models.DateTimeField(blank=True, null=True)),
                ("queued_at", models.DateTimeField(blank=True, null=True)),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                ("cancel_requested_at", models.DateTimeField(blank=True, null=True)),
                (
                    "batch",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="renders",
                        to="renders.batch",
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="renders",
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
                        related_name="renders",
                        to="renders.project",
                    ),
                ),
                (
                    "retry_of",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="retries",
                        to="renders.render",
                    ),
                ),
                (
                    "template",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="renders",
                        to="renders.template",
                    ),
                ),
            ],
            options={
                "ordering": ["-created_at", "-id"],
                "permissions": [
                    ("cancel_render", "Can cancel renders"),
                    ("retry_render", "Can retry renders"),
                    ("delete_render_output", "Can delete the outputs of renders"),
                ],
            },
        ),
        migrations.AddField(
            model_name="batch",
            name="template",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="batches",
                to="renders.template",
            ),
        ),
        migrations.CreateModel(
            name="TemplateVersion",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("number", models.PositiveIntegerField()),
                ("edit", models.JSONField()),
                ("merge_defaults", models.JSONField(blank=True, default=dict)),
                (
                    "template",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="versions", to="renders.template"
                    ),
                ),
            ],
            options={
                "ordering": ["-number"],
            },
        ),
        migrations.CreateModel(
            name="WorkerMessage",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("pool", models.CharField(max_length=64)),
                ("message_id", models.CharField(max_length=128)),
                ("body_sha256", models.CharField(max_length=64)),
            ],
            options={
                "ordering": ["-created_at", "-id"],
                "indexes": [core.indexes.NamedIndex(fields=["created_at"], name="idx_worker_messages_created")],
                "constraints": [
                    models.UniqueConstraint(fields=("pool", "message_id"), name="renders_worker_message_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="ExternalLease",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("job_id", models.UUIDField()),
                ("attempt", models.PositiveIntegerField()),
                ("worker", models.CharField(max_length=120)),
                ("pool", models.CharField(max_length=64)),
                ("token_digest", models.CharField(editable=False, max_length=64)),
                ("total_frames", models.PositiveIntegerField(blank=True, null=True)),
                ("output", models.JSONField(blank=True, null=True)),
                ("poster", models.JSONField(blank=True, null=True)),
                ("thumbnail", models.JSONField(blank=True, null=True)),
                ("reports", models.PositiveIntegerField(default=0)),
                ("ignored", models.PositiveIntegerField(default=0)),
                ("last_report_at", models.DateTimeField(blank=True, null=True)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "render",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="external_leases",
                        to="renders.render",
                    ),
                ),
            ],
            options={
                "ordering": ["-created_at", "-id"],
                "indexes": [core.indexes.NamedIndex(fields=["created_at"], name="idx_external_leases_created")],
                "constraints": [
                    models.UniqueConstraint(fields=("render", "attempt"), name="renders_lease_once_per_attempt")
                ],
            },
        ),
        migrations.AddIndex(
            model_name="render",
            index=core.indexes.NamedIndex(fields=["status", "created_at"], name="idx_renders_status_created"),
        ),
        migrations.AddIndex(
            model_name="render",
            index=core.indexes.NamedIndex(fields=["owner", "status", "created_at"], name="idx_renders_user_status"),
        ),
        migrations.AddIndex(
            model_name="render",
            index=core.indexes.NamedIndex(fields=["owner", "created_at", "id"], name="idx_renders_user_created"),
        ),
        migrations.AddIndex(
            model_name="render",
            index=core.indexes.NamedIndex(
                fields=["project", "status", "created_at"], name="idx_renders_project_status"
            ),
        ),
        migrations.AddIndex(
            model_name="render",
            index=core.indexes.NamedIndex(
                condition=models.Q(("batch__isnull", False)),
                fields=["batch", "created_at", "id"],
                name="idx_renders_batch_created",
            ),
        ),
        migrations.AddIndex(
            model_name="render",
            index=core.indexes.NamedIndex(
                condition=models.Q(("batch__isnull", False)),
                fields=["batch", "status"],
                name="idx_renders_batch_status",
            ),
        ),
        migrations.AddConstraint(
            model_name="render",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("finished_at__isnull", False), ("status__in", ["cancelled", "failed", "succeeded"])),
                    models.Q(
                        models.Q(("status__in", ["cancelled", "failed", "succeeded"]), _negated=True),
                        ("finished_at__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="renders_ended_has_time",
            ),
        ),
        migrations.AddIndex(
            model_name="batch",
            index=core.indexes.NamedIndex(fields=["owner", "created_at", "id"], name="idx_batches_user_created"),
        ),
        migrations.AddIndex(
            model_name="batch",
            index=core.indexes.NamedIndex(fields=["owner", "status", "created_at"], name="idx_batches_user_status"),
        ),
        migrations.AddIndex(
            model_name="batch",
            index=core.indexes.NamedIndex(fields=["created_at", "id"], name="idx_batches_created"),
        ),
        migrations.AddConstraint(
            model_name="batch",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "total",
                        django.db.models.expressions.CombinedExpression(
                            django.db.models.expressions.CombinedExpression(
                                django.db.models.expressions.CombinedExpression(
                                    models.F("pending"), "+", models.F("succeeded")
                                ),
                                "+",
                                models.F("failed"),
                            ),
                            "+",
                            models.F("cancelled"),
                        ),
                    )
                ),
                name="renders_batch_counts_add_up",
            ),
        ),
        migrations.AddConstraint(
            model_name="batch",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("finished_at__isnull", False), ("pending", 0), ("status", "completed")),
                    models.Q(models.Q(("status", "completed"), _negated=True), ("finished_at__isnull", True)),
                    _connector="OR",
                ),
                name="renders_batch_completed_has_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="templateversion",
            constraint=models.UniqueConstraint(fields=("template", "number"), name="renders_template_version_once"),
        ),
    ]
