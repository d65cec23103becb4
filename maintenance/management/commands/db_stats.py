"""`manage.py db_stats`: statistics of tables, indexes and files."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.core.serializers.json import DjangoJSONEncoder

from maintenance.stats import database_stats


class Command(BaseCommand):
    """`db_stats [--json]`."""

    help = (
        "Tables, indexes, sizes, oldest rows, settings in effect, retention and files of the database. Changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the statistics."""
        stats = database_stats()
        if options["json"]:
            self.stdout.write(json.dumps(stats, cls=DjangoJSONEncoder))
            return
        database, disk = stats["database"], stats["disk"]
        self.stdout.write(f"{database['vendor']} {database['version']}, {_size(database['size_bytes'])}")
        if database["vendor"] == "sqlite":
            self.stdout.write(f"log {_size(database['wal_bytes'])}, free {_size(database['free_bytes'])}")
            self.stdout.write(", ".join(f"{name}={value}" for name, value in database["pragmas"].items()))
        self.stdout.write(f"disk {_size(disk['free_bytes'])} free of {_size(disk['total_bytes'])} at {disk['path']}")
        for file in stats["cache_files"]:
            self.stdout.write(f"cache {_size(file['bytes'])} {file['path']}")
        self.stdout.write(f"\n{'table':<36} {'rows':>14} {'size':>11} {'indexes':>11}  oldest")
        for table in stats["tables"]:
            rows = f"{'~' if table['rows_estimated'] else ''}{table['rows']:,}"
            oldest = f"{table['oldest_at']:%Y-%m-%d %H:%M}" if table["oldest_at"] else ""
            sizes = f"{_size(table['bytes']):>11} {_size(table['index_bytes']):>11}"
            line = f"{table['table']:<36} {rows:>14} {sizes}  {oldest}"
            self.stdout.write(line.rstrip())
            for index in table["indexes"]:
                if index["uses"] is not None:
                    self.stdout.write(f"  {index['name']}: {_size(index['bytes'])}, used {index['uses']:,} times")
        self.stdout.write("\nretention")
        for retention in stats["retention"]:
            self.stdout.write(f"  {retention['name']}: {retention['keep_days']:g} days")


def _size(size: int | None) -> str:
    """Format a size in MB or kB; "-" if it is unknown."""
    if size is None:
        return "-"
    return f"{size / 1024**2:,.1f} MB" if size >= 1024**2 else f"{size / 1024:,.1f} kB"
