"""Databases with all tables, for installations of tests: migrated once a test run, as that takes many seconds."""

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

_MEANS_FOLDER = "RENDEROWL_TEST_MIGRATED"


def begin() -> None:
    """Make the place that all processes of a test run share; called by the first of them, before it starts others."""
    os.environ[_MEANS_FOLDER] = tempfile.mkdtemp(prefix="renderowl-migrated-")


def end() -> None:
    """Take it away, with the databases in it."""
    folder = Path(os.environ.pop(_MEANS_FOLDER))
    for notes in folder.glob("*.json"):
        url = json.loads(notes.read_text())["url"]
        if url.startswith("postgres"):
            drop_database(url)
    shutil.rmtree(folder)


def provide(environment: Mapping[str, str], *commands: tuple[str, ...]) -> list[str]:
    """Fill the empty database that the environment's DATABASE_URL names, by `migrate` and more commands of manage.py.

    Returns what these print. The first of a run is made so, all others that ask for the same become copies of it;
    outside of a test run, where benchmarks have an installation made, each is the first.
    """
    if _MEANS_FOLDER not in os.environ:
        return _make(environment, commands)
    url = environment["DATABASE_URL"]
    kind = urlsplit(url).scheme
    welcome = [environment.get(name) for name in ("SIGNUP_PLAN", "SIGNUP_CREDITS")] if commands else []
    terms = hashlib.sha256(repr((kind, commands, welcome)).encode()).hexdigest()[:12]
    folder = Path(os.environ[_MEANS_FOLDER])
    with (folder / f"{terms}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        notes = folder / f"{terms}.json"
        if notes.exists():
            kept = json.loads(notes.read_text())
            _COPIERS[kind](kept["url"], url)
            return list(kept["printed"])
        printed = _make(environment, commands)
        copy = f"sqlite:///{folder}/{terms}.sqlite3" if kind == "sqlite" else renamed(url, f"kept_{uuid4().hex[:12]}")
        _COPIERS[kind](url, copy)
        notes.write_text(json.dumps({"url": copy, "printed": printed}))
        return printed


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
