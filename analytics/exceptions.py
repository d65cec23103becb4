"""Refusals of this app.

DomainError
├── EventsForgotten   409  figures older than the events cannot be made anew
└── InvalidParameter  400  see core
"""

from __future__ import annotations

from core.exceptions import InvalidState


class EventsForgotten(InvalidState):
    """The events of that time were deleted; their figures cannot be made anew."""
