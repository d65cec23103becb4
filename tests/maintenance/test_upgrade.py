"""The database of every release can be migrated to the present version without losing rows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.commands import manage
from tests.maintenance.stored_database import FOLDER, environment, rows, unpack

ARCHIVES = sorted(FOLDER.glob("*.sqlite3.gz"))
# Tables to which `migrate` itself may add rows.
GROWING = {"django_migrations", "django_content_type", "auth_permission", "maintenance_migrationchecksum"}


def test_the_first_release_is_stored() -> None:
    assert "0.1.0.sqlite3.gz" in {path.name for path in ARCHIVES}


@pytest.mark.parametrize("archive", ARCHIVES, ids=lambda path: path.name.removesuffix(".sqlite3.gz"))
def test_a_stored_database_is_migrated_and_works(archive: Path, tmp_path: Path) -> None:
    unpack(archive, tmp_path)
    before = rows(tmp_path)
    assert before["renders_render"] == 12
    manage(environment(tmp_path), "migrate", "--noinput")
    status = json.loads(manage(environment(tmp_path), "migrate_status", "--json"))
    assert (status["ok"], status["pending"]) == (True, [])
    after = rows(tmp_path)
    assert {name: after.get(name) for name in before.keys() - GROWING} == {
        name: count for name, count in before.items() if name not in GROWING
    }
    # Exits with 1 if the ledger, the queue, the renders or the file are damaged.
    assert "ledger: ok" in manage(environment(tmp_path), "db_integrity")
    manage(environment(tmp_path), "create_api_key", "newcomer", "--scopes", "*", "--create-user", "--json")
    manage(environment(tmp_path), "seed_demo", "--renders", "3", "--no-files")
    assert rows(tmp_path)["renders_render"] == 15
    assert "ledger: ok" in manage(environment(tmp_path), "db_integrity")
