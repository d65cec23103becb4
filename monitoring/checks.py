"""System checks of alerting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

from outbound.signing import parse_secret


@register(Tags.compatibility)
def check_alert_webhook(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """Report an invalid signing secret at startup rather than at the first alert."""
    if not settings.RENDEROWL_ALERT_WEBHOOK_URL:
        return []
    try:
        parse_secret(settings.RENDEROWL_ALERT_WEBHOOK_SECRET)
    except ValueError as error:
        return [
            Error(
                f"ALERT_WEBHOOK_URL is set, but ALERT_WEBHOOK_SECRET is not valid: {error}.",
                hint="Create one with `manage.py run_external_worker --new-secret`, and give it to the receiver.",
                id="renderowl.E021",
            )
        ]
    return []
