"""What this app publishes."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class AssetReady:
    """A file can be used by edits. kind: of media."""

    asset_id: UUID
    owner_id: UUID
    project_id: UUID | None = None
    kind: str = ""
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class AssetFailed:
    """An import came to nothing. code, detail: as the asset's `error` says."""

    asset_id: UUID
    owner_id: UUID
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class AssetDeleted:
    """An asset is gone. kind, size_bytes: of its file; empty and 0 where there was none yet."""

    asset_id: UUID
    owner_id: UUID
    project_id: UUID | None
    kind: str
    size_bytes: int
