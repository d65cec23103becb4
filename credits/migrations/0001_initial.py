import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import core.ids
import core.indexes
import credits.models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="CreditAccount",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("balance", models.BigIntegerField(default=0, editable=False)),
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="credit_account",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "permissions": [("grant_credits", "Can give credits and correct balances")],
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("balance__gte", 0)), name="credits_balance_not_negative")
                ],
            },
        ),
        migrations.CreateModel(
            name="CreditEntry",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("kind", models.CharField(choices=credits.models.credit_entry_kind_choices, max_length=10)),
                ("amount", models.BigIntegerField()),
                ("balance_after", models.BigIntegerField()),
                ("reference", models.CharField(max_length=200, unique=True)),
                ("note", models.CharField(blank=True, default="", max_length=200)),
                (
                    "actor",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "deduction",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="refunds",
                        to="credits.creditentry",
                    ),
                ),
                (
                    "reservation",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="closing",
                        to="credits.creditentry",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="credit_entries",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "credit entries",
                "indexes": [
                    core.indexes.NamedIndex(fields=["user", "-created_at"], name="idx_credits_user_created"),
                    core.indexes.NamedIndex(fields=["user", "kind", "-created_at"], name="idx_credits_user_type"),
                    core.indexes.NamedIndex(
                        condition=models.Q(("deduction__isnull", False)),
                        fields=["deduction"],
                        name="idx_credits_deduction",
                    ),
                ],
            },
        ),
    ]
