"""Poster and thumbnail, made from the output if the external worker did not upload them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from uuid import UUID

from assets.posters import make_poster
from assets.staging import temporary_folder
from engine.media import MediaInfo
from engine.probe.client import probe_file
from files.cache import link_or_copy
from files.storage.blobs import blob_store
from renders.models import Render
from renders.services.storage import publish_file, storage_key

THUMBNAIL_SIDE_PX = 640
_COLUMNS = {"poster": "poster_key", "thumbnail": "thumbnail_key"}


def make_pictures(*, render_id: UUID) -> int:
    """Make the missing poster and thumbnail from the output; return how many. Safe to repeat."""
    render = Render.objects.without_large_columns().get(pk=render_id)
    missing = [name for name, column in _COLUMNS.items() if not getattr(render, column)]
    if not render.has_output or not missing:
        return 0
    with temporary_folder() as folder:
        info = replace(probe_file(_copy_output(render, folder / "output")), has_alpha=False)
        return sum(_make(render, name, info, folder / name) for name in missing)


def _copy_output(render: Render, target: Path) -> Path:
    local = blob_store().local_path(render.output_key)
    if local is not None:
        return link_or_copy(local, target)
    with target.open("wb") as file:
        for block in blob_store().read_range(render.output_key, 0, render.output_size_bytes or 0):
            file.write(block)
    return target


def _make(render: Render, name: str, info: MediaInfo, folder: Path) -> bool:
    side = THUMBNAIL_SIDE_PX if name == "thumbnail" else max(info.width or 0, info.height or 0)
    folder.mkdir()
    picture = make_poster(info, folder, max_side_px=side)
    if picture is None:
        return False
    key = publish_file(source=picture, key=storage_key(render, f"{name}.jpg"), content_type="image/jpeg")
    column = _COLUMNS[name]
    return Render.objects.filter(pk=render.pk, **{column: ""}).update(**{column: key}) == 1
