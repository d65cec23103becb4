"""Limits that overrule those of the jobs of a key, in one row each."""

import django.utils.timezone
from django.db import migrations, models

import core.ids


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0003_concurrency_limit"),
    ]

    operations = [
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
    ]
