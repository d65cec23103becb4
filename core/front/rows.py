"""Single rows: whether they are there, and whether the client has them, as the app of the rows tells it."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple
from uuid import UUID

from core.api.etags import EntityTag


class Missing(Enum):
    """No row of this account, whatever else it is."""

    ROW = "row"


class Asked(NamedTuple):
    """What is asked for. text: the segment of the path that names the row; links: see `core.files.links.context_of`."""

    owner_id: UUID
    text: str
    version: int
    media_type: str
    links: tuple[str, int, int]


# Returns the tag of what a GET would answer; None where the view has to find out. May raise DatabaseError.
TagReader = Callable[[Asked], EntityTag | Missing | None]
tag_readers: dict[str, TagReader] = {}


def register_tag_reader(route_name: str, reader: TagReader) -> None:
    """Have the rows of a route answered for at the front door. Register in `AppConfig.ready()`."""
    tag_readers[route_name] = reader
