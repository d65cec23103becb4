"""Removal of temporary files left by killed processes."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path


def delete_old_files(folder: Path, *, before: float) -> int:
    """Delete the entries of a folder not modified since `before` (Unix seconds); return their number."""
    if not folder.is_dir():
        return 0
    deleted = 0
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):
            if path.lstat().st_mtime >= before:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
            deleted += 1
    return deleted
