from django.db import migrations, models

import core.indexes


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="CacheTag",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("account", models.CharField(blank=True, max_length=32)),
                ("tag", models.CharField(max_length=40)),
                ("version", models.BigIntegerField()),
            ],
            options={
                "ordering": ["account", "tag"],
                "constraints": [
                    models.UniqueConstraint(models.F("account"), models.F("tag"), name="idx_cache_tags_account_tag")
                ],
            },
        ),
        migrations.CreateModel(
            name="TagIncrement",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("account", models.CharField(max_length=32)),
                ("tag", models.CharField(max_length=40)),
                ("amount", models.BigIntegerField()),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [core.indexes.NamedIndex(fields=["account"], name="idx_tag_increments_account")],
            },
        ),
    ]
