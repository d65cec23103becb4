"""System checks of accounts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register


@register(Tags.security)
def check_staff_totp(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """Report a misspelled STAFF_TOTP, which would require no second factor."""
    if settings.RENDEROWL_STAFF_TOTP in {"optional", "required"}:
        return []
    return [
        Error(
            f"STAFF_TOTP is {settings.RENDEROWL_STAFF_TOTP!r}.",
            hint="Choose optional or required.",
            id="renderowl.E014",
        )
    ]
