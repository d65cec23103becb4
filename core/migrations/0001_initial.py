from django.db import migrations, models

import core.indexes


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="CacheBump",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("account", models.CharField(max_length=32)),
                ("family", models.CharField(max_length=40)),
                ("amount", models.BigIntegerField()),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [core.indexes.NamedIndex(fields=["account"], name="idx_cache_bumps_account")],
            },
        ),
        migrations.CreateModel(
            name="CacheTag",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("account", models.CharField(blank=True, max_length=32)),
                ("family", models.CharField(max_length=40)),
                ("generation", models.BigIntegerField()),
            ],
            options={
                "ordering": ["account", "family"],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("account"), models.F("family"), name="idx_cache_tags_account_family"
                    )
                ],
            },
        ),
    ]
