"""A sample row of every collection of the API, for tests of all operations.

The row of `/renders/{id}` comes from `make_render` of tests/factories.py. `ROWS` has the exceptions, and
`PARAMETERS` the values of other path parameters. `make_rows` reports what is missing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from accounts.models import User
from core.ids import encode_id, uuid7
from tests import factories

# First part of a path below the version -> factory of a user's row for its `{id}`.
ROWS: dict[str, Callable[[User], Any]] = {
    "keys": lambda user: factories.make_minted_key(user).key,
    "deliveries": lambda user: factories.make_delivery(factories.make_endpoint(user)),
    "renders": lambda user: factories.make_render(user, status="succeeded"),
    "webhooks": factories.make_endpoint,
}
# Other path parameters -> value.
PARAMETERS: dict[str, str] = {}
_PARAMETER = re.compile(r"{(\w+)}")


def collection_of(path: str) -> str:
    """Return `renders` of `/api/v2/renders/{id}/log`."""
    return path.split("/")[3]


def _singular(name: str) -> str:
    for plural, one in (("ies", "y"), ("ches", "ch"), ("s", "")):
        if name.endswith(plural):
            return name.removesuffix(plural) + one
    return name


def make_rows(user: User, paths: list[str]) -> dict[str, Any]:
    """Create a row of the user for each collection with an id in its paths."""
    wanted = sorted({collection_of(path) for path in paths if "{id}" in path})
    makers = {name: ROWS.get(name) or getattr(factories, f"make_{_singular(name)}", None) for name in wanted}
    missing = [name for name, make in makers.items() if make is None]
    assert missing == [], f"tests/factories.py and tests/sample_rows.py make no row for {missing}"
    return {name: make(user) for name, make in makers.items()}


def fill(path: str, row: Any, *, exists: bool = True) -> str:
    """Return a path of the document with its parameters filled in. exists: False for an id that does not exist."""

    def value(match: re.Match[str]) -> str:
        if match[1] == "id":
            return str(row.public_id if exists else encode_id(row.ID_PREFIX, uuid7()))
        assert match[1] in PARAMETERS, f"tests/sample_rows.py has no value for {match[1]} of {path}"
        return PARAMETERS[match[1]]

    return _PARAMETER.sub(value, path)
