"""Each index of assets serves its query, on both databases."""

from __future__ import annotations

import pytest
from django.db import connection

from accounts.models import User
from assets.models import Asset, AssetHold
from core.ids import uuid7

pytestmark = pytest.mark.django_db


@pytest.fixture
def many_assets():
    users = User.objects.bulk_create([User(username=f"user{number}") for number in range(100)])
    projects = [uuid7() for _ in range(40)]
    rows = [
        Asset(
            owner=users[number % 100],
            project_id=projects[number % 40] if number % 3 else None,
            kind=("video", "image", "audio", "font", "subtitle")[number // 100 % 5],
            name="x",
            status="ready",
            sha256=f"{number:064}",
            storage_key=f"assets/{number}",
        )
        for number in range(4000)
    ]
    Asset.objects.bulk_create(rows, batch_size=500)
    AssetHold.objects.bulk_create(
        [AssetHold(asset=row, reference=f"render:{number}", label="rnd") for number, row in enumerate(rows[:3000])],
        batch_size=500,
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE assets_asset")
        cursor.execute("ANALYZE assets_assethold")
        if connection.vendor == "postgresql":
            # In such a small table PostgreSQL prefers to sort an account's rows instead of reading them in order.
            cursor.execute("SET LOCAL enable_sort = off")
            cursor.execute("SET LOCAL enable_incremental_sort = off")
    return users, projects, rows


def test_each_index_serves_its_query(many_assets) -> None:
    users, projects, rows = many_assets
    mine = Asset.objects.for_owner(users[3])
    newest = ("-created_at", "-pk")
    plans = {
        "idx_assets_user_type": mine.filter(kind="video").order_by(*newest)[:26],
        "idx_assets_user_created": mine.order_by(*newest)[:26],
        "idx_assets_project": Asset.objects.filter(project_id=projects[7]).order_by(*newest)[:26],
        "idx_assets_user_sha256": mine.ready().filter(sha256=rows[103].sha256),
        "idx_assets_storage_key": Asset.objects.filter(storage_key="assets/1777"),
        "idx_assets_created": Asset.objects.order_by("-created_at")[:50],
        "idx_asset_holds_reference": AssetHold.objects.filter(reference="render:77"),
        # On SQLite the index of the constraint has another name.
        "uniq_asset_hold_reference"
        if connection.vendor == "postgresql"
        else "autoindex_assets_assethold_2": AssetHold.objects.filter(asset=rows[5]).values("label"),
    }
    for name, query in plans.items():
        plan = query.explain()
        assert name in plan, f"{name} is not used:\n{plan}"


def test_lists_read_only_their_page(many_assets) -> None:
    users, _, _ = many_assets
    plan = Asset.objects.for_owner(users[3]).filter(kind="video").order_by("-created_at", "-pk")[:26].explain()
    assert "Sort" not in plan
    assert "TEMP B-TREE" not in plan
