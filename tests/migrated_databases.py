"""Migrated databases for test installations, migrated once per test run, as that takes many seconds."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg

from tests.commands import manage

_FOLDER_VARIABLE = "RENDEROWL_TEST_MIGRATED"


def begin() -> None:
    """Create the folder shared by all processes of a test run; called before the others start."""
    os.environ[_FOLDER_VARIABLE] = tempfile.mkdtemp(prefix="renderowl-migrated-")


def end() -> None:
    """Delete the folder and its databases."""
    folder = Path(os.environ.pop(_FOLDER_VARIABLE))
    for notes in folder.glob("*.json"):
        url = json.loads(notes.read_text())["url"]
        if url.startswith("postgres"):
            drop_database(url)
    shutil.rmtree(folder)


def provide(environment: Mapping[str, str], *commands: tuple[str, ...]) -> list[str]:
    """Set up the empty database of the environment's DATABASE_URL by `migrate` and further commands of manage.py.

    Returns the output of these commands. Within a test run the first database is set up like this, and others with the
    same commands are copied from it. Outside of a test run, as in benchmarks, nothing is shared.
    """
    if _FOLDER_VARIABLE not in os.environ:
        return _make(environment, commands)
    url = environment["DATABASE_URL"]
    kind = urlsplit(url).scheme
    signup = [environment.get(name) for name in ("SIGNUP_PLAN", "SIGNUP_CREDITS")] if commands else []
    digest = hashlib.sha256(repr((kind, commands, signup)).encode()).hexdigest()[:12]
    folder = Path(os.environ[_FOLDER_VARIABLE])
    with (folder / f"{digest}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        notes = folder / f"{digest}.json"
        if notes.exists():
            stored = json.loads(notes.read_text())
            _COPIERS[kind](stored["url"], url)
            return list(stored["printed"])
        printed = _make(environment, commands)
        copy = f"sqlite:///{folder}/{digest}.sqlite3" if kind == "sqlite" else renamed(url, f"copy_{uuid4().hex[:12]}")
        _COPIERS[kind](url, copy)
        notes.write_text(json.dumps({"url": copy, "printed": printed}))
        return printed


def renamed(url: str, name: str) -> str:
    """Return the URL of another database of the same server."""
    return urlsplit(url)._replace(path=f"/{name}").geturl()


def create_database(url: str, *, like: str = "") -> None:
    """Create the PostgreSQL database of a URL, optionally as a copy of another."""
    template = f" TEMPLATE {_name(like)}" if like else ""
    _administer(url, f"CREATE DATABASE {_name(url)}{template}")


def drop_database(url: str) -> None:
    """Drop the PostgreSQL database of a URL, closing its connections."""
    _administer(url, f"DROP DATABASE IF EXISTS {_name(url)} WITH (FORCE)")


def _make(environment: Mapping[str, str], commands: tuple[tuple[str, ...], ...]) -> list[str]:
    if not commands:
        manage(environment, "migrate", "--noinput")
        return []
    provide(environment)
    return [manage(environment, *command) for command in commands]


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
