"""Deletion of assets and of files that no asset uses."""

from __future__ import annotations

from django.db import transaction

from assets.events import AssetDeleted
from assets.exceptions import AssetInUse
from assets.job_types import REMOVE_FILES_JOB
from assets.models import Asset, AssetHold
from core.events import publish
from core.exceptions import NotFound
from files.storage import blob_store
from jobs.services import enqueue


def delete_asset(*, asset: Asset) -> None:
    """Delete an asset; a job removes its file unless another asset shares it.

    Raises AssetInUse while there are holds, NotFound if the asset was already deleted.
    """
    with transaction.atomic():
        row = Asset.objects.select_for_update().filter(pk=asset.pk).first()
        if row is None:
            raise NotFound
        holders = list(AssetHold.objects.filter(asset=row).values_list("label", flat=True)[: AssetInUse.MAX_CONFLICTS])
        if holders:
            raise AssetInUse(holders)
        row.delete()
        publish(
            AssetDeleted(
                asset_id=asset.pk,
                owner_id=row.owner_id,
                project_id=row.project_id,
                kind=row.kind,
                size_bytes=row.size_bytes or 0,
            )
        )
        if row.storage_key:
            enqueue(
                type=REMOVE_FILES_JOB, payload={"file": row.storage_key, "poster": row.poster_key}, user_id=row.owner_id
            )


def remove_unused_files(*, file: str, poster: str) -> bool:
    """Delete a stored file and its poster unless an asset uses them; return whether they were deleted.

    No asset can start using them in between: sharing a file requires a lock on a row that uses it.
    """
    if Asset.objects.filter(storage_key=file).exists():
        return False
    for key in filter(None, (file, poster)):
        blob_store().delete(key)
    return True
