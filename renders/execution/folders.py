"""Work folders: one for each attempt, removed when it ends."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from core.ids import decode_id
from renders.models import Render
from renders.states import RUNNING


def work_root() -> Path:
    """Return the parent of all work folders on this machine."""
    return Path(settings.DATA_DIR) / "work"


@contextmanager
def work_folder(render: Render) -> Iterator[Path]:
    """Create the folder of an attempt, after removing those that earlier attempts left on this machine."""
    root = work_root()
    for leftover in root.glob(f"{render.public_id}-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    folder = root / f"{render.public_id}-{render.attempt}"
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep_folders() -> int:
    """Remove the folders of attempts that no longer run; return how many.

    A killed worker leaves its folder behind; if another machine took over, only this removes it.
    """
    root = work_root()
    if not root.is_dir():
        return 0
    attempts = {folder: key for folder in root.iterdir() if (key := _attempt_of(folder)) is not None}
    rows = Render.objects.filter(pk__in={pk for pk, _ in attempts.values()}, status__in=RUNNING)
    running = set(rows.values_list("pk", "attempt"))
    stale = [folder for folder, key in attempts.items() if key not in running]
    for folder in stale:
        shutil.rmtree(folder, ignore_errors=True)
    return len(stale)


def _attempt_of(folder: Path) -> tuple[object, int] | None:
    """Return the render and attempt in a folder's name, None if it is not a work folder."""
    public_id, dash, attempt = folder.name.rpartition("-")
    if not dash or not attempt.isdigit():
        return None
    try:
        return decode_id(Render.ID_PREFIX, public_id), int(attempt)
    except ValueError:
        return None
