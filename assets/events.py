"""What this app publishes."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class AssetReady:
    """A file can be used by edits."""

    asset_id: UUID
    owner_id: UUID


@dataclass(frozen=True, slots=True)
class AssetFailed:
    """An import came to nothing. code, detail: as the asset's `error` says."""

    asset_id: UUID
    owner_id: UUID
    code: str
    detail: str
