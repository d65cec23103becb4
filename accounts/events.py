"""Events that accounts publishes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class UserCreated:
    """A user was created."""

    user_id: UUID


@dataclass(frozen=True, slots=True)
class UserSuspended:
    """A user was suspended: none of their credentials work."""

    user_id: UUID


@dataclass(frozen=True, slots=True)
class PlanChanged:
    """A user moved to another plan."""

    user_id: UUID
    old_plan: str
    new_plan: str


@dataclass(frozen=True, slots=True)
class ApiKeyRevoked:
    """An API key was revoked."""

    key_id: UUID
    user_id: UUID


@dataclass(frozen=True, slots=True)
class DeprecatedCallSeen:
    """A user's key called a deprecated version or route for the first time. subject: `v1` or `v2:render-log`."""

    user_id: UUID
    subject: str
    calls: int
    sunset_at: datetime | None


@dataclass(frozen=True, slots=True)
class SunsetApproaching:
    """A version or route that a user's keys call ends within 90, 30 or 7 days. subject: `v1` or `v2:render-log`."""

    user_id: UUID
    subject: str
    sunset_at: datetime
    days_left: int
