"""The format of API keys: `ro_live_<8 id>_<32 secret><6 checksum>`.

With the checksum, malformed keys are refused without a query and leak scanners find no false positives. It adds no
security: that comes from the 190 bits of the secret.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib
from dataclasses import dataclass

BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
ID_LENGTH = 8
_SECRET_LENGTH = 32
_CHECKSUM_LENGTH = 6
_KEY = re.compile(
    rf"(?P<head>ro_(?:live|test|wrk))_(?P<id>[0-9A-Za-z]{{{ID_LENGTH}}})"
    rf"_[0-9A-Za-z]{{{_SECRET_LENGTH}}}(?P<checksum>[0-9A-Za-z]{{{_CHECKSUM_LENGTH}}})"
)


@dataclass(frozen=True, slots=True)
class PlaintextKey:
    """A key in plain text. text: the whole key, a secret; prefix: the 8 characters that identify the row."""

    text: str
    prefix: str

    def __repr__(self) -> str:
        return f"PlaintextKey({self.prefix})"

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the whole text in hexadecimal, as stored in the row."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def compose_key(head: str, prefix: str = "") -> PlaintextKey:
    """Return a new random key. head: e.g. `ro_live`; prefix: of an existing key to replace its secret."""
    prefix = prefix or _random(ID_LENGTH)
    body = f"{head}_{prefix}_{_random(_SECRET_LENGTH)}"
    return PlaintextKey(body + checksum(body), prefix)


def parse_key(text: str) -> PlaintextKey | None:
    """Parse a key; return None if the format or the checksum is wrong."""
    match = _KEY.fullmatch(text)
    if match is None or checksum(text[:-_CHECKSUM_LENGTH]) != match["checksum"]:
        return None
    return PlaintextKey(text, match["id"])


def checksum(body: str) -> str:
    """Return the CRC-32 (ISO 3309, as in zlib) of the ASCII text in six base-62 digits, most significant first."""
    number = zlib.crc32(body.encode("ascii"))
    digits = []
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, len(BASE62))
        digits.append(BASE62[digit])
    return "".join(reversed(digits))


def _random(length: int) -> str:
    return "".join(secrets.choice(BASE62) for _ in range(length))
