"""Refusals of this app.

InvalidState (409)
├── EndpointLimitReached   the plan allows no more webhook endpoints
└── EndpointDisabled       nothing is delivered to an endpoint that is off
"""

from __future__ import annotations

from core.exceptions import InvalidState


class EndpointLimitReached(InvalidState):
    """The plan allows no more webhook endpoints."""


class EndpointDisabled(InvalidState):
    """The endpoint is disabled: enable it first."""
