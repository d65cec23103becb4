"""Creation of assets, by upload or from a URL."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction

from assets.events import AssetReady
from assets.exceptions import FileRefused
from assets.filenames import clean_filename, filename_from_url
from assets.job_types import IMPORT_JOB
from assets.models import Asset, AssetStatus
from assets.project_access import require_project
from assets.staging import (
    StagedFile,
    StorageKeys,
    delete_stored,
    stage_file,
    store_file,
    temporary_folder,
    write_upload,
)
from core.events import publish
from core.ids import uuid7
from engine.errors import MediaUnreadable
from engine.probe.client import probe_file
from jobs.services import enqueue
from outbound.exceptions import FetchRefused
from outbound.targets import check_url

BeforeCommit = Callable[[Asset], None]
UPDATABLE_FIELDS = frozenset({"name", "project_id"})


@dataclass(frozen=True, slots=True)
class AssetImport:
    """A requested import. name: by default from the URL."""

    url: str
    name: str = ""
    project_id: UUID | None = None


def create_from_upload(
    *,
    user: Any,
    file: UploadedFile[Any],
    name: str = "",
    project_id: UUID | None = None,
    before_commit: BeforeCommit = lambda _: None,
) -> Asset:
    """Store an uploaded file and return its asset, ready.

    name: by default that of the uploaded file. before_commit: called with the new row in its transaction; an exception
    rolls everything back.
    Raises UploadTooLarge, Unprocessable for a project of another user, and FileRefused for unsupported content.
    """
    require_project(user, project_id)
    with temporary_folder() as folder:
        path = folder / "file"
        sha256 = write_upload(file, path)
        try:
            staged = stage_file(path, sha256, probe_file)
        except MediaUnreadable as error:
            raise FileRefused(error.reason, str(error)) from error
        asset = Asset(
            owner=user,
            project_id=project_id,
            name=clean_filename(name or file.name or ""),
            status=AssetStatus.READY,
            **staged.columns,
        )
        return _save_ready(asset, staged, before_commit)


def _save_ready(asset: Asset, staged: StagedFile, before_commit: BeforeCommit) -> Asset:
    if _save_sharing(asset, before_commit):
        return asset
    keys = store_file(staged, asset.pk)
    try:
        _insert(asset, keys, before_commit)
    except BaseException:
        delete_stored(keys)
        raise
    return asset


def _save_sharing(asset: Asset, before_commit: BeforeCommit = lambda _: None) -> bool:
    """Insert the row with the file of a duplicate, if there is one; return whether it was inserted.

    The duplicate stays locked until the row is inserted, so `remove_unused_files` sees the new row.
    """
    with transaction.atomic():
        duplicates = Asset.objects.select_for_update().ready().filter(owner=asset.owner, sha256=asset.sha256)
        duplicate = duplicates.order_by("pk").first()
        if duplicate is None:
            return False
        _insert(asset, StorageKeys(duplicate.storage_key, duplicate.poster_key), before_commit)
        return True


def _insert(asset: Asset, keys: StorageKeys, before_commit: BeforeCommit) -> None:
    asset.storage_key, asset.poster_key = keys.file, keys.poster
    with transaction.atomic():
        asset.save(force_insert=True)
        publish(
            AssetReady(
                asset_id=asset.pk,
                owner_id=asset.owner_id,
                project_id=asset.project_id,
                kind=asset.kind,
                size_bytes=asset.size_bytes or 0,
            )
        )
        before_commit(asset)


def create_from_url(*, user: Any, request: AssetImport) -> Asset:
    """Create a pending asset and enqueue the job that fetches its file.

    Raises FileRefused for a URL that is not allowed, and Unprocessable for a project of another user.
    """
    require_project(user, request.project_id)
    try:
        check_url(request.url, allow_hosts=settings.RENDEROWL_FETCH_ALLOW_HOSTS)
    except FetchRefused as error:
        raise FileRefused(error.reason, error.detail, "/url") from error
    asset = Asset(
        id=uuid7(),
        owner=user,
        project_id=request.project_id,
        name=clean_filename(request.name) if request.name else filename_from_url(request.url),
        source_url=request.url,
    )
    with transaction.atomic():
        asset.save(force_insert=True)
        enqueue(type=IMPORT_JOB, payload={"asset": str(asset.pk)}, user_id=user.pk, reference=f"asset:{asset.pk}")
    return asset


def update_asset(*, asset: Asset, changes: Mapping[str, Any]) -> Asset:
    """Change the name or the project of an asset; raise Unprocessable for a project of another user."""
    assert changes.keys() <= UPDATABLE_FIELDS
    require_project(asset.owner, changes.get("project_id"))
    for field, value in changes.items():
        setattr(asset, field, clean_filename(value) if field == "name" else value)
    asset.save(update_fields=list(changes))
    return asset
