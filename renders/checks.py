"""System checks of renders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

from outbound.signing import PUBLISHED_SECRET, parse_secret


@register(Tags.security, deploy=True)
def check_worker_secrets(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """Report pools that use the example secret of the specification, which is public."""
    pools: dict[str, tuple[bytes, ...]] = settings.RENDEROWL_WORKER_SECRETS
    exposed = [pool for pool, secrets in pools.items() if parse_secret(PUBLISHED_SECRET) in secrets]
    return [
        Error(
            f"RENDER_WEBHOOK_SECRETS: the pool {pool} has a secret that is published.",
            hint="Make one with `manage.py run_external_worker --new-secret`.",
            id="renderowl.E012",
        )
        for pool in exposed
    ]
