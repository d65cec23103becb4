"""Entity tags: creation, parsing and comparison. Source: RFC 9110, sections 8.8.3 and 13.1."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from django.conf import settings

_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_DIGEST_BYTES = 15
_SALT = b"renderowl.core.etags"


@dataclass(frozen=True, slots=True)
class EntityTag:
    """A validator. weak: bodies under it are equivalent, but may differ in bytes."""

    opaque: str
    weak: bool = False

    def __str__(self) -> str:
        return f'W/"{self.opaque}"' if self.weak else f'"{self.opaque}"'


def make_tag(*parts: object, weak: bool = False) -> EntityTag:
    """Return the tag of everything that shows in a body. parts: in a fixed order.

    Keyed, so that a tag reveals no state, and different in every build, which may serialize differently.
    """
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=_DIGEST_BYTES, key=_key(settings.SECRET_KEY))
    return EntityTag(base64.urlsafe_b64encode(digest.digest()).decode(), weak)


def tag_of_bytes(body: bytes, *context: object) -> EntityTag:
    """Return the weak tag of a rendered body. context: e.g. its content type."""
    digest = hashlib.blake2b(body, digest_size=_DIGEST_BYTES, key=_key(settings.SECRET_KEY))
    digest.update(repr(context).encode())
    return EntityTag(base64.urlsafe_b64encode(digest.digest()).decode(), weak=True)


def read_tags(header: str) -> list[EntityTag]:
    """Return the tags of If-Match or If-None-Match, without anything that is not a tag, such as `*`."""
    return [EntityTag(opaque, bool(weak)) for weak, opaque in _TAG.findall(header)]


def matches_weakly(header: str, tag: EntityTag) -> bool:
    """Return whether If-None-Match matches the tag by weak comparison. `*` matches every tag."""
    return header.strip() == "*" or any(given.opaque == tag.opaque for given in read_tags(header))


def matches_strongly(header: str, tag: EntityTag) -> bool:
    """Return whether If-Match matches the tag by strong comparison. `*` matches every tag."""
    if header.strip() == "*":
        return True
    return not tag.weak and any(not given.weak and given.opaque == tag.opaque for given in read_tags(header))


@lru_cache(maxsize=4)
def _key(secret: str) -> bytes:
    return hashlib.blake2b(secret.encode() + _SALT + build_id().encode(), digest_size=32).digest()


@lru_cache(maxsize=1)
def build_id() -> str:
    """Return a digest of the program's sources, as another build may serialize differently."""
    root = Path(settings.BASE_DIR)
    digest = hashlib.blake2b(digest_size=16)
    for package in sorted(path.parent for path in root.glob("*/__init__.py") if path.parent.name != "tests"):
        for path in sorted(package.rglob("*.py")):
            digest.update(f"{path.relative_to(root)}\0".encode())
            digest.update(path.read_bytes())
    digest.update((root / "requirements.txt").read_bytes() if (root / "requirements.txt").is_file() else b"")
    return digest.hexdigest()
