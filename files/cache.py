"""Content-addressed file cache in a folder. Many processes can use it at the same time."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from pathlib import Path
from uuid import uuid4

_SHA256 = re.compile(r"^[0-9a-f]{64}$")


def link_or_copy(source: Path, target: Path) -> Path:
    """Hard-link a file to another path, or copy it; return that path. Neither may be written to afterwards."""
    try:
        os.link(source, target)
    except OSError:
        if not source.is_file():
            raise
        shutil.copyfile(source, target)
    return target


class FileCache:
    """At most `limit_bytes` of files; the least recently used are evicted first.

    Each caller gets its own link, so a file stays readable after its eviction.
    """

    def __init__(self, root: Path, limit_bytes: int) -> None:
        self._root = root
        self._limit_bytes = limit_bytes

    def take(self, sha256: str, target: Path) -> bool:
        """Link the file with this content to `target`; return False if it is not cached."""
        path = self._path(sha256)
        try:
            link_or_copy(path, target)
            os.utime(path)
        except FileNotFoundError:
            # Evicted before the link, or after it: then the link is still valid.
            return target.exists()
        return True

    def add(self, source: Path, sha256: str) -> None:
        """Add a file under the hash of its content, which the caller has computed."""
        path = self._path(sha256)
        if path.exists() or source.stat().st_size > self._limit_bytes:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{uuid4().hex}.part")
        try:
            link_or_copy(source, temporary)
            # A link has the mtime of the source; count this as its first use.
            os.utime(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        self.trim()

    def trim(self) -> int:
        """Evict the least recently used files until the rest is within the limit; return how many."""
        entries = sorted(self._entries())
        total = sum(size for _, size, _ in entries)
        evicted = 0
        for _, size, path in entries:
            if total <= self._limit_bytes:
                break
            path.unlink(missing_ok=True)
            total -= size
            evicted += 1
        return evicted

    def _entries(self) -> list[tuple[float, int, Path]]:
        found = []
        for path in self._root.glob("??/*"):
            with contextlib.suppress(FileNotFoundError):
                stat = path.stat()
                found.append((stat.st_mtime, stat.st_size, path))
        return found

    def _path(self, sha256: str) -> Path:
        if not _SHA256.match(sha256):
            raise ValueError("not a SHA-256")
        return self._root / sha256[:2] / sha256
