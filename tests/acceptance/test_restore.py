"""A backup that is restored as docs/operations.md says equals the installation that was backed up."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess

import psycopg
import pytest

from tests.acceptance.installation import postgres_database
from tests.commands import manage
from tests.maintenance.test_db_backup import contents

pytestmark = pytest.mark.acceptance


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_an_installation_is_restored_as_documented(kind, tmp_path) -> None:
    """The steps of docs/operations.md, on a database of its own."""
    target = tmp_path / "renderowl.backup"
    with contextlib.ExitStack() as stack:
        urls = [f"sqlite:///{tmp_path}/{name}.sqlite3" for name in ("old", "new")]
        if kind == "postgresql":
            urls = [stack.enter_context(postgres_database()) for _ in range(2)]
        old, new = ({**os.environ, "DATA_DIR": str(tmp_path), "DATABASE_URL": url} for url in urls)
        manage(old, "migrate", "--noinput")
        manage(old, "create_api_key", "alice", "--scopes", "*", "--create-user", "--json")
        report = json.loads(manage(old, "db_backup", str(target), "--json"))
        assert report["tables"]["accounts_apikey"] == report["tables"]["accounts_user"] == 1
        if kind == "sqlite":
            (tmp_path / "new.sqlite3").write_bytes(target.read_bytes())
            assert contents(tmp_path / "new.sqlite3") == contents(tmp_path / "old.sqlite3")
        else:
            command = ["pg_restore", "--no-owner", "--exit-on-error", "--dbname", urls[1]]
            subprocess.run([*command, str(target)], check=True, timeout=120)
            with psycopg.connect(urls[1]) as restored:
                for table, rows in report["tables"].items():
                    assert restored.execute(f'SELECT count(*) FROM "{table}"').fetchone() == (rows,), table
        assert json.loads(manage(new, "migrate_status", "--json"))["pending"] == []
        assert json.loads(manage(new, "db_integrity", "--json"))["ok"] is True
