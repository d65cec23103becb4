"""Assets: holds against deletion."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.races.threads import at_once


def hold_against_delete() -> dict[str, Any]:
    """Hold and delete each of 25 assets concurrently."""
    from assets import services
    from assets.models import Asset, AssetHold
    from tests.factories import make_asset, make_user

    user = make_user()
    assets = [make_asset(user) for _ in range(50 // 2)]

    def work(index: int) -> str:
        asset = assets[index // 2]
        if index % 2:
            services.delete_asset(asset=Asset(pk=asset.pk))
            return "deleted"
        services.hold(asset_ids=[asset.pk], reference=f"render:{asset.pk}", label="rnd_x")
        return "held"

    outcomes = at_once(work)
    pairs = Counter(f"{held}, {deleted}" for held, deleted in zip(outcomes[::2], outcomes[1::2], strict=True))
    return {
        "pairs": dict(pairs),
        "rows": Asset.objects.filter(owner=user).count(),
        "holds": AssetHold.objects.filter(asset__owner=user).count(),
    }


def share_against_delete() -> dict[str, Any]:
    """Delete each of 25 files while a second upload shares it."""
    from assets import services
    from assets.models import Asset
    from assets.services.creation import _save_sharing
    from files.storage import blob_store
    from tests.factories import make_asset, make_user

    user = make_user()
    assets = [make_asset(user, content=f"film {user.pk} {number}".encode()) for number in range(50 // 2)]

    def work(index: int) -> str:
        old = assets[index // 2]
        if index % 2:
            services.delete_asset(asset=Asset(pk=old.pk))
            services.remove_unused_files(file=old.storage_key, poster="")
            return "deleted"
        new = Asset(owner=user, name="again", status="ready", sha256=old.sha256)
        return "shared" if _save_sharing(new) else "stored again"

    outcomes = Counter(at_once(work))
    left = list(Asset.objects.filter(owner=user).values_list("storage_key", flat=True))
    return {
        "deleted": outcomes["deleted"],
        "others": sorted(set(outcomes) - {"deleted", "shared", "stored again"}),
        "rows_match": len(left) == outcomes["shared"],
        "lost": sum(not blob_store().exists(key) for key in left),
        "leaked": sum(blob_store().exists(a.storage_key) for a in assets if a.storage_key not in left),
    }
