"""Backups by date in one folder, of which the old ones go."""

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
    """Make a backup named for the time, then delete those that are too many; return it, and what was deleted.

    Nothing is deleted unless the new one is whole. Other files of the folder are left alone.
    Raises BackupFailed.
    """
    name = f"renderowl-{now.astimezone(UTC).strftime(_TIME)}.backup"
    backup = back_up(target=folder / name, force=False, progress=progress)
    gone = expired_backups(list(folder.iterdir()), keep=keep, weeks=weeks)
    for path in gone:
        path.unlink(missing_ok=True)
    return backup, gone


def expired_backups(paths: list[Path], *, keep: int, weeks: int) -> list[Path]:
    """Return which of the backups to delete: neither among the `keep` newest nor the newest of one of the last `weeks`.

    Weeks are those of ISO 8601 that have a backup.
    """
    dated = sorted(((_moment(path), path) for path in paths if _NAME.match(path.name)), reverse=True)
    kept = {path for _, path in dated[:keep]}
    newest_of_week: dict[tuple[int, int], Path] = {}
    for moment, path in dated:
        year, week, _ = moment.isocalendar()
        newest_of_week.setdefault((year, week), path)
    kept |= set(list(newest_of_week.values())[:weeks])
    return [path for _, path in dated if path not in kept]


def _moment(path: Path) -> datetime:
    match = _NAME.match(path.name)
    assert match is not None
    return datetime.strptime(match[1], _TIME).replace(tzinfo=UTC)
