"""What this app tells the apps above."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class UserCreated:
    """A user now exists."""

    user_id: UUID


@dataclass(frozen=True, slots=True)
class UserSuspended:
    """A user's credentials stopped working."""

    user_id: UUID


@dataclass(frozen=True, slots=True)
class PlanChanged:
    """A user is on another plan."""

    user_id: UUID
    old_plan: str
    new_plan: str


@dataclass(frozen=True, slots=True)
class ApiKeyRevoked:
    """A key stopped working."""

    key_id: UUID
    user_id: UUID
