"""Errors of this app.

DomainError
├── Unprocessable
│   └── ActionRefused          422  what an automation should do cannot be done; lists why
├── InvalidState
│   ├── AutomationInactive     409
│   ├── TriggerIdReused        409  the trigger id came before, with other data
│   └── NoWebhookTrigger                 409  the automation is not triggered by webhooks
├── TooManyAutomations         422
└── TooManyRuns                429
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.exceptions import DomainError, InvalidState, Unprocessable


class ActionRefused(Unprocessable):
    """The automation's action cannot be done."""

    def __init__(self, errors: Sequence[Mapping[str, str]]) -> None:
        """errors: with pointers into the automation, such as `/action/merge/NAME`."""
        super().__init__(errors)
        self.errors = list(errors)


class AutomationInactive(InvalidState):
    """The automation is paused."""


class TriggerIdReused(InvalidState):
    """The trigger id was used before, with other data."""


class NoWebhookTrigger(InvalidState):
    """The automation is not triggered by webhooks, so it has no secret."""


class TooManyAutomations(Unprocessable):
    """The account has as many automations as it may have."""

    def __init__(self, most: int) -> None:
        """most: the limit."""
        detail = f"An account has at most {most} automations."
        super().__init__([{"pointer": "", "code": "too_many", "detail": detail}], detail)


class TooManyRuns(DomainError):
    """As many runs began within the last hour as may."""

    code = "rate_limited"
    status = 429

    def __init__(self, *, policy: str, retry_after_s: int) -> None:
        """policy: whose limit it is, `automation` or `automations`."""
        super().__init__(policy=policy)
        self.retry_after_s = retry_after_s
