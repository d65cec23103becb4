"""Byte ranges of requests. Source: RFC 9110, sections 13.1.5 and 14."""

from __future__ import annotations

import re
from dataclasses import dataclass

_RANGES = re.compile(r"^bytes\s*=\s*(.+)$", re.IGNORECASE)
_RANGE = re.compile(r"^(\d{0,18})-(\d{0,18})$", re.ASCII)


@dataclass(frozen=True, slots=True)
class ByteRange:
    """A part of a file; never empty."""

    start: int
    length: int

    def content_range(self, size: int) -> str:
        """Return the Content-Range header."""
        return f"bytes {self.start}-{self.start + self.length - 1}/{size}"


class RangeNotSatisfiable(Exception):
    """The range lies outside of the file."""


def parse_range(header: str, size: int) -> ByteRange | None:
    """Return the range of a Range header, None if the whole file is to be sent.

    A header that is malformed, in another unit, or has several ranges is ignored, as the RFC allows.
    Raises RangeNotSatisfiable.
    """
    match = _RANGES.match(header.strip())
    part = _RANGE.match(match[1].strip()) if match else None
    if part is None or part[0] == "-":
        return None
    first, last = part[1], part[2]
    if not first:
        # A suffix range: the last bytes, or all of a shorter file.
        length = min(int(last), size)
        if length == 0:
            raise RangeNotSatisfiable
        return ByteRange(size - length, length)
    start = int(first)
    if last and int(last) < start:
        return None
    if start >= size:
        raise RangeNotSatisfiable
    end = min(int(last), size - 1) if last else size - 1
    return ByteRange(start, end - start + 1)


def range_applies(if_range: str | None, etag: str) -> bool:
    """Return whether the Range header applies, given If-Range: only on a strong match of the ETag.

    A date never matches: these files have no modification time that clients could know.
    """
    return if_range is None or (bool(etag) and if_range.strip() == etag)


def matches_any(if_none_match: str | None, etag: str) -> bool:
    """Return whether If-None-Match matches the ETag by weak comparison (section 13.1.2)."""
    if if_none_match is None or not etag:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in tags or etag in tags
