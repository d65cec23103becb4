"""The files of the product, wherever they lie."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, cast

from django.core.files.storage import default_storage

BLOCK_BYTES = 256 * 1024


class BlobStore(Protocol):
    """What both kinds of storage can do. Keys are relative paths with `/`; a key is written once."""

    def publish(self, source: Path, key: str, *, content_type: str) -> None:
        """Make a local file readable under a key, at once and as a whole; the file itself stays where it is."""

    def read_range(self, key: str, start: int, length: int) -> Iterator[bytes]:
        """Return the bytes in blocks; the first is at hand when this returns.

        Raises FileNotFoundError.
        """

    def size(self, name: str) -> int:
        """Return the size in bytes.

        Raises FileNotFoundError.
        """

    def exists(self, name: str) -> bool:
        """Return whether the key has a file."""

    def delete(self, name: str) -> None:
        """Remove a file; a missing one is no error."""

    def local_path(self, key: str) -> Path | None:
        """Return the file itself where it lies on this machine, for reading only; None elsewhere."""


def blob_store() -> BlobStore:
    """Return the storage that `STORAGE_URL` names."""
    return cast("BlobStore", default_storage)
