"""Nightly jobs: backup, optimization, deletion of orphan files, integrity checks. Also the ballast's periodic task.

A job that fails becomes a dead letter at once, for which the rule `DeadLetters` alerts; the next night tries again.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from jobs.context import JobContext
from jobs.exceptions import PermanentFailure
from jobs.registry import PeriodicTask, handler, periodic_tasks
from maintenance import ballast
from maintenance.backup import BackupFailed
from maintenance.backup_rotation import back_up_into
from maintenance.files import orphan_files, remove_file
from maintenance.integrity import check_integrity
from maintenance.optimize import optimize_database_online

QUEUE = "maintenance"
# Their schedules are staggered: each job reads much of the disk.
BACK_UP_JOB = "maintenance.back_up"
OPTIMIZE_JOB = "maintenance.optimize_database"
CHECK_JOB = "maintenance.check_integrity"
FILES_JOB = "maintenance.delete_orphan_files"
_HOUR_S = 3600


@handler(BACK_UP_JOB, queue=QUEUE, max_attempts=1, timeout_s=4 * _HOUR_S, cron="17 2 * * *")
def back_up(context: JobContext) -> dict[str, Any]:
    """Back up the database into BACKUP_DIR, if that is set, and delete expired backups."""
    if not settings.RENDEROWL_BACKUP_DIR:
        return {"skipped": "BACKUP_DIR is not set"}
    try:
        backup, expired = back_up_into(
            folder=Path(settings.RENDEROWL_BACKUP_DIR),
            keep=settings.RENDEROWL_BACKUP_KEEP,
            weeks=settings.RENDEROWL_BACKUP_KEEP_WEEKS,
            now=timezone.now(),
            progress=lambda done, total: context.check(),
        )
    except BackupFailed as error:
        raise PermanentFailure("backup_failed", str(error)) from error
    return {
        "path": str(backup.path),
        "size_bytes": backup.size_bytes,
        "sha256": backup.sha256,
        "rows": sum(backup.rows.values()),
        "deleted": [path.name for path in expired],
    }


@handler(OPTIMIZE_JOB, queue=QUEUE, max_attempts=1, timeout_s=_HOUR_S, cron="17 3 * * *")
def optimize(context: JobContext) -> dict[str, Any]:
    """Optimize the database without blocking writers."""
    return {"steps": [asdict(step) for step in optimize_database_online(connection=connection)]}


@handler(CHECK_JOB, queue=QUEUE, max_attempts=1, timeout_s=4 * _HOUR_S, cron="11 4 * * *")
def check(context: JobContext) -> dict[str, Any]:
    """Run all integrity checks; fail with the damage found."""
    findings = []
    for finding in check_integrity():
        findings.append(finding)
        context.check()
    damaged = [f"{finding.check}: {'; '.join(finding.faults[:5])}" for finding in findings if not finding.ok]
    if damaged:
        raise PermanentFailure("database_damaged", " | ".join(damaged))
    return {finding.check: "ok" if not finding.faults else f"{len(finding.faults)} listed" for finding in findings}


@handler(FILES_JOB, queue=QUEUE, max_attempts=1, timeout_s=_HOUR_S, cron="41 3 * * *")
def delete_orphan_files(context: JobContext) -> dict[str, Any]:
    """Delete old stored files that no row refers to."""
    files = size_bytes = 0
    for file in orphan_files(timezone.now()):
        remove_file(file)
        files += 1
        size_bytes += file.size_bytes
        context.check()
    return {"files": files, "bytes": size_bytes}


periodic_tasks.register(
    PeriodicTask("ballast", lambda worker: ballast.create_ballast_file(), every_s=lambda: ballast.CHECK_INTERVAL_S)
)
