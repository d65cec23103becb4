"""Time format of the API."""

from __future__ import annotations

from datetime import UTC, datetime


def format_time(value: datetime | None) -> str | None:
    """Return a time as the API writes it: UTC, microseconds, Z."""
    if value is None:
        return None
    return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
