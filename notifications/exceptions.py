"""Refusals of this app.

InvalidState (409)
├── WebhookEndpointLimitReached   the plan allows no more webhook endpoints
└── WebhookEndpointDisabled       nothing is delivered to an endpoint that is off
"""

from __future__ import annotations

from core.exceptions import InvalidState


class WebhookEndpointLimitReached(InvalidState):
    """The plan allows no more webhook endpoints."""


class WebhookEndpointDisabled(InvalidState):
    """The endpoint is disabled: enable it first."""
