"""Completion of imports: success or failure, once, in one transaction."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.db import transaction

from assets.events import AssetFailed, AssetReady
from assets.models import Asset, AssetStatus
from assets.staging import StagedFile, StorageKeys
from core.events import publish


def finish_import(*, asset_id: UUID, staged: StagedFile, keys: StorageKeys, complete: Callable[[], None]) -> bool:
    """Mark a pending asset as ready; return False if it was deleted or completed meanwhile.

    complete: completes the job in the same transaction; an exception rolls everything back.
    """
    with transaction.atomic():
        pending = Asset.objects.filter(pk=asset_id, status=AssetStatus.PENDING)
        done = pending.update(status=AssetStatus.READY, storage_key=keys.file, poster_key=keys.poster, **staged.columns)
        if done:
            _publish_ready(asset_id)
        complete()
    return bool(done)


def _publish_ready(asset_id: UUID) -> None:
    asset = Asset.objects.only("owner_id", "project_id", "kind", "size_bytes").get(pk=asset_id)
    publish(
        AssetReady(
            asset_id=asset_id,
            owner_id=asset.owner_id,
            project_id=asset.project_id,
            kind=asset.kind,
            size_bytes=asset.size_bytes or 0,
        )
    )


def fail_import(*, asset_id: UUID, code: str, detail: str, complete: Callable[[], None] = lambda: None) -> bool:
    """Mark a pending asset as failed; return False if it was deleted or completed meanwhile.

    code, detail: shown to the client. complete: as in `finish_import`.
    """
    with transaction.atomic():
        pending = Asset.objects.filter(pk=asset_id, status=AssetStatus.PENDING)
        done = pending.update(status=AssetStatus.FAILED, error={"code": code, "detail": detail})
        if done:
            owner_id = Asset.objects.values_list("owner_id", flat=True).get(pk=asset_id)
            publish(AssetFailed(asset_id=asset_id, owner_id=owner_id, code=code, detail=detail))
        complete()
    return bool(done)
