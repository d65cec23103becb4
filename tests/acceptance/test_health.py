"""A real server loses its database and gets it back, meets a lock, and is stopped."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import requests

from renderowl.serve import run_root
from tests.acceptance.installation import Installation, postgres_database
from tests.commands import ROOT

pytestmark = [pytest.mark.acceptance]
LIMIT_S = 2.0
LINGER_S = 1.0


class Served(Installation):
    """An installation behind the server that `make run` starts."""

    def serve(self) -> subprocess.Popen[bytes]:
        server = self.start(
            *(sys.executable, "-m", "renderowl.serve", "--port", str(self.port), "--linger", str(LINGER_S)),
            log="server",
        )
        self.wait(self.serves, seconds=60)
        return server

    def ready(self) -> requests.Response:
        return requests.get(f"{self.base}/ready", timeout=5)

    def seconds_until(self, code: int) -> float:
        began = time.monotonic()
        self.wait(lambda: self.ready().status_code == code, seconds=10)
        return time.monotonic() - began

    def lose_and_get_back(self, lose: Callable[[], object], get_back: Callable[[], object]) -> None:
        """Assert the answers to probes and clients before, between and after `lose` and `get_back`."""
        assert self.ready().json()["status"] == "pass"
        self.call("GET", "/api/v2/me", 200)
        lose()
        assert self.seconds_until(503) < LIMIT_S
        assert self.session.get(f"{self.base}/api/v2/me", timeout=5).status_code >= 500
        assert requests.get(f"{self.base}/live", timeout=5).status_code == 200
        assert requests.get(f"{self.base}/health", timeout=5).status_code == 503
        get_back()
        assert self.seconds_until(200) < LIMIT_S
        self.call("GET", "/api/v2/me", 200)

    def stop_gently(self, server: subprocess.Popen[bytes]) -> None:
        """Assert that the server is unready at once, still serves, and exits with 0."""
        server.send_signal(signal.SIGTERM)
        server.send_signal(signal.SIGTERM)
        began = time.monotonic()
        self.wait(lambda: self.ready().status_code == 503, seconds=0.5)
        self.call("GET", "/api/v2/me", 200)
        assert server.wait(20) == 0
        assert time.monotonic() - began >= LINGER_S * 0.9
        left = run_root(self.folder)
        assert list(left.iterdir()) == []
        left.rmdir()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    assert ROOT not in tmp_path.parents


def test_sqlite(folder: Path) -> None:
    installation = Served(folder)
    try:
        server = installation.serve()
        path, away = folder / "db.sqlite3", folder / "away"
        installation.lose_and_get_back(lambda: path.rename(away), lambda: away.rename(path))
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            response = installation.wait(
                lambda: found if (found := installation.ready()).json()["status"] == "warn" else None, seconds=LIMIT_S
            )
            assert response.status_code == 200
            holder.execute("ROLLBACK")
        assert installation.seconds_until(200) < LIMIT_S
        installation.stop_gently(server)
    finally:
        installation.stop()


def test_postgresql(folder: Path) -> None:
    with postgres_database() as url:
        installation = Served(folder, database_url=url)
        try:
            server = installation.serve()
            base, _, name = url.rpartition("/")

            def refuse() -> None:
                with psycopg.connect(f"{base}/postgres", autocommit=True) as connection:
                    connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
                    connection.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
                    )

            def allow() -> None:
                with psycopg.connect(f"{base}/postgres", autocommit=True) as connection:
                    connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")

            installation.lose_and_get_back(refuse, allow)
            installation.stop_gently(server)
        finally:
            installation.stop()
