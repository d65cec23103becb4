"""Reads that several callers want."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.db.models import Q

from assets.models import Asset
from engine.media import MediaInfo, MediaKind
from renders.models import Render
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
