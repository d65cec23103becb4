"""Errors of assets.

DomainError
├── AssetInUse           409  active renders hold the asset
├── AssetMissing         422  an asset does not exist or was deleted
├── AssetNotReady        409  the import is pending or failed
├── UploadTooLarge       413
└── Unprocessable
    └── FileRefused      422  the content is not a supported media file
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from core.exceptions import DomainError, InvalidState, Unprocessable
from core.ids import encode_id


class AssetInUse(DomainError):
    """The asset is in use by active renders."""

    code = "asset_in_use"
    status = 409
    MAX_CONFLICTS = 20

    def __init__(self, conflicts: Iterable[str]) -> None:
        """conflicts: the labels of the holders; at most 20 are reported."""
        super().__init__(conflicts=sorted(conflicts)[: self.MAX_CONFLICTS])


class AssetMissing(DomainError):
    """The asset does not exist."""

    code = "validation_error"
    status = 422

    def __init__(self, asset_ids: Iterable[UUID]) -> None:
        """asset_ids: of the missing assets."""
        self.asset_ids = frozenset(asset_ids)
        names = ", ".join(sorted(encode_id("ast", asset_id) for asset_id in self.asset_ids))
        super().__init__(f"There is no asset {names}.")


class AssetNotReady(InvalidState):
    """The asset has no file yet."""


class UploadTooLarge(DomainError):
    """The file exceeds the upload limit."""

    code = "payload_too_large"
    status = 413

    def __init__(self, limit_bytes: int) -> None:
        """limit_bytes: the largest size allowed."""
        super().__init__(limit_bytes=limit_bytes)


class FileRefused(Unprocessable):
    """The file cannot be used."""

    def __init__(self, reason: str, detail: str, pointer: str = "/file") -> None:
        """reason: stable snake_case code; pointer: JSON pointer to the member at fault."""
        self.reason = reason
        super().__init__([{"pointer": pointer, "code": reason, "detail": detail}], detail)
