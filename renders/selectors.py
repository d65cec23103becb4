"""Queries of renders, batches, projects and assets."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Count, Q, Sum

from assets.models import Asset
from core.ids import decode_id
from engine.media import MediaInfo, MediaKind
from renders.models import INTERNAL_COLUMNS, LARGE_COLUMNS, Batch, Project, Render
from renders.sources import ASSET_SCHEME
from renders.states import RUNNING, TERMINAL, BatchStatus, RenderStatus

OUTPUT_TYPES = {
    "mp4": "video/mp4",
    "webm": "video/webm",
    "gif": "image/gif",
    "mp3": "audio/mpeg",
    "jpg": "image/jpeg",
    "png": "image/png",
    "bmp": "image/bmp",
}
MAX_POSITION = 1000


def owns_project(user: Any, project_id: UUID) -> bool:
    """Return whether the user owns a project of this id."""
    return Project.objects.for_owner(user).filter(pk=project_id).exists()


def asset_media(asset: Asset) -> MediaInfo:
    """Return the stored probe of an asset as media info. Its `path` is the storage key, not a local file."""
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
    """Return the assets that `asset:` URLs name, by URL; missing ones and those of other accounts are left out."""
    ids: dict[str, UUID] = {}
    for url in urls:
        if url.startswith(ASSET_SCHEME):
            with suppress(ValueError):
                ids[url] = decode_id(Asset.ID_PREFIX, url.removeprefix(ASSET_SCHEME))
    if not ids:
        return {}
    rows = {row.pk: row for row in Asset.objects.filter(owner=owner_id, pk__in=set(ids.values()))}
    return {url: rows[pk] for url, pk in ids.items() if pk in rows}


def find_render(owner_id: UUID, public_id: str) -> Render | None:
    """Return a render of the account with the columns that the API shows, None if there is none.

    Raw SQL, because clients poll it: Django takes longer to compile this query than the database to run it.
    """
    try:
        pk = decode_id(Render.ID_PREFIX, public_id)
    except ValueError:
        return None
    hidden = {*LARGE_COLUMNS, *INTERNAL_COLUMNS}
    columns = ", ".join(str(field.column) for field in Render._meta.concrete_fields if field.attname not in hidden)
    query = f"SELECT {columns} FROM {Render._meta.db_table} WHERE id = %s AND owner_id = %s"  # noqa: S608 - our own names
    parameters = [Render._meta.pk.get_db_prep_value(key, connection) for key in (pk, owner_id)]
    return next(iter(Render.objects.raw(query, parameters)), None)


def queue_position(render: Render) -> int | None:
    """Return the position of a queued render in the queue, from 1; None in any other status.

    Counts to 1,000 at most, so that polling stays cheap while the queue is long.
    """
    if render.status != RenderStatus.QUEUED:
        return None
    ahead = Render.objects.filter(
        Q(priority__lt=render.priority) | Q(priority=render.priority, created_at__lt=render.created_at),
        status=RenderStatus.QUEUED,
    )
    return 1 + ahead.order_by()[: MAX_POSITION - 1].count()


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """Progress of a batch. counts: its renders by status. percent: of the whole batch, 0 to 100."""

    counts: dict[str, int]
    percent: float


def batch_progress(batches: Iterable[Batch]) -> dict[UUID, BatchProgress]:
    """Return the progress of batches by id. Takes two queries, none if all are completed."""
    rows = list(batches)
    active = [batch.pk for batch in rows if batch.status != BatchStatus.COMPLETED]
    counted: dict[UUID, dict[str, int]] = {pk: {} for pk in active}
    percents: dict[UUID, float] = {}
    if active:
        # Only columns of idx_renders_batch_status, for an index-only scan: the rows are long.
        found = Render.objects.filter(batch__in=active).order_by().values_list("batch_id", "status")
        for pk, status, number in found.annotate(number=Count("pk")):
            counted[pk][status] = number
        running = Render.objects.filter(batch__in=active, status__in=RUNNING).order_by().values_list("batch_id")
        percents = dict(running.annotate(percent=Sum("percent")))
    return {batch.pk: _batch_progress(batch, counted.get(batch.pk), percents.get(batch.pk, 0.0)) for batch in rows}


def _batch_progress(batch: Batch, live: dict[str, int] | None, running_percent: float) -> BatchProgress:
    counts = dict.fromkeys(RenderStatus.values, 0)
    if live is None:
        counts |= {"succeeded": batch.succeeded, "failed": batch.failed, "cancelled": batch.cancelled}
        return BatchProgress(counts, 100.0)
    counts |= live
    ended = sum(counts[status] for status in TERMINAL)
    # Rounded down, so that only a completed batch shows 100.
    percent = int((ended * 100 + running_percent) * 10 / batch.total) / 10
    return BatchProgress(counts, min(percent, 99.9) if ended < batch.total else 100.0)
