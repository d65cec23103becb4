"""Scenarios in which many threads want the same thing, on a real database.

SQLite in memory locks whole tables between threads, so on SQLite each scenario runs in a process and a file of its own:
`python -m tests.races NAME` prints its outcome as JSON. On PostgreSQL the test calls `run` itself.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

AREAS = ("accounts", "api", "assets", "automations", "credits", "jobs", "renders")


def run(name: str) -> dict[str, Any]:
    """Run a scenario on the configured database. name: `area.function`, such as `credits.open_one_account`."""
    from django.core.handlers.wsgi import WSGIHandler

    # As a server does, before its threads are there: loaded by many clients at once, its metrics register twice.
    WSGIHandler()
    area, _, function = name.partition(".")
    assert area in AREAS
    scenario: Callable[[], dict[str, Any]] = getattr(import_module(f"tests.races.{area}"), function)
    return scenario()
