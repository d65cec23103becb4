"""Domain errors of analytics.

DomainError
├── EventsPurged   409  stats cannot be rebuilt from deleted events
└── InvalidParameter  400  see core
"""

from __future__ import annotations

from core.exceptions import InvalidState


class EventsPurged(InvalidState):
    """The events of that time were deleted, so their stats cannot be rebuilt."""
