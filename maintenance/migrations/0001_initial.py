import django.utils.timezone
from django.db import migrations, models

import core.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="MigrationChecksum",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
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
                "constraints": [models.UniqueConstraint(fields=("app", "name"), name="uniq_migration_checksums")],
            },
        ),
    ]
