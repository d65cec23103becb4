"""Secrets of webhook triggers. They are not stored, but derived from SECRET_KEY and a salt."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime

from django.conf import settings

from automations.models import Automation
from outbound.signing import format_secret

WEBHOOK_PATH = "/webhooks/automations/"


def new_salt() -> str:
    """Return a random salt, for a new secret."""
    return secrets.token_hex(16)


def derive_secret(salt: str) -> bytes:
    """Return the secret derived from a salt."""
    return hmac.new(settings.SECRET_KEY.encode(), f"automation webhook {salt}".encode(), hashlib.sha256).digest()


def formatted_secret(automation: Automation) -> str:
    """Return the current secret in its text form, `whsec_...`."""
    return format_secret(derive_secret(automation.webhook_salt))


def active_secrets(automation: Automation | None, now: datetime) -> list[bytes]:
    """Return the valid secrets; without an automation a random one, so that the response time reveals nothing."""
    if automation is None or not automation.webhook_salt:
        return [derive_secret(new_salt())]
    salts = [automation.webhook_salt]
    until = automation.previous_webhook_salt_until
    if automation.previous_webhook_salt and until is not None and until > now:
        salts.append(automation.previous_webhook_salt)
    return [derive_secret(salt) for salt in salts]
