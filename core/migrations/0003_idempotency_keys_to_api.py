from django.db import migrations


class Migration(migrations.Migration):
    """Give the table of idempotency keys to the app `api`, whose first migration takes it up."""

    dependencies = [
        ("core", "0002_cache_tags"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.AlterModelTable("IdempotencyKey", table="api_idempotencykey"),
            ],
            state_operations=[
                migrations.DeleteModel("IdempotencyKey"),
            ],
        ),
    ]
