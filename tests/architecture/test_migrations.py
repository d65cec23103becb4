"""Merged migrations are never edited, as databases that have run them would not get the changes.

`migrations.json` holds their checksums. `MIGRATIONS=write pytest` of this file adds new migrations and replaces none.
"""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path

from django.apps import apps
from django.conf import settings

from maintenance.migration_records import checksums_on_disk

ROOT = Path(settings.BASE_DIR)
RECORDS = Path(__file__).with_name("migrations.json")
OURS = {config.label for config in apps.get_app_configs() if Path(config.path).parent == ROOT}


def test_no_merged_migration_was_edited() -> None:
    disk = {f"{app}.{name}": checksum for (app, name), checksum in checksums_on_disk().items() if app in OURS}
    stored = json.loads(RECORDS.read_text())
    if os.environ.get("MIGRATIONS") == "write":
        RECORDS.write_text(json.dumps(disk | stored, indent=0, sort_keys=True) + "\n")
    assert [name for name in stored if name not in disk] == [], "their files are missing"
    assert [name for name in disk if stored.get(name, disk[name]) != disk[name]] == [], (
        "edited; add a new migration instead"
    )
    new = [name for name in disk if name not in json.loads(RECORDS.read_text())]
    assert new == [], f"record them: MIGRATIONS=write pytest {Path(__file__).relative_to(ROOT)}"


def test_the_version_in_settings_is_that_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == settings.RENDEROWL_VERSION
