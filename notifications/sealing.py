"""Secrets that must be read again: kept encrypted, so that a copy of the database alone gives none of them away.

The key follows from SECRET_KEY. When that changes, name the old one in SECRET_KEY_FALLBACKS: what it sealed can still
be opened, and is sealed anew whenever it is written.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

_SALT = b"renderowl.core.sealing"


class SealBroken(Exception):
    """What was kept cannot be opened: SECRET_KEY changed, or the text was altered."""


def seal(text: str) -> str:
    """Return a text that only `unseal` can read."""
    return _box(_keys()).encrypt(text.encode()).decode()


def unseal(sealed: str) -> str:
    """Return what was sealed.

    Raises SealBroken.
    """
    try:
        return _box(_keys()).decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise SealBroken("a secret cannot be opened: has SECRET_KEY changed without SECRET_KEY_FALLBACKS?") from None


def _keys() -> tuple[str, ...]:
    return (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)


@functools.lru_cache(maxsize=4)
def _box(keys: tuple[str, ...]) -> MultiFernet:
    """Return the box of these keys; each is derived for this purpose alone."""
    derived = [hmac.digest(key.encode(), _SALT, hashlib.sha256) for key in keys]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in derived])
