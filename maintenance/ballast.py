"""A file beside the database that is only there to be deleted: on a full disk even deleting rows needs space."""

from __future__ import annotations

import os
from pathlib import Path

from django.conf import settings

from core.database import database_file, free_bytes
from maintenance.stats import size_of

CHECK_INTERVAL_S = 60.0
# With less there is no telling whether the next write succeeds.
FULL_BYTES = 1024 * 1024
# Created only where so many times its size is free: it must not be what fills the disk.
_MIN_FREE_FACTOR = 3


def ballast_path() -> Path | None:
    """Return where the ballast lies; None where the database is no file of this machine."""
    path = database_file()
    return Path(f"{path}.ballast") if path else None


def ballast_bytes() -> int:
    """Return how much space the ballast holds, 0 without one."""
    path = ballast_path()
    return size_of(path) if path is not None else 0


def is_disk_full() -> bool:
    """Say whether the disk of the database is full."""
    path = database_file()
    return bool(path) and free_bytes(Path(path).parent) < FULL_BYTES


def create_ballast_file() -> int:
    """Make the file of DISK_BALLAST_BYTES, unless there is no room for it; return how much is there afterwards.

    Any number of processes may do this at once.
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
            # Space that is taken, where a hole in a file would only promise it.
            os.posix_fallocate(file.fileno(), 0, wanted)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return wanted


def delete_ballast_file() -> int:
    """Delete the file; return how much space that gave."""
    path = ballast_path()
    if path is None:
        return 0
    size = size_of(path)
    path.unlink(missing_ok=True)
    return size
