"""File storage in a bucket of S3 or of a compatible server."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from storages.backends.s3 import S3Storage

from files.storage.blobs import BlockReader


class BucketStorage(S3Storage):
    """A bucket. An object appears atomically when its upload ends, so no temporary name is needed."""

    def get_default_settings(self) -> dict[str, Any]:
        """Return the defaults of the backend: private objects, which it never renames."""
        defaults: dict[str, Any] = super().get_default_settings()
        return defaults | {"default_acl": None, "file_overwrite": True}

    def publish(self, source: Path, key: str, *, content_type: str) -> None:
        """Upload a file, in parts if it is large."""
        extra = {"ContentType": content_type}
        self.bucket.Object(self._full_name(key)).upload_file(str(source), ExtraArgs=extra)

    def read_range(self, key: str, start: int, length: int) -> BlockReader:
        """Return the bytes in blocks, fetched as they are read; raise FileNotFoundError."""
        if length == 0:
            return BlockReader(io.BytesIO(), 0)
        span = f"bytes={start}-{start + length - 1}"
        try:
            return BlockReader(self.bucket.Object(self._full_name(key)).get(Range=span)["Body"], length)
        except ClientError as error:
            raise _translated(error, key) from error

    def size(self, name: str) -> int:
        """Return the size in bytes, or raise FileNotFoundError."""
        try:
            return int(self.bucket.Object(self._full_name(name)).content_length)
        except ClientError as error:
            raise _translated(error, name) from error

    def local_path(self, key: str) -> Path | None:
        """Return None: the file is not on this machine."""
        return None

    def _full_name(self, key: str) -> str:
        name: str = self._normalize_name(key)
        return name


def _translated(error: ClientError, key: str) -> Exception:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return FileNotFoundError(key) if status == 404 else error
