"""What this app tells the apps above."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
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


@dataclass(frozen=True, slots=True)
class DeprecatedCallSeen:
    """An owner's key called what is deprecated, for the first time. subject: `v1` or `v2:render-log`."""

    user_id: UUID
    subject: str
    calls: int
    sunset_at: datetime | None


@dataclass(frozen=True, slots=True)
class SunsetApproaching:
    """What an owner's keys call ends in 90, 30 or 7 days, or a little less. subject: `v1` or `v2:render-log`."""

    user_id: UUID
    subject: str
    sunset_at: datetime
    days_left: int
