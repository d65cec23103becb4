"""Services of assets: every write to its tables."""

from assets.services.creation import AssetImport, create_from_upload, create_from_url, update_asset
from assets.services.deletion import delete_asset, remove_unused_files
from assets.services.holds import hold, hold_for_many, release_holds
from assets.services.importing import fail_import, finish_import

__all__ = [
    "AssetImport",
    "create_from_upload",
    "create_from_url",
    "delete_asset",
    "fail_import",
    "finish_import",
    "hold",
    "hold_for_many",
    "release_holds",
    "remove_unused_files",
    "update_asset",
]
