"""Local copies of the files of assets."""

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
    """Return this machine's cache of files that lie in a bucket."""
    return FileCache(settings.DATA_DIR / "cache" / "assets", settings.RENDEROWL_FILE_CACHE_BYTES)


def fetch_cache() -> FetchCache:
    """Return this machine's cache of files that edits name by URL."""
    return FetchCache(settings.DATA_DIR / "cache" / "fetched", settings.RENDEROWL_FILE_CACHE_BYTES)


def copy_to_folder(asset: Asset, folder: Path) -> Path:
    """Put an asset's file into a folder of the caller's and return its path there; read-only.

    A link where the storage is a directory of this file system; else a copy, through the cache from a bucket.
    Raises AssetNotReady, FileNotFoundError if the storage lost the file, and OSError if it does not answer.
    """
    if not asset.is_ready:
        raise AssetNotReady
    target = folder / f"{asset.public_id}-{asset.sha256[:16]}"
    if target.exists():
        return target
    here = blob_store().local_path(asset.storage_key)
    if here is not None:
        return link_or_copy(here, target)
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
            raise OSError(f"{asset.public_id} arrived damaged from the storage")
        incoming.replace(target)
    finally:
        incoming.unlink(missing_ok=True)
