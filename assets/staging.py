"""Staged files: local and probed, but not yet in the storage."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile

from assets.exceptions import UploadTooLarge
from assets.posters import make_poster
from core.ids import encode_id
from engine.media import MediaInfo
from files.cache import link_or_copy
from files.storage import blob_store

# Probe results shown to clients; `width` and `height` are after rotation.
PROBE_FIELDS = ("duration_s", "width", "height", "fps", "video_codec", "audio_codec", "has_alpha")
POSTER_TYPES = {"jpg": "image/jpeg", "png": "image/png"}


@dataclass(frozen=True, slots=True)
class StagedFile:
    """A probed local file. poster: path of its thumbnail, if its kind has one."""

    info: MediaInfo
    sha256: str
    poster: Path | None

    @property
    def columns(self) -> dict[str, Any]:
        """Return the columns of an asset that describe the file."""
        return {
            "kind": self.info.kind.value,
            "size_bytes": self.info.size_bytes,
            "sha256": self.sha256,
            "content_type": self.info.content_type,
            "probe": {name: getattr(self.info, name) for name in PROBE_FIELDS},
        }


@dataclass(frozen=True, slots=True)
class StorageKeys:
    """Storage keys of a file and its poster; `poster` is empty if there is none."""

    file: str
    poster: str


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Provide a temporary folder, on the file system of a local storage, so that files can be hard-linked into it."""
    root = settings.DATA_DIR / "tmp"
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="asset-", dir=root) as name:
        yield Path(name)


def write_upload(file: UploadedFile[Any], target: Path) -> str:
    """Write an upload to a local path and return its SHA-256; raise UploadTooLarge."""
    limit: int = settings.RENDEROWL_UPLOAD_LIMIT_BYTES
    if file.size is None or file.size > limit:
        raise UploadTooLarge(limit)
    if isinstance(file, TemporaryUploadedFile):
        # Large uploads have already been written to disk by Django.
        file.flush()
        link_or_copy(Path(file.temporary_file_path()), target)
    else:
        target.write_bytes(file.read())
    with target.open("rb") as written:
        return hashlib.file_digest(written, "sha256").hexdigest()


def stage_file(path: Path, sha256: str, probe: Any) -> StagedFile:
    """Probe a local file and make its poster; raise MediaUnreadable. probe: `probe_file` or a substitute for it."""
    info: MediaInfo = probe(path)
    return StagedFile(info, sha256, make_poster(info, path.parent))


def store_file(staged: StagedFile, asset_id: UUID, *, attempt: int = 1) -> StorageKeys:
    """Store a file and its poster, under keys that no other asset or attempt uses."""
    folder = f"assets/{encode_id('ast', asset_id)}/{attempt}"
    keys = StorageKeys(f"{folder}/{staged.sha256}", "")
    if staged.poster is not None:
        keys = StorageKeys(keys.file, f"{folder}/poster{staged.poster.suffix}")
        content_type = POSTER_TYPES[staged.poster.suffix.removeprefix(".")]
        blob_store().publish(staged.poster, keys.poster, content_type=content_type)
    blob_store().publish(staged.info.path, keys.file, content_type=staged.info.content_type)
    return keys


def delete_stored(keys: StorageKeys) -> None:
    """Delete stored files that no row uses."""
    for key in filter(None, (keys.file, keys.poster)):
        blob_store().delete(key)
