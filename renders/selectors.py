"""Reads that several callers want."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db.models import Q

from assets.models import Asset
from core.ids import decode_id
from engine.media import MediaInfo, MediaKind
from renders.models import Render
from renders.names import ASSET_SCHEME
from renders.states import RenderStatus

OUTPUT_TYPES = {
    "mp4": "video/mp4",
    "webm": "video/webm",
    "gif": "image/gif",
    "mp3": "audio/mpeg",
    "jpg": "image/jpeg",
    "png": "image/png",
    "bmp": "image/bmp",
}
MOST_POSITION = 1000


def asset_media(asset: Asset) -> MediaInfo:
    """Return what probing found out about an asset's file, without having the file here."""
    probe: dict[str, Any] = asset.probe or {}
    return MediaInfo(
        path=Path(asset.storage_key),
        kind=MediaKind(asset.kind),
        content_type=asset.content_type,
        size_bytes=asset.size_bytes or 0,
        width=probe.get("width"),
        height=probe.get("height"),
        duration_s=probe.get("duration_s"),
        fps=probe.get("fps"),
        video_codec=probe.get("video_codec"),
        audio_codec=probe.get("audio_codec"),
        has_alpha=bool(probe.get("has_alpha")),
    )


def find_assets(owner_id: UUID, urls: Iterable[str]) -> dict[str, Asset]:
    """Return the owner's assets that `asset:` URLs name, by URL; what is missing or somebody else's is left out."""
    ids: dict[str, UUID] = {}
    for url in urls:
        if url.startswith(ASSET_SCHEME):
            with suppress(ValueError):
                ids[url] = decode_id(Asset.ID_PREFIX, url.removeprefix(ASSET_SCHEME))
    if not ids:
        return {}
    rows = {row.pk: row for row in Asset.objects.filter(owner=owner_id, pk__in=set(ids.values()))}
    return {url: rows[pk] for url, pk in ids.items() if pk in rows}


def queue_position(render: Render) -> int | None:
    """Return the place of a waiting render among all that wait, from 1; None if it does not wait.

    Counts no further than 1000, so that a long queue costs a poll nothing.
    """
    if render.status != RenderStatus.QUEUED:
        return None
    ahead = Render.objects.filter(
        Q(priority__lt=render.priority) | Q(priority=render.priority, created_at__lt=render.created_at),
        status=RenderStatus.QUEUED,
    )
    return 1 + ahead.order_by()[: MOST_POSITION - 1].count()
