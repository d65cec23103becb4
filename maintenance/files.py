"""Storage consistency: orphan files, which no row refers to, and rows whose files are missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.files.storage import default_storage
from django.db.models import QuerySet

from assets.models import Asset
from core.ids import decode_id
from files.storage import blob_store
from renders.models import Render
from renders.states import ACTIVE, RenderStatus

_BATCH_SIZE = 500
# Uploads, imports and renders store a file before its row; none of them takes a day.
MIN_ORPHAN_AGE = timedelta(days=1)
_KEYS = ("output_key", "poster_key", "thumbnail_key")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file in the blob storage, by its key."""

    key: str
    size_bytes: int


def orphan_files(now: datetime) -> Iterator[StoredFile]:
    """Yield the stored files that no row refers to and that are older than MIN_ORPHAN_AGE."""
    asset_keys = _asset_keys()
    for key in walk("assets"):
        if key not in asset_keys and (found := _if_old(key, now)):
            yield found
    for folders in _batches(_list("renders")[0]):
        referenced = _render_keys(folders)
        for folder in folders:
            keep = referenced.get(folder, frozenset())
            # None: the render is active and its files still change.
            if keep is None:
                continue
            for key in walk(f"renders/{folder}"):
                if key not in keep and (found := _if_old(key, now)):
                    yield found


def missing_files() -> Iterator[str]:
    """Yield a line for each ready asset and each render output whose file is missing."""
    exists = _existence_check()
    assets = Asset.objects.ready().values_list("pk", "storage_key")
    for pk, key in assets.iterator():
        # The second query excludes an asset deleted since its row was read.
        if not exists(key) and Asset.objects.filter(pk=pk, storage_key=key).exists():
            yield f"asset {pk}: {key}"
    outputs = Render.objects.filter(status=RenderStatus.SUCCEEDED, output_deleted_at=None)
    for pk, *keys in outputs.order_by().values_list("pk", *_KEYS).iterator():
        for key in filter(None, keys):
            if not exists(key) and outputs.filter(pk=pk).exists():
                yield f"render {pk}: {key}"


def remove_file(file: StoredFile) -> None:
    """Delete an orphan file from the storage."""
    blob_store().delete(file.key)


def walk(folder: str) -> Iterator[str]:
    """Yield the keys of all files below a storage folder, recursively."""
    folders, files = _list(folder)
    for name in files:
        yield f"{folder}/{name}"
    for name in folders:
        yield from walk(f"{folder}/{name}")


def _existence_check() -> Callable[[str], bool]:
    """Return a check whether a key exists: per file on local storage, against one listing on remote storage."""
    store = blob_store()
    if store.local_path("assets") is not None:
        return store.exists
    stored = {*walk("assets"), *walk("renders")}
    return lambda key: key in stored


def _list(folder: str) -> tuple[list[str], list[str]]:
    try:
        folders, files = default_storage.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return [], []
    return folders, files


def _if_old(key: str, now: datetime) -> StoredFile | None:
    try:
        if default_storage.get_modified_time(key) > now - MIN_ORPHAN_AGE:
            return None
        return StoredFile(key, blob_store().size(key))
    except FileNotFoundError:
        return None  # deleted meanwhile


def _asset_keys() -> frozenset[str]:
    rows = Asset.objects.order_by().values_list("storage_key", "poster_key")
    return frozenset(key for keys in rows.iterator() for key in keys if key)


def _render_keys(folders: Iterable[str]) -> dict[str, frozenset[str] | None]:
    """Return the keys that renders refer to, by folder; None for an active render."""
    ids = {render_id: folder for folder in folders if (render_id := _render_id(folder)) is not None}
    rows: QuerySet[Any, dict[str, Any]] = Render.objects.filter(pk__in=ids).values(
        "pk", "status", "output_deleted_at", *_KEYS
    )
    referenced: dict[str, frozenset[str] | None] = {}
    for row in rows:
        if row["status"] in ACTIVE:
            referenced[ids[row["pk"]]] = None
        elif row["output_deleted_at"] is None:
            referenced[ids[row["pk"]]] = frozenset(row[name] for name in _KEYS if row[name])
    return referenced


def _render_id(folder: str) -> UUID | None:
    try:
        return decode_id(Render.ID_PREFIX, folder)
    except ValueError:
        return None


def _batches(names: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(names), _BATCH_SIZE):
        yield names[start : start + _BATCH_SIZE]
