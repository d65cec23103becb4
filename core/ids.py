"""Identifiers: UUIDv7 internally, `<type>_<26 base32 characters>` in the API."""

from __future__ import annotations

import secrets
import threading
import time
import uuid
from functools import lru_cache

# Crockford's alphabet, lower case: no i, l, o, u, so that ids are hard to misread.
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_VALUES = {character: value for value, character in enumerate(ALPHABET)}
_LENGTH = 26
_PAIRS = tuple(first + second for first in ALPHABET for second in ALPHABET)

_lock = threading.Lock()
_last_ms = 0
_counter = 0


def uuid7() -> uuid.UUID:
    """Return a time-ordered UUID; those of one process are strictly increasing.

    Source: RFC 9562, section 5.7, with the 12 bits of rand_a as a counter (section 6.2, method 1).
    """
    global _last_ms, _counter  # noqa: PLW0603 - the order over calls is the state
    with _lock:
        now_ms = time.time_ns() // 1_000_000
        if now_ms > _last_ms:
            _last_ms, _counter = now_ms, secrets.randbits(11)
        else:
            _counter += 1
            if _counter > 0xFFF:
                _last_ms, _counter = _last_ms + 1, 0
        stamp, counter = _last_ms, _counter
    value = (stamp & 0xFFFFFFFFFFFF) << 80 | 0x7 << 76 | counter << 64 | 0b10 << 62 | secrets.randbits(62)
    return uuid.UUID(int=value)


def encode_id(prefix: str, value: uuid.UUID) -> str:
    """Return the public form of an id, e.g. `rnd_01k8...`."""
    return encode_number(prefix, value.int)


# Cached, as a list contains each id several times, in links and file names, and few different projects.
@lru_cache(maxsize=4096)
def encode_number(prefix: str, number: int) -> str:
    """Return the public form of an id given as a 128-bit number."""
    # Unrolled, two digits at a time: a loop takes three times as long, and a list has hundreds of ids.
    two = _PAIRS
    high = (
        f"{two[number >> 120]}{two[number >> 110 & 1023]}{two[number >> 100 & 1023]}{two[number >> 90 & 1023]}"
        f"{two[number >> 80 & 1023]}{two[number >> 70 & 1023]}{two[number >> 60 & 1023]}"
    )
    return (
        f"{prefix}_{high}{two[number >> 50 & 1023]}{two[number >> 40 & 1023]}{two[number >> 30 & 1023]}"
        f"{two[number >> 20 & 1023]}{two[number >> 10 & 1023]}{two[number & 1023]}"
    )


def decode_id(prefix: str, text: str) -> uuid.UUID:
    """Parse a public id; raise ValueError unless `text` is exactly what `encode_id` would have returned."""
    head, underscore, tail = text.partition("_")
    if head != prefix or not underscore or len(tail) != _LENGTH:
        raise ValueError(f"not a {prefix} id")
    number = 0
    for character in tail:
        if character not in _VALUES:
            raise ValueError(f"not a {prefix} id")
        number = number << 5 | _VALUES[character]
    if number >> 128:
        raise ValueError(f"not a {prefix} id")
    return uuid.UUID(int=number)
