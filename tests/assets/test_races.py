"""Concurrent holds, shared uploads and deletions: exactly one wins, and no file is lost or leaked."""

import pytest

from tests.races.fixtures import race  # noqa: F401 - a fixture

pytestmark = pytest.mark.acceptance


def test_an_asset_is_either_held_or_deleted(race):  # noqa: F811
    state = race("assets.hold_against_delete")
    held, deleted = state["pairs"].get("held, AssetInUse", 0), state["pairs"].get("AssetMissing, deleted", 0)
    assert held + deleted == 25, state
    assert (state["rows"], state["holds"]) == (held, held)


def test_a_shared_file_is_neither_lost_nor_leaked(race):  # noqa: F811
    state = race("assets.share_against_delete")
    assert state == {"deleted": 25, "others": [], "rows_match": True, "lost": 0, "leaked": 0}
