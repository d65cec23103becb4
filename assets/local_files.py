"""Local copies of the files of assets, for workers."""

from __future__ import annotations

import hashlib
from pathlib import Path
from uuid import uuid4

from django.conf import settings

from assets.exceptions import AssetNotReady
from assets.fetch_cache import FetchCache
from assets.models import Asset
from files.cache import FileCache, link_or_copy
from files.storage import blob_store


def file_cache() -> FileCache:
    """Return this machine's cache of files from remote storage."""
    return FileCache(settings.DATA_DIR / "cache" / "assets", settings.RENDEROWL_FILE_CACHE_BYTES)


def fetch_cache() -> FetchCache:
    """Return this machine's cache of files that edits refer to by URL."""
    return FetchCache(settings.DATA_DIR / "cache" / "fetched", settings.RENDEROWL_FILE_CACHE_BYTES)


def copy_to_folder(asset: Asset, folder: Path) -> Path:
    """Provide an asset's file in a folder and return its path there; the file is read-only.

    A hard link if the storage is on the same file system, else a copy; from remote storage through the cache.
    Raises AssetNotReady, FileNotFoundError if the storage has no such file, OSError if the storage fails.
    """
    if not asset.is_ready:
        raise AssetNotReady
    target = folder / f"{asset.public_id}-{asset.sha256[:16]}"
    if target.exists():
        return target
    local = blob_store().local_path(asset.storage_key)
    if local is not None:
        return link_or_copy(local, target)
    cache = file_cache()
    if not cache.take(asset.sha256, target):
        _download(asset, target)
        cache.add(target, asset.sha256)
    return target


def _download(asset: Asset, target: Path) -> None:
    digest = hashlib.sha256()
    incoming = target.with_name(f".{uuid4().hex}.part")
    try:
        with incoming.open("wb") as file:
            for block in blob_store().read_range(asset.storage_key, 0, asset.size_bytes or 0):
                digest.update(block)
                file.write(block)
        if digest.hexdigest() != asset.sha256:
            raise OSError(f"the storage returned a damaged file of {asset.public_id}")
        incoming.replace(target)
    finally:
        incoming.unlink(missing_ok=True)
