"""Encryption of stored secrets, so that a copy of the database alone does not reveal them.

The key is derived from SECRET_KEY. After a change, list the old one in SECRET_KEY_FALLBACKS: stored secrets can still
be decrypted, and new writes use the new key.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

_SALT = b"renderowl.notifications.encryption"


class DecryptionError(Exception):
    """A secret cannot be decrypted: SECRET_KEY changed, or the text was altered."""


def encrypt(text: str) -> str:
    """Encrypt a text with the current key."""
    return _fernet(_keys()).encrypt(text.encode()).decode()


def decrypt(encrypted: str) -> str:
    """Decrypt a text with the current key or a fallback.

    Raises DecryptionError.
    """
    try:
        return _fernet(_keys()).decrypt(encrypted.encode()).decode()
    except InvalidToken:
        raise DecryptionError(
            "a secret cannot be decrypted: has SECRET_KEY changed without SECRET_KEY_FALLBACKS?"
        ) from None


def _keys() -> tuple[str, ...]:
    return (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)


@functools.lru_cache(maxsize=4)
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    """Return ciphers with keys derived from these; the salt separates them from other uses of SECRET_KEY."""
    derived = [hmac.digest(key.encode(), _SALT, hashlib.sha256) for key in keys]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in derived])
