"""The checks of what the installation stands on: memory, disk, storage, FFmpeg, the shared cache."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.files.storage import FileSystemStorage, default_storage
from health_check.exceptions import ServiceUnavailable

from api.ratelimit.limiter import limiter
from api.ratelimit.store import LimitStoreUnavailable
from engine.errors import RenderError
from engine.run.binary import ffmpeg_path
from maintenance.ballast import ballast_bytes
from monitoring.health.base import Check, CheckObservation, HealthStatus
from monitoring.performance.process import process_usage
from monitoring.performance.system import machine_memory

GIB = 1024**3
DISK_WARN_BYTES, DISK_FAIL_BYTES = 2 * GIB, GIB // 4
MEMORY_WARN_RATIO, MEMORY_FAIL_RATIO = 0.1, 0.03
_FFMPEG_S = 0.9


def status_if_low(value: float, warn_below: float, fail_below: float) -> HealthStatus:
    """Return the status of something of which there should be enough."""
    if value < fail_below:
        return HealthStatus.FAIL
    return HealthStatus.WARN if value < warn_below else HealthStatus.PASS


@dataclass
class MemoryCheck(Check):
    """Is there memory left? Mapped pages of the database are no use of memory, and are not counted as such."""

    name: ClassVar[str] = "memory"

    def run(self) -> list[CheckObservation]:
        """Read what this process uses and what the machine has."""
        seen = [CheckObservation("anonymous", process_usage().memory_bytes, "bytes")]
        machine = machine_memory()
        total, available = machine["machine_bytes"], machine["available_bytes"]
        if total and available is not None:
            ratio = round(available / total, 4)
            seen.append(
                CheckObservation(
                    "available", ratio, "ratio", status_if_low(ratio, MEMORY_WARN_RATIO, MEMORY_FAIL_RATIO)
                )
            )
        return seen


@dataclass
class DiskCheck(Check):
    """Is there room for work folders and files?"""

    name: ClassVar[str] = "disk"

    def run(self) -> list[CheckObservation]:
        """Ask the file system of the data folder."""
        try:
            found = shutil.disk_usage(settings.DATA_DIR)
        except OSError as error:
            raise ServiceUnavailable(f"the data folder: {error}") from error
        free = CheckObservation(
            "free", found.free, "bytes", status_if_low(found.free, DISK_WARN_BYTES, DISK_FAIL_BYTES)
        )
        return [
            free,
            CheckObservation("total", found.total, "bytes"),
            # What `db_cleanup` can still free on a full disk.
            CheckObservation("ballast", ballast_bytes(), "bytes"),
        ]


@dataclass
class StorageCheck(Check):
    """Can files be stored?"""

    name: ClassVar[str] = "storage"

    def run(self) -> list[CheckObservation]:
        """Write a file where it is a folder of ours, else ask the bucket."""
        try:
            if isinstance(default_storage, FileSystemStorage):
                write_and_remove(Path(default_storage.location))
            else:
                default_storage.exists("health")
        except (OSError, BotoCoreError, ClientError) as error:
            raise ServiceUnavailable(f"{type(error).__name__}: {error}") from error
        return []


def write_and_remove(folder: Path) -> None:
    """Write a small file and take it away again.

    Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Named like an unfinished file, so that housekeeping removes what a killed process leaves.
    path = folder / f".{uuid4().hex}.part"
    try:
        path.write_bytes(b"health")
    finally:
        path.unlink(missing_ok=True)


@dataclass
class FfmpegCheck(Check):
    """Does FFmpeg run? The program is started once, and again when its file changes."""

    name: ClassVar[str] = "ffmpeg"
    proven: tuple[str, int] | None = field(default=None, repr=False)

    def run(self) -> list[CheckObservation]:
        """Ask the program for its version."""
        try:
            path = ffmpeg_path()
            state = (str(path), path.stat().st_mtime_ns)
            if not os.access(path, os.X_OK):
                raise ServiceUnavailable("FFmpeg may not be executed")
            if state != self.proven:
                subprocess.run([path, "-version"], capture_output=True, check=True, timeout=_FFMPEG_S)
        except (OSError, RenderError, subprocess.SubprocessError) as error:
            raise ServiceUnavailable(f"{type(error).__name__}: {error}") from error
        self.proven = state
        return []


@dataclass
class CacheCheck(Check):
    """Does the store of the rate limits answer? While it does not, requests pass unlimited."""

    name: ClassVar[str] = "cache"

    def run(self) -> list[CheckObservation]:
        """Ask it for something that nobody has."""
        found = limiter()
        if found is None:
            return []
        try:
            found.probe()
        except LimitStoreUnavailable as error:
            raise ServiceUnavailable(f"{type(error).__name__}: {error}") from error
        return []
