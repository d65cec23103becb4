"""Rasterization: draws clips as `Raster`s, each distinct picture once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from engine.issues import Issue
from engine.language.shape_assets import ShapeAsset, SvgAsset
from engine.language.text_assets import (
    CaptionAsset,
    Html5Asset,
    HtmlAsset,
    RichCaptionAsset,
    RichTextAsset,
    TextAsset,
    TitleAsset,
)
from engine.raster.captions import draw_caption, draw_rich_caption
from engine.raster.drawing import Drawing
from engine.raster.errors import DrawingFailed
from engine.raster.html_page import draw_html, draw_html5
from engine.raster.job import RasterJob
from engine.raster.job_json import job_to_json
from engine.raster.model import Raster, RasterFrame
from engine.raster.pool import RasterPool, shared_pool
from engine.raster.shapes import draw_shape, draw_svg
from engine.raster.text import draw_rich_text, draw_text
from engine.raster.text_css import FontResolver
from engine.raster.title import draw_title
from engine.timeline.model import TimedClip, Timeline

DRAWN_ASSETS = (
    CaptionAsset,
    Html5Asset,
    HtmlAsset,
    RichCaptionAsset,
    RichTextAsset,
    ShapeAsset,
    SvgAsset,
    TextAsset,
    TitleAsset,
)


def is_drawn(asset: Any) -> bool:
    """Return whether clips with this asset are drawn here instead of read from a media file."""
    return isinstance(asset, DRAWN_ASSETS)


def rasterize(clip: TimedClip, *, timeline: Timeline, out_dir: Path, pool: RasterPool | None = None) -> Raster:
    """Draw one clip; pictures that already exist in `out_dir` are reused.

    Raises DrawingFailed with the clip's pointer if the clip cannot be drawn.
    """
    return rasterize_all([clip], timeline=timeline, out_dir=out_dir, pool=pool)[clip.pointer]


def rasterize_all(
    clips: Iterable[TimedClip], *, timeline: Timeline, out_dir: Path, pool: RasterPool | None = None
) -> dict[str, Raster]:
    """Draw every drawn clip among `clips`, several at a time; return the rasters by the clips' pointers.

    Raises DrawingFailed for the first clip that cannot be drawn.
    """
    pool = pool or shared_pool()
    drawings = [(clip, _lay_out(clip, timeline)) for clip in clips if is_drawn(clip.asset)]
    out_dir.mkdir(parents=True, exist_ok=True)
    paths: dict[RasterJob, Path] = {}
    waiting: dict[Path, tuple[RasterJob, str]] = {}
    for clip, drawing in drawings:
        for job, _ in drawing.pictures:
            if job not in paths:
                paths[job] = out_dir / f"{_digest(job)}.png"
                if not paths[job].exists():
                    waiting.setdefault(paths[job], (job, clip.pointer))
    blocked = pool.draw([(job, path, pointer) for path, (job, pointer) in waiting.items()])
    for path, urls in blocked.items():
        if urls:
            _blocked_urls_file(path).write_text(json.dumps(urls), encoding="utf-8")
    return {clip.pointer: _raster(clip, drawing, paths) for clip, drawing in drawings}


def _lay_out(clip: TimedClip, timeline: Timeline) -> Drawing:
    """Return the drawing of a clip; failures carry the clip's pointer."""
    resolver = FontResolver(dict(timeline.fonts), clip.pointer)
    try:
        return _drawing(clip, timeline, resolver)
    except DrawingFailed as error:
        raise DrawingFailed(error.detail, clip.pointer) from error


def _drawing(clip: TimedClip, timeline: Timeline, resolver: FontResolver) -> Drawing:
    match clip.asset:
        case TitleAsset() as asset:
            return draw_title(clip, asset, timeline, resolver)
        case TextAsset() as asset:
            return draw_text(clip, asset, timeline, resolver)
        case RichTextAsset() as asset:
            return draw_rich_text(clip, asset, timeline, resolver)
        case HtmlAsset() as asset:
            return draw_html(clip, asset, timeline, resolver)
        case Html5Asset() as asset:
            return draw_html5(clip, asset, timeline, resolver)
        case SvgAsset() as asset:
            return draw_svg(clip, asset, timeline, resolver)
        case ShapeAsset() as asset:
            return draw_shape(clip, asset, timeline, resolver)
        case CaptionAsset() as asset:
            return draw_caption(clip, asset, timeline, resolver)
        case RichCaptionAsset() as asset:
            return draw_rich_caption(clip, asset, timeline, resolver)
        case _:
            raise DrawingFailed("this asset is not drawn")


def _digest(job: RasterJob) -> str:
    """Return a file name for a job: a hash of everything in the picture."""
    return hashlib.sha256(json.dumps(job_to_json(job), sort_keys=True).encode()).hexdigest()[:32]


def _raster(clip: TimedClip, drawing: Drawing, paths: dict[RasterJob, Path]) -> Raster:
    pictures = tuple(RasterFrame(paths[job], frames) for job, frames in drawing.pictures)
    blocked = dict.fromkeys(url for path in {picture.path: None for picture in pictures} for url in _blocked_urls(path))
    extra = [
        Issue(f"{clip.pointer}/asset", "html_resource_blocked", f"'{url[:120]}' was not loaded: pages load nothing.")
        for url in blocked
    ]
    return Raster(drawing.width, drawing.height, pictures, warnings=(*drawing.warnings, *extra))


def _blocked_urls_file(path: Path) -> Path:
    """Return the file beside a picture that lists the URLs blocked in its page; most pictures have none."""
    return path.with_suffix(".refused.json")


def _blocked_urls(path: Path) -> list[str]:
    """Return the URLs that were blocked when a picture was drawn, also if an earlier render drew it."""
    listed = _blocked_urls_file(path)
    return [str(url) for url in json.loads(listed.read_text(encoding="utf-8"))] if listed.exists() else []
