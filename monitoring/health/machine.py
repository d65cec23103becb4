"""Health checks of the machine: memory, disk, storage, FFmpeg and the rate limit store."""

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
_FFMPEG_TIMEOUT_S = 0.9


def status_if_low(value: float, warn_below: float, fail_below: float) -> HealthStatus:
    """Return FAIL or WARN for a value below the thresholds, else PASS."""
    if value < fail_below:
        return HealthStatus.FAIL
    return HealthStatus.WARN if value < warn_below else HealthStatus.PASS


@dataclass
class MemoryCheck(Check):
    """Checks the available memory. Mapped database pages do not count as used."""

    name: ClassVar[str] = "memory"

    def run(self) -> list[CheckObservation]:
        """Read the memory of this process and of the machine."""
        observations = [CheckObservation("anonymous", process_usage().memory_bytes, "bytes")]
        machine = machine_memory()
        total, available = machine["machine_bytes"], machine["available_bytes"]
        if total and available is not None:
            ratio = round(available / total, 4)
            status = status_if_low(ratio, MEMORY_WARN_RATIO, MEMORY_FAIL_RATIO)
            observations.append(CheckObservation("available", ratio, "ratio", status))
        return observations


@dataclass
class DiskCheck(Check):
    """Checks the free space on the disk of DATA_DIR."""

    name: ClassVar[str] = "disk"

    def run(self) -> list[CheckObservation]:
        """Read the disk usage, and the size of the ballast."""
        try:
            usage = shutil.disk_usage(settings.DATA_DIR)
        except OSError as error:
            raise ServiceUnavailable(f"DATA_DIR: {error}") from error
        status = status_if_low(usage.free, DISK_WARN_BYTES, DISK_FAIL_BYTES)
        return [
            CheckObservation("free", usage.free, "bytes", status),
            CheckObservation("total", usage.total, "bytes"),
            # `db_cleanup` can free this on a full disk.
            CheckObservation("ballast", ballast_bytes(), "bytes"),
        ]


@dataclass
class StorageCheck(Check):
    """Checks that files can be stored."""

    name: ClassVar[str] = "storage"

    def run(self) -> list[CheckObservation]:
        """Write a file on local storage; query a bucket."""
        try:
            if isinstance(default_storage, FileSystemStorage):
                write_and_remove(Path(default_storage.location))
            else:
                default_storage.exists("health")
        except (OSError, BotoCoreError, ClientError) as error:
            raise ServiceUnavailable(f"{type(error).__name__}: {error}") from error
        return []


def write_and_remove(folder: Path) -> None:
    """Write a small file and delete it. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    # Named like an unfinished file, so that housekeeping deletes it if the process is killed.
    path = folder / f".{uuid4().hex}.part"
    try:
        path.write_bytes(b"health")
    finally:
        path.unlink(missing_ok=True)


@dataclass
class FfmpegCheck(Check):
    """Checks that FFmpeg runs. It is started once, and again when its file changes."""

    name: ClassVar[str] = "ffmpeg"
    verified: tuple[str, int] | None = field(default=None, repr=False)

    def run(self) -> list[CheckObservation]:
        """Run `ffmpeg -version`, unless this file has passed before."""
        try:
            path = ffmpeg_path()
            state = (str(path), path.stat().st_mtime_ns)
            if not os.access(path, os.X_OK):
                raise ServiceUnavailable("FFmpeg is not executable")
            if state != self.verified:
                subprocess.run([path, "-version"], capture_output=True, check=True, timeout=_FFMPEG_TIMEOUT_S)
        except (OSError, RenderError, subprocess.SubprocessError) as error:
            raise ServiceUnavailable(f"{type(error).__name__}: {error}") from error
        self.verified = state
        return []


@dataclass
class CacheCheck(Check):
    """Checks that the rate limit store responds. While it does not, requests are not limited."""

    name: ClassVar[str] = "cache"

    def run(self) -> list[CheckObservation]:
        """Probe the store; pass if rate limits are off."""
        rate_limiter = limiter()
        if rate_limiter is None:
            return []
        try:
            rate_limiter.probe()
        except LimitStoreUnavailable as error:
            raise ServiceUnavailable(f"{type(error).__name__}: {error}") from error
        return []
