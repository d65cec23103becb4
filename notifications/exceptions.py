"""Domain errors of notifications.

InvalidState (409)
├── WebhookEndpointLimitReached   the plan allows no more webhook endpoints
└── WebhookEndpointDisabled       a disabled endpoint gets no deliveries
"""

from __future__ import annotations

from core.exceptions import InvalidState


class WebhookEndpointLimitReached(InvalidState):
    """The plan allows no more webhook endpoints."""


class WebhookEndpointDisabled(InvalidState):
    """The endpoint is disabled: enable it first."""
