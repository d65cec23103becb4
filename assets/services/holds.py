"""Holds: prevent the deletion of assets in use."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from uuid import UUID

from django.db import transaction

from assets.exceptions import AssetMissing
from assets.models import Asset, AssetHold


def hold(*, asset_ids: Collection[UUID], reference: str, label: str) -> None:
    """Prevent the deletion of assets until `release_holds` with the same reference; idempotent.

    reference: opaque, e.g. `render:<uuid>`; label: public id of the holder, shown when a deletion is refused.
    Raises AssetMissing, and creates no holds, if an asset does not exist.
    """
    hold_for_many(asset_ids_by_holder={(reference, label): asset_ids})


def hold_for_many(*, asset_ids_by_holder: Mapping[tuple[str, str], Collection[UUID]]) -> None:
    """Create holds like `hold` for many (reference, label) pairs: all of them or none."""
    wanted = {asset_id for asset_ids in asset_ids_by_holder.values() for asset_id in asset_ids}
    if not wanted:
        return
    with transaction.atomic():
        # A deletion locks the row before it checks for holds: either it waits and sees this hold, or it was first
        # and the row is missing here. Ordered by key to avoid deadlocks.
        rows = Asset.objects.select_for_update(no_key=True).filter(pk__in=wanted).order_by("pk")
        missing = wanted - set(rows.values_list("pk", flat=True))
        if missing:
            raise AssetMissing(missing)
        AssetHold.objects.bulk_create(
            [
                AssetHold(asset_id=asset_id, reference=reference, label=label)
                for (reference, label), asset_ids in asset_ids_by_holder.items()
                for asset_id in sorted(set(asset_ids))
            ],
            ignore_conflicts=True,
        )


def release_holds(*, reference: str) -> int:
    """Delete all holds of a holder; return their number. Idempotent."""
    number, _ = AssetHold.objects.filter(reference=reference).delete()
    return number
