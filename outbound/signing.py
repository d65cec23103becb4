"""Signed messages between machines, as specified by Standard Webhooks 1.0.

A signature is the HMAC-SHA256 of `<id>.<timestamp>.<body>`, byte for byte as sent. A secret is 24 to 64 random bytes,
written `whsec_<base64>`. While one secret replaces another both sign, so that a message carries two signatures.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets as random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from core.exceptions import DomainError

ID_HEADER = "webhook-id"
TIME_HEADER = "webhook-timestamp"
SIGNATURE_HEADER = "webhook-signature"
TOLERANCE_S = 300
SECRET_PREFIX = "whsec_"  # noqa: S105 - a prefix, not a secret
# The example of the specification.
PUBLISHED_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - published, not a secret
MIN_SECRET_BYTES, MAX_SECRET_BYTES = 24, 64
NEW_SECRET_BYTES = 32
_SCHEME = "v1"
# Neither may contain a full stop, which separates what is signed: "a.1" at "2" must not read as "a" at "1.2".
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_TIME = re.compile(r"[0-9]{1,12}")


class SignatureRefused(DomainError):
    """The signature of the message is missing or invalid."""

    code = "unauthenticated"
    status = 401

    def __init__(self, reason: str) -> None:
        """reason: for logs only; all refusals look the same to the sender, so that they reveal nothing."""
        super().__init__()
        self.reason = reason


@dataclass(frozen=True, slots=True)
class SignedMessage:
    """A received message. message_id, time_text, signatures: the headers, verbatim."""

    message_id: str
    time_text: str
    signatures: str
    body: bytes

    @classmethod
    def from_headers(cls, headers: Mapping[str, str], body: bytes) -> SignedMessage:
        """Return the message of a request; raise SignatureRefused if a header is absent."""
        message_id, time_text = headers.get(ID_HEADER, ""), headers.get(TIME_HEADER, "")
        signatures = headers.get(SIGNATURE_HEADER, "")
        if not (message_id and time_text and signatures):
            raise SignatureRefused("a header is absent")
        return cls(message_id, time_text, signatures, body)


def new_secret() -> str:
    """Return a new random secret as text, to be shown once."""
    return format_secret(random.token_bytes(NEW_SECRET_BYTES))


def format_secret(secret: bytes) -> str:
    """Return a secret as text."""
    return SECRET_PREFIX + base64.b64encode(secret).decode()


def parse_secret(text: str) -> bytes:
    """Decode `whsec_` and the base64 of 24 to 64 bytes, or raise ValueError, never with the secret in it."""
    if not text.startswith(SECRET_PREFIX):
        raise ValueError(f"a secret begins with {SECRET_PREFIX}")
    try:
        secret = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"a secret is {SECRET_PREFIX} and base64") from None
    if not MIN_SECRET_BYTES <= len(secret) <= MAX_SECRET_BYTES:
        raise ValueError(f"a secret has {MIN_SECRET_BYTES} to {MAX_SECRET_BYTES} bytes, not {len(secret)}")
    return secret


def sign(*, secret: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """Return one signature, `v1,<base64>`.

    timestamp: Unix seconds of this attempt.
    Raises ValueError for an id that could not be verified.
    """
    if not _ID.fullmatch(message_id):
        raise ValueError("an id has 1 to 128 letters, digits, dashes and underscores")
    return _signature(secret, message_id, str(timestamp), body)


def signed_headers(*, secrets: Iterable[bytes], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers of a message: its id, the time, and one signature per secret, if there are any."""
    signatures = [sign(secret=secret, message_id=message_id, timestamp=timestamp, body=body) for secret in secrets]
    headers = {ID_HEADER: message_id, TIME_HEADER: str(timestamp)}
    return headers | {SIGNATURE_HEADER: " ".join(signatures)} if signatures else headers


def verify(message: SignedMessage, *, secrets: Sequence[bytes], now: float) -> int:
    """Return the index in `secrets` of the one that signed the message.

    now: Unix seconds; a message is valid for 300 s either way.
    Raises SignatureRefused. Constant-time: the duration does not reveal how much of a signature was right.
    """
    if not _ID.fullmatch(message.message_id):
        raise SignatureRefused("the id cannot be read")
    if not _TIME.fullmatch(message.time_text):
        raise SignatureRefused("the timestamp cannot be read")
    if abs(now - int(message.time_text)) > TOLERANCE_S:
        raise SignatureRefused("the timestamp is too far away")
    given = [signature.encode("utf-8", "surrogatepass") for signature in message.signatures.split(" ")]
    signer = None
    for index, secret in enumerate(secrets):
        expected = _signature(secret, message.message_id, message.time_text, message.body).encode()
        # As text: base64 has bits at its end that decoding ignores, and every bit of a signature counts.
        matches = sum(hmac.compare_digest(expected, one) for one in given)
        if matches and signer is None:
            signer = index
    if signer is None:
        raise SignatureRefused("no secret made this signature")
    return signer


def _signature(secret: bytes, message_id: str, time_text: str, body: bytes) -> str:
    digest = hmac.new(secret, f"{message_id}.{time_text}.".encode() + body, hashlib.sha256).digest()
    return f"{_SCHEME},{base64.b64encode(digest).decode()}"
