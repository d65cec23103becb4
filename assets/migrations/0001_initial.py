import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import assets.models
import core.ids
import core.indexes


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Asset",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("row_version", models.PositiveBigIntegerField(default=1, editable=False)),
                ("project_id", models.UUIDField(blank=True, null=True)),
                ("kind", models.CharField(blank=True, choices=assets.models.kind_choices, default="", max_length=16)),
                (
                    "status",
                    models.CharField(
                        choices=[("pending", "Pending"), ("ready", "Ready"), ("failed", "Failed")],
                        default="pending",
                        max_length=16,
                    ),
                ),
                ("name", models.CharField(max_length=255)),
                ("size_bytes", models.PositiveBigIntegerField(blank=True, null=True)),
                ("sha256", models.CharField(blank=True, default="", max_length=64, verbose_name="SHA-256")),
                ("content_type", models.CharField(blank=True, default="", max_length=100)),
                ("probe", models.JSONField(blank=True, null=True)),
                ("source_url", models.TextField(blank=True, default="", verbose_name="source URL")),
                ("storage_key", models.CharField(blank=True, default="", max_length=200)),
                ("poster_key", models.CharField(blank=True, default="", max_length=200)),
                ("error", models.JSONField(blank=True, null=True)),
                (
                    "owner",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="assets",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="AssetHold",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("reference", models.CharField(max_length=100)),
                ("label", models.CharField(max_length=100)),
                (
                    "asset",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="holds",
                        to="assets.asset",
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="asset",
            index=core.indexes.NamedIndex(fields=["owner", "kind", "-created_at", "-id"], name="idx_assets_user_type"),
        ),
        migrations.AddIndex(
            model_name="asset",
            index=core.indexes.NamedIndex(fields=["owner", "-created_at", "-id"], name="idx_assets_user_created"),
        ),
        migrations.AddIndex(
            model_name="asset",
            index=core.indexes.NamedIndex(fields=["project_id", "-created_at", "-id"], name="idx_assets_project"),
        ),
        migrations.AddIndex(
            model_name="asset",
            index=core.indexes.NamedIndex(fields=["owner", "sha256"], name="idx_assets_user_sha256"),
        ),
        migrations.AddIndex(
            model_name="asset",
            index=core.indexes.NamedIndex(fields=["storage_key"], name="idx_assets_storage_key"),
        ),
        migrations.AddIndex(
            model_name="asset",
            index=core.indexes.NamedIndex(fields=["created_at"], name="idx_assets_created"),
        ),
        migrations.AddConstraint(
            model_name="asset",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("status", "ready"), _negated=True),
                    models.Q(models.Q(("storage_key", ""), _negated=True), models.Q(("sha256", ""), _negated=True)),
                    _connector="OR",
                ),
                name="assets_ready_has_a_file",
            ),
        ),
        migrations.AddIndex(
            model_name="assethold",
            index=core.indexes.NamedIndex(fields=["reference"], name="idx_asset_holds_reference"),
        ),
        migrations.AddConstraint(
            model_name="assethold",
            constraint=models.UniqueConstraint(fields=("asset", "reference"), name="uniq_asset_hold_reference"),
        ),
    ]
