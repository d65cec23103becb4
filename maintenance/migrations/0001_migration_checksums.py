import django.utils.timezone
from django.db import migrations, models

import core.ids


def _move_content_type(old: str, new: str):
    def move(apps, schema_editor):
        content_types = apps.get_model("contenttypes", "ContentType").objects.using(schema_editor.connection.alias)
        content_types.filter(app_label=old, model="migrationchecksum").update(app_label=new)

    return move


class Migration(migrations.Migration):
    """Take up the table that `monitoring.0004` renamed, with its rows and the permissions that staff have on them."""

    initial = True

    dependencies = [
        ("monitoring", "0004_migration_checksums_to_maintenance"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name="MigrationChecksum",
                    fields=[
                        (
                            "id",
                            models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False),
                        ),
                        ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                        ("app", models.CharField(max_length=255)),
                        ("name", models.CharField(max_length=255)),
                        ("checksum", models.CharField(max_length=64)),
                        ("app_version", models.CharField(max_length=64)),
                        ("duration_ms", models.FloatField(blank=True, null=True)),
                        ("is_baseline", models.BooleanField(default=False)),
                        ("applied_at", models.DateTimeField()),
                        ("accepted_at", models.DateTimeField(blank=True, null=True)),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(fields=("app", "name"), name="uniq_migration_checksums")
                        ],
                    },
                ),
            ],
        ),
        # Before the models' content types are created at the end of the run: the old one would collide with them.
        migrations.RunPython(
            _move_content_type("monitoring", "maintenance"), _move_content_type("maintenance", "monitoring")
        ),
    ]
