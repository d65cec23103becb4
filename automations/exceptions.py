"""Errors of automations.

DomainError
├── Unprocessable
│   └── ActionRefused          422  the action cannot be run; lists the errors
├── InvalidState
│   ├── AutomationInactive     409
│   ├── TriggerIdReused        409  the trigger id was used before with other data
│   └── NoWebhookTrigger       409  the automation has no webhook trigger
├── TooManyAutomations         422
└── TooManyRuns                429
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.exceptions import DomainError, InvalidState, Unprocessable


class ActionRefused(Unprocessable):
    """The automation's action cannot be run."""

    def __init__(self, errors: Sequence[Mapping[str, str]]) -> None:
        """errors: with pointers into the automation, such as `/action/merge/NAME`."""
        super().__init__(errors)
        self.errors = list(errors)


class AutomationInactive(InvalidState):
    """The automation is paused."""


class TriggerIdReused(InvalidState):
    """The trigger id was used before with other data."""


class NoWebhookTrigger(InvalidState):
    """The automation has no webhook trigger, and so no secret."""


class TooManyAutomations(Unprocessable):
    """The account has the maximum number of automations."""

    def __init__(self, limit: int) -> None:
        detail = f"An account can have at most {limit} automations."
        super().__init__([{"pointer": "", "code": "too_many", "detail": detail}], detail)


class TooManyRuns(DomainError):
    """The limit of runs per hour is reached."""

    code = "rate_limited"
    status = 429

    def __init__(self, *, policy: str, retry_after_s: int) -> None:
        """policy: whose limit it is, `automation` or `automations`."""
        super().__init__(policy=policy)
        self.retry_after_s = retry_after_s
