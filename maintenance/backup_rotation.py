"""Backup rotation: dated backups in one directory, and the deletion of old ones."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from maintenance.backup import Backup, back_up

_NAME = re.compile(r"^renderowl-(\d{8}T\d{6}Z)\.backup$")
_TIME = "%Y%m%dT%H%M%SZ"


def back_up_into(
    *,
    folder: Path,
    keep: int,
    weeks: int,
    now: datetime,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Backup, list[Path]]:
    """Make a backup named after `now`, then delete expired ones; return the backup and the deleted paths.

    Raises BackupFailed, before anything is deleted. Other files in the folder are left alone.
    """
    name = f"renderowl-{now.astimezone(UTC).strftime(_TIME)}.backup"
    backup = back_up(target=folder / name, force=False, progress=progress)
    expired = expired_backups(list(folder.iterdir()), keep=keep, weeks=weeks)
    for path in expired:
        path.unlink(missing_ok=True)
    return backup, expired


def expired_backups(paths: list[Path], *, keep: int, weeks: int) -> list[Path]:
    """Return the backups to delete: all but the `keep` newest and the newest of each of the last `weeks` weeks.

    Weeks are ISO 8601 weeks; those without a backup do not count.
    """
    dated = sorted(((_backup_time(path), path) for path in paths if _NAME.match(path.name)), reverse=True)
    kept = {path for _, path in dated[:keep]}
    newest_of_week: dict[tuple[int, int], Path] = {}
    for taken_at, path in dated:
        year, week, _ = taken_at.isocalendar()
        newest_of_week.setdefault((year, week), path)
    kept |= set(list(newest_of_week.values())[:weeks])
    return [path for _, path in dated if path not in kept]


def _backup_time(path: Path) -> datetime:
    match = _NAME.match(path.name)
    assert match is not None
    return datetime.strptime(match[1], _TIME).replace(tzinfo=UTC)
