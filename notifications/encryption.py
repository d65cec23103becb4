"""Secrets that must be read again, kept encrypted, so that a copy of the database alone gives none of them away.

The key follows from SECRET_KEY. When that changes, name the old one in SECRET_KEY_FALLBACKS: what it encrypted can
still be decrypted, and is encrypted with the new key whenever it is written.
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
    """Return a text that only `decrypt` can read."""
    return _fernet(_keys()).encrypt(text.encode()).decode()


def decrypt(encrypted: str) -> str:
    """Return what was encrypted.

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
    """Return the ciphers of these keys; each is derived for this purpose alone."""
    derived = [hmac.digest(key.encode(), _SALT, hashlib.sha256) for key in keys]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in derived])
