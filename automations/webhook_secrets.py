"""The secrets of webhook triggers. None is stored: each is made from the installation's key and a salt."""

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
    """Return the salt of a new secret."""
    return secrets.token_hex(16)


def derive_secret(salt: str) -> bytes:
    """Return the secret that belongs to a salt."""
    return hmac.new(settings.SECRET_KEY.encode(), f"automation webhook {salt}".encode(), hashlib.sha256).digest()


def formatted_secret(automation: Automation) -> str:
    """Return the secret in force as clients write it."""
    return format_secret(derive_secret(automation.webhook_salt))


def active_secrets(automation: Automation | None, now: datetime) -> list[bytes]:
    """Return the secrets that may sign; for no automation one that nobody knows, so that the time tells nothing."""
    if automation is None or not automation.webhook_salt:
        return [derive_secret(new_salt())]
    salts = [automation.webhook_salt]
    until = automation.previous_webhook_salt_until
    if automation.previous_webhook_salt and until is not None and until > now:
        salts.append(automation.previous_webhook_salt)
    return [derive_secret(salt) for salt in salts]
