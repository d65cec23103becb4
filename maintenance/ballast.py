"""Ballast file: disk space reserved beside the database, because even deleting rows needs space on a full disk."""

from __future__ import annotations

import os
from pathlib import Path

from django.conf import settings

from core.database import database_file, free_bytes
from maintenance.stats import size_of

CHECK_INTERVAL_S = 60.0
# With less than this the next write may fail.
FULL_BYTES = 1024 * 1024
# Created only where this many times its size is free, so that it does not fill the disk itself.
_MIN_FREE_FACTOR = 3


def ballast_path() -> Path | None:
    """Return the path of the ballast file; None where the database is not a local file."""
    path = database_file()
    return Path(f"{path}.ballast") if path else None


def ballast_bytes() -> int:
    """Return the size of the ballast file, 0 without one."""
    path = ballast_path()
    return size_of(path) if path is not None else 0


def is_disk_full() -> bool:
    """Return whether less than FULL_BYTES are free on the disk of the database."""
    path = database_file()
    return bool(path) and free_bytes(Path(path).parent) < FULL_BYTES


def create_ballast_file() -> int:
    """Create or resize the ballast to DISK_BALLAST_BYTES if there is room; return its size afterwards.

    Safe to call from several processes at once.
    """
    path = ballast_path()
    if path is None:
        return 0
    wanted: int = settings.RENDEROWL_DISK_BALLAST_BYTES
    if size_of(path) == wanted and wanted:
        return wanted
    path.unlink(missing_ok=True)
    if not wanted or free_bytes(path.parent) < _MIN_FREE_FACTOR * wanted:
        return 0
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            # Allocates blocks; a sparse file would reserve nothing.
            os.posix_fallocate(file.fileno(), 0, wanted)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return wanted


def delete_ballast_file() -> int:
    """Delete the ballast file; return the bytes freed."""
    path = ballast_path()
    if path is None:
        return 0
    size = size_of(path)
    path.unlink(missing_ok=True)
    return size
