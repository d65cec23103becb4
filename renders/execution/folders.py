"""The folders in which attempts work. One attempt, one folder; it is removed whatever happens."""

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
    """Return the folder of all work folders of this machine."""
    return Path(settings.DATA_DIR) / "work"


@contextmanager
def work_folder(render: Render) -> Iterator[Path]:
    """Give an attempt its empty folder, after removing what earlier attempts at the render left on this machine."""
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

    A killed worker leaves its folder; where another machine took the render over, nothing else removes it.
    """
    root = work_root()
    if not root.is_dir():
        return 0
    folders = [folder for folder in root.iterdir() if _attempt_of(folder) is not None]
    named = {folder: _attempt_of(folder) for folder in folders}
    running = set(
        Render.objects.filter(pk__in={key[0] for key in named.values() if key}, status__in=RUNNING).values_list(
            "pk", "attempt"
        )
    )
    stale = [folder for folder, key in named.items() if key not in running]
    for folder in stale:
        shutil.rmtree(folder, ignore_errors=True)
    return len(stale)


def _attempt_of(folder: Path) -> tuple[object, int] | None:
    """Return the render and attempt of a folder's name, None for what is no work folder."""
    public_id, dash, attempt = folder.name.rpartition("-")
    if not dash or not attempt.isdigit():
        return None
    try:
        return decode_id(Render.ID_PREFIX, public_id), int(attempt)
    except ValueError:
        return None
