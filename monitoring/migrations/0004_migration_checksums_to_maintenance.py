from django.db import migrations


class Migration(migrations.Migration):
    """Give the table of migration records to the app `maintenance`, whose first migration takes it up."""

    dependencies = [
        ("monitoring", "0003_alerts"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.AlterModelTable("MigrationChecksum", table="maintenance_migrationchecksum"),
            ],
            state_operations=[
                migrations.DeleteModel("MigrationChecksum"),
            ],
        ),
    ]
