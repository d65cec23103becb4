"""Refusals of this app.

DomainError
├── EventsPurged   409  stats older than the events cannot be made anew
└── InvalidParameter  400  see core
"""

from __future__ import annotations

from core.exceptions import InvalidState


class EventsPurged(InvalidState):
    """The events of that time were deleted; their stats cannot be made anew."""
