"""What the clock does for the database: a backup, care for the planner and the log, a search for damage, files that
no row names.

A job that fails is a dead letter at once, which the rule `DeadLetters` tells staff of; the next night tries again.
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
# Their hours lie apart, as each reads much of the disk.
BACK_UP_JOB = "maintenance.back_up"
OPTIMIZE_JOB = "maintenance.optimize_database"
CHECK_JOB = "maintenance.check_integrity"
FILES_JOB = "maintenance.delete_orphan_files"
_HOUR_S = 3600


@handler(BACK_UP_JOB, queue=QUEUE, max_attempts=1, timeout_s=4 * _HOUR_S, cron="17 2 * * *")
def back_up(context: JobContext) -> dict[str, Any]:
    """Back the database up into BACKUP_DIR, where there is one, and delete the oldest that are too many."""
    if not settings.RENDEROWL_BACKUP_DIR:
        return {"skipped": "BACKUP_DIR is not set"}
    try:
        backup, gone = back_up_into(
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
        "deleted": [path.name for path in gone],
    }


@handler(OPTIMIZE_JOB, queue=QUEUE, max_attempts=1, timeout_s=_HOUR_S, cron="17 3 * * *")
def optimize(context: JobContext) -> dict[str, Any]:
    """Do what keeps the database quick and holds nobody up."""
    return {"steps": [asdict(step) for step in optimize_database_online(connection=connection)]}


@handler(CHECK_JOB, queue=QUEUE, max_attempts=1, timeout_s=4 * _HOUR_S, cron="11 4 * * *")
def check(context: JobContext) -> dict[str, Any]:
    """Look for damage, and fail naming it."""
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
    """Delete stored files that no row names."""
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
