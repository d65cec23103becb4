"""File storage in a local directory."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.core.files.base import File
from django.core.files.storage import FileSystemStorage

from files.cache import link_or_copy
from files.storage.blobs import BlockReader


class LocalStorage(FileSystemStorage):
    """A directory in which files appear atomically."""

    def publish(self, source: Path, key: str, *, content_type: str) -> None:
        """Link or copy a file into place. The source must not be written to afterwards."""
        target = Path(self.path(key))
        temporary = self._temporary_beside(target)
        try:
            link_or_copy(source, temporary)
            self._sync_and_rename(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)

    def _save(self, name: str, content: File[Any]) -> str:
        """Save what Django's own callers write, also under a temporary name first."""
        target = Path(self.path(name))
        temporary = self._temporary_beside(target)
        try:
            with temporary.open("wb") as file:
                for chunk in content.chunks():
                    file.write(chunk)
            self._sync_and_rename(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
        return name.replace("\\", "/")

    def _temporary_beside(self, target: Path) -> Path:
        target.parent.mkdir(parents=True, exist_ok=True)
        return target.with_name(f".{uuid4().hex}.part")

    def _sync_and_rename(self, temporary: Path, target: Path) -> None:
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(target)
        # Makes the rename durable.
        directory = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def read_range(self, key: str, start: int, length: int) -> BlockReader:
        """Return the bytes in blocks; raise FileNotFoundError."""
        file = Path(self.path(key)).open("rb")  # noqa: SIM115 - the blocks close it
        file.seek(start)
        return BlockReader(file, length)

    def delete(self, name: str) -> None:
        """Delete a file, and the directories that it leaves empty."""
        path = Path(self.path(name))
        path.unlink(missing_ok=True)
        root = Path(self.location)
        parent = path.parent
        while parent != root and root in parent.parents:
            try:
                parent.rmdir()
            except OSError:
                return
            parent = parent.parent

    def local_path(self, key: str) -> Path | None:
        """Return the path of the file."""
        return Path(self.path(key))
