"""Counts on their way from the processes that made them to the database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class CallTally:
    """How often a key called a deprecated route since the last time this was written down."""

    key_id: UUID
    version: int
    route: str
    calls: int
    first_called_at: datetime
    last_called_at: datetime
