"""Helpers that draw one asset and inspect its pixels."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from PIL import Image
from pydantic import TypeAdapter

from engine.language.clip import Asset
from engine.media import MediaInfo, MediaKind
from engine.raster import Raster, rasterize
from engine.timeline.model import OutputSpec, TimedClip, Timeline

_ASSET: TypeAdapter[Any] = TypeAdapter(Asset)


def make_timeline(
    size: tuple[int, int] = (320, 180), fps: int = 25, fonts: Mapping[str, MediaInfo] | None = None
) -> Timeline:
    output = OutputSpec("mp4", size[0], size[1], Fraction(fps), 0, 100)
    return Timeline(output, "#000000", 100, (), fonts=fonts or {})


def make_clip(asset: dict[str, Any], *, index: int = 0, frames: int = 25, **fields: Any) -> TimedClip:
    return TimedClip(f"/timeline/tracks/0/clips/{index}", 0, 0, frames, _ASSET.validate_python(asset), **fields)


def draw(asset: dict[str, Any], out: Path, timeline: Timeline | None = None, **fields: Any) -> Raster:
    return rasterize(make_clip(asset, **fields), timeline=timeline or make_timeline(), out_dir=out)


def picture(asset: dict[str, Any], out: Path, timeline: Timeline | None = None, **fields: Any) -> Image.Image:
    """Return the first picture of an asset, loaded."""
    return load(draw(asset, out, timeline, **fields).pictures[0].path)


def load(path: Path) -> Image.Image:
    with Image.open(path) as image:
        image.load()
        assert image.mode == "RGBA"
        return image.copy()


def visible_box(image: Image.Image, at_least: int = 128) -> tuple[int, int, int, int]:
    """Return the bounding box of the pixels that are at least that opaque."""
    box = image.getchannel("A").point([255 if value >= at_least else 0 for value in range(256)]).getbbox()
    assert box is not None, "nothing was drawn"
    return box


def colors(image: Image.Image) -> set[tuple[int, int, int]]:
    """Return the colours of the fully opaque pixels."""
    return {pixel[:3] for _, pixel in image.getcolors(image.width * image.height) if pixel[3] == 255}


def font_media(path: Path) -> MediaInfo:
    return MediaInfo(path, MediaKind.FONT, "font/ttf", path.stat().st_size)


def subtitle_media(path: Path, text: str) -> MediaInfo:
    path.write_text(text, encoding="utf-8")
    return MediaInfo(path, MediaKind.SUBTITLE, "text/plain", path.stat().st_size)
