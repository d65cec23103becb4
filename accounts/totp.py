"""Time-based one-time passwords (TOTP).

Source: RFC 6238 (TOTP) on RFC 4226 (HOTP): HMAC-SHA-1, steps of 30 s, 6 digits, which every authenticator app supports.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from urllib.parse import quote, urlencode

from django.conf import settings

STEP_S = 30
DIGITS = 6
# Allow for clock drift and typing time: the previous and the next step are accepted too.
TOLERATED_STEPS = (-1, 0, 1)
_SALT = b"renderowl.accounts.totp"
_ISSUER = "Renderowl"


def new_salt() -> str:
    """Return a random salt for a new secret, in hexadecimal."""
    return secrets.token_hex(20)


def secret_of(salt: str) -> bytes:
    """Return the secret shared with the app, derived from the salt AND SECRET_KEY; it is never stored."""
    key = hmac.digest(settings.SECRET_KEY.encode(), _SALT, hashlib.sha256)
    return hmac.digest(key, salt.encode(), hashlib.sha1)


def secret_text(secret: bytes) -> str:
    """Return a secret in Base32, as users enter it in an app."""
    return base64.b32encode(secret).decode().rstrip("=")


def enrolment_uri(secret: bytes, account: str) -> str:
    """Return the `otpauth:` URI for the QR code."""
    query = urlencode({"secret": secret_text(secret), "issuer": _ISSUER, "digits": DIGITS, "period": STEP_S})
    return f"otpauth://totp/{_ISSUER}:{quote(account, safe='')}?{query}"


def code_at(secret: bytes, step: int) -> str:
    """Return the code of a time step. Source: RFC 4226, section 5.3."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), hashlib.sha1)
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return str(number % 10**DIGITS).zfill(DIGITS)


def matching_step(secret: bytes, code: str, now_s: float) -> int | None:
    """Return the time step of a code, None if it matches none of the tolerated steps."""
    current = int(now_s) // STEP_S
    found = None
    for shift in TOLERATED_STEPS:
        # Compare all, so that timing reveals nothing.
        if hmac.compare_digest(code_at(secret, current + shift).encode(), code.encode()):
            found = current + shift
    return found
