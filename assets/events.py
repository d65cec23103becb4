"""Events that assets publishes."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class AssetReady:
    """An asset became ready: edits can use it. kind: of media."""

    asset_id: UUID
    owner_id: UUID
    project_id: UUID | None = None
    kind: str = ""
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class AssetFailed:
    """An import failed. code, detail: as in the asset's `error`."""

    asset_id: UUID
    owner_id: UUID
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class AssetDeleted:
    """An asset was deleted. kind, size_bytes: of its file; empty and 0 if it had none."""

    asset_id: UUID
    owner_id: UUID
    project_id: UUID | None
    kind: str
    size_bytes: int
