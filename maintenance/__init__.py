"""Maintenance: database commands, backups, migration checksums, nightly jobs, demo data and load tests."""
