import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import core.ids
import core.indexes
import monitoring.alerting.models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="CacheMetric",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("at", models.DateTimeField(unique=True)),
                ("hits", models.PositiveBigIntegerField()),
                ("lookups", models.PositiveBigIntegerField()),
                ("size_bytes", models.PositiveBigIntegerField(default=0)),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="EvaluatorLease",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("name", models.CharField(max_length=20, unique=True)),
                ("holder", models.CharField(blank=True, default="", max_length=120)),
                ("expires_at", models.DateTimeField()),
                ("evaluated_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="HealthSample",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("check_name", models.CharField(max_length=40, unique=True, verbose_name="check")),
                ("level", models.PositiveSmallIntegerField()),
                ("at", models.DateTimeField()),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="AlertRule",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("name", models.CharField(max_length=60, unique=True)),
                ("summary", models.CharField(max_length=200)),
                ("metric", models.CharField(max_length=60)),
                ("parameters", models.JSONField(blank=True, default=dict)),
                ("fire_above", models.FloatField()),
                ("clear_below", models.FloatField(help_text="At most fire_above.")),
                (
                    "page_above",
                    models.FloatField(blank=True, help_text="Above this value the severity is page.", null=True),
                ),
                ("for_s", models.PositiveIntegerField(default=0, verbose_name="seconds before it fires")),
                (
                    "keep_firing_for_s",
                    models.PositiveIntegerField(default=0, verbose_name="seconds before it resolves"),
                ),
                (
                    "severity",
                    models.CharField(
                        choices=monitoring.alerting.models.severity_choices, default="ticket", max_length=10
                    ),
                ),
                ("labels", models.JSONField(blank=True, default=dict)),
                ("minimum_samples", models.PositiveIntegerField(default=0)),
                (
                    "reminder_s",
                    models.PositiveIntegerField(
                        default=14400, validators=[django.core.validators.MinValueValidator(60)]
                    ),
                ),
                (
                    "alerts_on_no_data",
                    models.BooleanField(default=False, help_text="Also alert after 5 minutes without data."),
                ),
                ("is_enabled", models.BooleanField(default=True)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("clear_below__lte", models.F("fire_above"))), name="alert_rule_clears_below"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="AlertNotification",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("closes_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                (
                    "rule",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="notifications",
                        to="monitoring.alertrule",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Alert",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("fingerprint", models.CharField(max_length=64, unique=True)),
                ("labels", models.JSONField(default=dict)),
                ("version", models.PositiveBigIntegerField(default=0, editable=False)),
                ("number", models.PositiveIntegerField(default=0)),
                ("value", models.FloatField(blank=True, null=True)),
                (
                    "state",
                    models.CharField(
                        choices=monitoring.alerting.models.state_choices, default="inactive", max_length=10
                    ),
                ),
                ("since", models.DateTimeField(blank=True, null=True)),
                ("pending_since", models.DateTimeField(blank=True, null=True)),
                ("firing_since", models.DateTimeField(blank=True, null=True)),
                ("clear_since", models.DateTimeField(blank=True, null=True)),
                (
                    "severity",
                    models.CharField(
                        choices=monitoring.alerting.models.severity_choices, default="none", max_length=10
                    ),
                ),
                ("changes", models.JSONField(blank=True, default=list)),
                ("flapping_since", models.DateTimeField(blank=True, null=True)),
                ("acknowledged_at", models.DateTimeField(blank=True, null=True)),
                (
                    "notified_state",
                    models.CharField(
                        choices=monitoring.alerting.models.notified_state_choices, default="nothing", max_length=10
                    ),
                ),
                (
                    "notified_severity",
                    models.CharField(
                        choices=monitoring.alerting.models.severity_choices, default="none", max_length=10
                    ),
                ),
                ("notified_at", models.DateTimeField(blank=True, null=True)),
                (
                    "acknowledged_by",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "rule",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="alerts",
                        to="monitoring.alertrule",
                    ),
                ),
            ],
            options={
                "permissions": [
                    ("acknowledge_alert", "Can acknowledge alerts"),
                    ("silence_alert", "Can silence alerts"),
                ],
            },
        ),
        migrations.CreateModel(
            name="ErrorLog",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("fingerprint", models.CharField(max_length=64)),
                ("type", models.CharField(max_length=200)),
                ("place", models.CharField(max_length=300)),
                ("message", models.CharField(blank=True, default="", max_length=500)),
                ("traceback", models.TextField(blank=True, default="")),
                ("route", models.CharField(blank=True, default="", max_length=200)),
                ("request_id", models.CharField(blank=True, default="", max_length=64)),
                ("count", models.PositiveBigIntegerField(default=0)),
                ("first_seen_at", models.DateTimeField()),
                ("last_seen_at", models.DateTimeField()),
                ("resolved_at", models.DateTimeField(blank=True, null=True)),
                (
                    "resolved_by",
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
                "permissions": [("resolve_errorlog", "Can resolve errors")],
            },
        ),
        migrations.CreateModel(
            name="QueueMetric",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("at", models.DateTimeField()),
                ("queue", models.CharField(max_length=64)),
                ("ready", models.PositiveIntegerField()),
                ("scheduled", models.PositiveIntegerField()),
                ("blocked", models.PositiveIntegerField()),
                ("running", models.PositiveIntegerField()),
                ("oldest_ready_s", models.FloatField()),
                ("slots", models.PositiveIntegerField(default=0)),
                ("busy_slots", models.PositiveIntegerField(default=0)),
            ],
            options={
                "indexes": [core.indexes.NamedIndex(fields=["at"], name="idx_queue_metrics_time")],
                "constraints": [
                    models.UniqueConstraint(models.F("queue"), models.F("at"), name="idx_queue_metrics_unique")
                ],
            },
        ),
        migrations.CreateModel(
            name="RouteMetric",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("started_at", models.DateTimeField()),
                ("resolution_s", models.PositiveIntegerField(default=60)),
                ("process", models.CharField(blank=True, default="", max_length=32)),
                ("route", models.CharField(max_length=200)),
                ("method", models.CharField(max_length=10)),
                ("status_class", models.PositiveSmallIntegerField()),
                ("count", models.PositiveBigIntegerField()),
                ("total_us", models.PositiveBigIntegerField()),
                ("sql_us", models.PositiveBigIntegerField()),
                ("cache_us", models.PositiveBigIntegerField()),
                ("queries", models.PositiveBigIntegerField()),
                ("size_bytes", models.PositiveBigIntegerField()),
                ("cache_hits", models.PositiveBigIntegerField()),
                ("cache_lookups", models.PositiveBigIntegerField()),
                ("slow_count", models.PositiveBigIntegerField()),
                ("max_us", models.PositiveBigIntegerField()),
                ("sketch", models.BinaryField()),
                ("slowest", models.JSONField(default=list)),
            ],
            options={
                "indexes": [
                    core.indexes.NamedIndex(fields=["started_at"], name="idx_api_metrics_time"),
                    core.indexes.NamedIndex(fields=["route", "started_at"], name="idx_api_metrics_route"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("process", "started_at", "resolution_s", "route", "method", "status_class"),
                        name="idx_api_metrics_unique",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ServerProcess",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("token", models.CharField(max_length=32, unique=True)),
                ("hostname", models.CharField(max_length=64)),
                ("pid", models.PositiveIntegerField()),
                ("started_at", models.DateTimeField()),
                ("last_seen_at", models.DateTimeField()),
                ("stopped_at", models.DateTimeField(blank=True, null=True)),
                ("requests", models.PositiveBigIntegerField(default=0)),
                ("lost", models.PositiveBigIntegerField(default=0)),
                ("memory_bytes", models.PositiveBigIntegerField(default=0)),
                ("cpu_s", models.FloatField(default=0)),
                ("cpu_ratio", models.FloatField(default=0)),
                ("threads", models.PositiveIntegerField(default=0)),
            ],
            options={
                "verbose_name_plural": "server processes",
                "indexes": [core.indexes.NamedIndex(fields=["-last_seen_at"], name="idx_server_processes_seen")],
            },
        ),
        migrations.CreateModel(
            name="Silence",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                (
                    "labels",
                    models.JSONField(help_text='Labels and their values, such as {"alertname": "QueueIsLate"}.'),
                ),
                ("reason", models.CharField(max_length=200)),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                (
                    "created_by",
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
                "permissions": [("end_silence", "Can end silences")],
            },
        ),
        migrations.CreateModel(
            name="SlowRequest",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("at", models.DateTimeField()),
                ("route", models.CharField(max_length=200)),
                ("method", models.CharField(max_length=10)),
                ("status", models.PositiveSmallIntegerField()),
                ("duration_ms", models.FloatField()),
                ("sql_ms", models.FloatField()),
                ("cache_ms", models.FloatField()),
                ("queries", models.PositiveIntegerField()),
                ("request_id", models.CharField(max_length=64)),
            ],
            options={
                "indexes": [
                    core.indexes.NamedIndex(fields=["-at"], name="idx_slow_requests_time"),
                    core.indexes.NamedIndex(fields=["request_id"], name="idx_slow_requests_request"),
                ],
            },
        ),
        migrations.CreateModel(
            name="StatementMetric",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("started_at", models.DateTimeField()),
                ("process", models.CharField(blank=True, default="", max_length=32)),
                ("digest", models.CharField(max_length=64)),
                ("normalized_sql", models.TextField()),
                ("example", models.TextField()),
                ("route", models.CharField(max_length=200)),
                ("count", models.PositiveBigIntegerField()),
                ("total_us", models.PositiveBigIntegerField()),
                ("max_us", models.PositiveBigIntegerField()),
                ("sketch", models.BinaryField()),
            ],
            options={
                "indexes": [core.indexes.NamedIndex(fields=["started_at"], name="idx_statement_metrics_time")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("process", "started_at", "digest"), name="idx_statement_metrics_unique"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="AlertMessage",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("number", models.PositiveIntegerField()),
                ("kind", models.CharField(choices=monitoring.alerting.models.message_kind_choices, max_length=10)),
                ("severity", models.CharField(choices=monitoring.alerting.models.severity_choices, max_length=10)),
                ("value", models.FloatField(blank=True, null=True)),
                ("at", models.DateTimeField()),
                (
                    "alert",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="messages",
                        to="monitoring.alert",
                    ),
                ),
                (
                    "notification",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="messages",
                        to="monitoring.alertnotification",
                    ),
                ),
            ],
            options={
                "indexes": [
                    core.indexes.NamedIndex(
                        fields=["notification", "at", "id"], name="idx_alert_messages_notification"
                    ),
                    core.indexes.NamedIndex(fields=["-at", "-id"], name="idx_alert_messages_time"),
                ],
                "constraints": [models.UniqueConstraint(fields=("alert", "number"), name="uniq_alert_message_number")],
            },
        ),
        migrations.AddIndex(
            model_name="alertnotification",
            index=core.indexes.NamedIndex(fields=["rule", "-closes_at"], name="idx_alert_notifications_rule"),
        ),
        migrations.AddIndex(
            model_name="alertnotification",
            index=core.indexes.NamedIndex(fields=["created_at"], name="idx_alert_notifications_created"),
        ),
        migrations.AddIndex(
            model_name="alert",
            index=core.indexes.NamedIndex(fields=["-since", "-id"], name="idx_alerts_since"),
        ),
        migrations.AddIndex(
            model_name="alert",
            index=core.indexes.NamedIndex(fields=["state"], name="idx_alerts_state"),
        ),
        migrations.AddIndex(
            model_name="alert",
            index=core.indexes.NamedIndex(fields=["rule"], name="idx_alerts_rule"),
        ),
        migrations.AddIndex(
            model_name="errorlog",
            index=core.indexes.NamedIndex(fields=["-last_seen_at", "-id"], name="idx_error_logs_time"),
        ),
        migrations.AddIndex(
            model_name="errorlog",
            index=core.indexes.NamedIndex(fields=["type", "-last_seen_at"], name="idx_error_logs_type"),
        ),
        migrations.AddIndex(
            model_name="errorlog",
            index=core.indexes.NamedIndex(
                condition=models.Q(("resolved_at__isnull", True)),
                fields=["-last_seen_at", "-id"],
                name="idx_error_logs_unresolved",
            ),
        ),
        migrations.AddIndex(
            model_name="errorlog",
            index=core.indexes.NamedIndex(fields=["request_id"], name="idx_error_logs_request"),
        ),
        migrations.AddIndex(
            model_name="errorlog",
            index=core.indexes.NamedIndex(
                condition=models.Q(("resolved_at__isnull", False)),
                fields=["resolved_at"],
                name="idx_error_logs_resolved",
            ),
        ),
        migrations.AddConstraint(
            model_name="errorlog",
            constraint=models.UniqueConstraint(
                condition=models.Q(("resolved_at__isnull", True)), fields=("fingerprint",), name="uniq_error_logs_open"
            ),
        ),
        migrations.AddIndex(
            model_name="silence",
            index=core.indexes.NamedIndex(fields=["ends_at"], name="idx_silences_end"),
        ),
        migrations.AddConstraint(
            model_name="silence",
            constraint=models.CheckConstraint(
                condition=models.Q(("ends_at__gte", models.F("starts_at"))), name="silence_ends_after_it_starts"
            ),
        ),
    ]
