"""Delete assets, and files that nobody uses any more."""

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

    Raises AssetInUse while somebody holds it, NotFound if it is gone already.
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
                type=REMOVE_FILES_JOB,
                payload={"file": row.storage_key, "poster": row.poster_key},
                user_id=row.owner_id,
            )


def remove_unused_files(*, file: str, poster: str) -> bool:
    """Remove a stored file and its poster unless a row uses them; return whether they were removed.

    No row can come to use them in between: a new one shares a file only while it holds the lock of a row that does.
    """
    if Asset.objects.filter(storage_key=file).exists():
        return False
    for key in filter(None, (file, poster)):
        blob_store().delete(key)
    return True
