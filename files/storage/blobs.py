"""The files of the product, wherever they lie."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, Self, cast

from django.core.files.storage import default_storage

BLOCK_BYTES = 256 * 1024


class Readable(Protocol):
    """What a file and the body of an answer have in common."""

    def read(self, size: int, /) -> bytes:
        """Return at most so many bytes, none at the end."""

    def close(self) -> None:
        """Give up the file."""


class BlockReader:
    """The next `length` bytes of a file, in blocks.

    No generator: one that was never started does not run its cleanup, and a client may be gone before the first block.
    """

    def __init__(self, file: Readable, length: int) -> None:
        self._file = file
        self._left = length

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        block = self._file.read(min(self._left, BLOCK_BYTES)) if self._left > 0 else b""
        if not block:
            self.close()
            raise StopIteration
        self._left -= len(block)
        return block

    def close(self) -> None:
        """Close the file; safe to repeat."""
        self._left = 0
        self._file.close()


class BlobStore(Protocol):
    """What both kinds of storage can do. Keys are relative paths with `/`; a key is written once."""

    def publish(self, source: Path, key: str, *, content_type: str) -> None:
        """Make a local file readable under a key, at once and as a whole; the file itself stays where it is."""

    def read_range(self, key: str, start: int, length: int) -> BlockReader:
        """Return the bytes in blocks; whoever does not read them to the end closes them.

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
