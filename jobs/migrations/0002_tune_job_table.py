"""Keep the front of the claim's index short on PostgreSQL.

Every claim and every finish leaves a dead row version; with the default settings autovacuum comes by when a fifth
of the table is dead, and the claim walks over them until then.
"""

from django.db import migrations

TUNE = """
    ALTER TABLE jobs_job SET (
        fillfactor = 70,
        autovacuum_vacuum_scale_factor = 0.01,
        autovacuum_vacuum_threshold = 500,
        autovacuum_analyze_scale_factor = 0.02,
        autovacuum_vacuum_cost_delay = 0
    )
"""
UNDO = """
    ALTER TABLE jobs_job RESET (
        fillfactor,
        autovacuum_vacuum_scale_factor,
        autovacuum_vacuum_threshold,
        autovacuum_analyze_scale_factor,
        autovacuum_vacuum_cost_delay
    )
"""


def tune(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(TUNE)


def undo(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(UNDO)


class Migration(migrations.Migration):
    dependencies = [("jobs", "0001_initial")]

    operations = [migrations.RunPython(tune, undo)]
