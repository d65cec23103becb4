"""Interface of the file storage, and its reader."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, Self, cast

from django.core.files.storage import default_storage

BLOCK_BYTES = 256 * 1024


class Readable(Protocol):
    """What a file and the body of an HTTP response have in common."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, none at the end."""

    def close(self) -> None:
        """Close the file or the connection."""


class BlockReader:
    """The next `length` bytes of a file, in blocks.

    Not a generator: one that was never started skips its cleanup, and a client may disconnect before the first block.
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
    """Interface of both kinds of storage. Keys are relative paths with `/`; a key is written once."""

    def publish(self, source: Path, key: str, *, content_type: str) -> None:
        """Make a local file readable under a key, atomically; the file itself stays in place."""

    def read_range(self, key: str, start: int, length: int) -> BlockReader:
        """Return the bytes in blocks, to be read to the end or closed; raise FileNotFoundError."""

    def size(self, name: str) -> int:
        """Return the size in bytes, or raise FileNotFoundError."""

    def exists(self, name: str) -> bool:
        """Return whether the key has a file."""

    def delete(self, name: str) -> None:
        """Delete a file; a missing one is no error."""

    def local_path(self, key: str) -> Path | None:
        """Return the path of the file, for reading only; None if it is not on this machine."""


def blob_store() -> BlobStore:
    """Return the storage that `STORAGE_URL` names."""
    return cast("BlobStore", default_storage)
