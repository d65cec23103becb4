"""Care for the installation: database commands, backups, migrations on record, daily jobs, trial data, load tests."""
