"""The secrets of webhook triggers. None is stored: each is made from the installation's key and a salt."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime

from django.conf import settings

from automations.models import Automation
from outbound.signing import format_secret

HOOK_PATH = "/webhooks/automations/"


def new_salt() -> str:
    """Return the salt of a new secret."""
    return secrets.token_hex(16)


def secret_of(salt: str) -> bytes:
    """Return the secret that belongs to a salt."""
    return hmac.new(settings.SECRET_KEY.encode(), f"automation hook {salt}".encode(), hashlib.sha256).digest()


def shown_secret(automation: Automation) -> str:
    """Return the secret in force as clients write it."""
    return format_secret(secret_of(automation.hook_salt))


def secrets_in_force(automation: Automation | None, now: datetime) -> list[bytes]:
    """Return the secrets that may sign; for no automation one that nobody knows, so that the time tells nothing."""
    if automation is None or not automation.hook_salt:
        return [secret_of(new_salt())]
    salts = [automation.hook_salt]
    until = automation.previous_salt_until
    if automation.previous_salt and until is not None and until > now:
        salts.append(automation.previous_salt)
    return [secret_of(salt) for salt in salts]
