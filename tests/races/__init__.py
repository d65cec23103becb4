"""Race scenarios: many threads compete for the same rows, on a real database.

In-memory SQLite locks whole tables between threads, so there each scenario runs in its own process and database file:
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

    # Load the middleware before any thread, as a server does: loaded concurrently, its metrics would register twice.
    WSGIHandler()
    area, _, function = name.partition(".")
    assert area in AREAS
    scenario: Callable[[], dict[str, Any]] = getattr(import_module(f"tests.races.{area}"), function)
    return scenario()
