"""Databases with all tables, for installations of tests: migrated once a test run, as that takes many seconds."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg

ROOT = Path(__file__).resolve().parent.parent
_MEANS_FOLDER = "RENDEROWL_TEST_MIGRATED"


def begin() -> None:
    """Make the place that all processes of a test run share; called by the first of them, before it starts others."""
    os.environ[_MEANS_FOLDER] = tempfile.mkdtemp(prefix="renderowl-migrated-")


def end() -> None:
    """Take it away, with the databases in it."""
    folder = Path(os.environ.pop(_MEANS_FOLDER))
    kept = folder / "postgres.url"
    if kept.exists():
        drop_database(kept.read_text())
    shutil.rmtree(folder)


def provide(environment: Mapping[str, str]) -> None:
    """Fill the empty database that the environment's DATABASE_URL names: the first of a kind by `migrate`.

    All others become copies of that, except outside of a test run, where benchmarks have an installation made.
    """
    if _MEANS_FOLDER not in os.environ:
        _migrate(environment)
        return
    url = environment["DATABASE_URL"]
    kind = urlsplit(url).scheme
    folder = Path(os.environ[_MEANS_FOLDER])
    with (folder / f"{kind}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = folder / f"{kind}.url"
        if kept.exists():
            _COPIERS[kind](kept.read_text(), url)
            return
        _migrate(environment)
        copy = f"sqlite:///{folder}/kept.sqlite3" if kind == "sqlite" else renamed(url, f"kept_{uuid4().hex[:12]}")
        _COPIERS[kind](url, copy)
        kept.write_text(copy)


def renamed(url: str, name: str) -> str:
    """Return the URL of another database of the same server."""
    return urlsplit(url)._replace(path=f"/{name}").geturl()


def create_database(url: str, *, like: str = "") -> None:
    """Make the PostgreSQL database that a URL names, as a copy if another URL says of what."""
    template = f" TEMPLATE {_name(like)}" if like else ""
    _administer(url, f"CREATE DATABASE {_name(url)}{template}")


def drop_database(url: str) -> None:
    """Drop the PostgreSQL database that a URL names, whoever is connected to it."""
    _administer(url, f"DROP DATABASE IF EXISTS {_name(url)} WITH (FORCE)")


def _migrate(environment: Mapping[str, str]) -> None:
    command = [sys.executable, "manage.py", "migrate", "--noinput"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def _copy_file(source: str, target: str) -> None:
    paths = [url.removeprefix("sqlite:///") for url in (source, target)]
    Path(paths[1]).parent.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(sqlite3.connect(paths[0])) as old, contextlib.closing(sqlite3.connect(paths[1])) as new:
        old.backup(new)


def _copy_postgres(source: str, target: str) -> None:
    drop_database(target)
    create_database(target, like=source)


def _name(url: str) -> str:
    return f'"{urlsplit(url).path.removeprefix("/")}"'


def _administer(url: str, statement: str) -> None:
    with psycopg.connect(renamed(url, "postgres"), autocommit=True) as connection:
        connection.execute(statement)


_COPIERS = {"sqlite": _copy_file, "postgres": _copy_postgres}
