"""Job painter: draws the layers of a raster job with the HTML engine. Runs in the drawing process only."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import plutoprint
from PIL import Image

from engine.raster.job import RasterJob, RasterLayer
from engine.raster.png import write_png
from engine.raster.text_effects import apply_text_effects, fade, shift

_POINTS_PER_PX = 0.75
_FONT_SCHEME = "font:"
_BLOCKED_SHOWN = 20


class FontsOnlyFetcher(plutoprint.ResourceFetcher):
    """Serves the job's own fonts and nothing else: no files, no network."""

    def __init__(self, fonts: Mapping[str, str]) -> None:
        """fonts: name in a `font:` URL -> local file."""
        super().__init__()
        self._fonts = fonts
        self.blocked: list[str] = []

    def fetch_url(self, url: str) -> plutoprint.ResourceData:
        """Return a known font's bytes; raise PermissionError otherwise, which the engine treats as a failed load."""
        path = self._fonts.get(url.removeprefix(_FONT_SCHEME)) if url.startswith(_FONT_SCHEME) else None
        if path is None:
            if len(self.blocked) < _BLOCKED_SHOWN:
                self.blocked.append(url[:200])
            raise PermissionError(url[:200])
        return _font_data(path)


@lru_cache(maxsize=256)
def _font_data(path: str) -> plutoprint.ResourceData:
    """Return a font file's bytes. The engine never frees the data that it gets, so it gets each file once."""
    return plutoprint.ResourceData(Path(path).read_bytes(), mime_type="font/ttf")


def load_fonts() -> None:
    """Lay out one word, so that loading the fonts does not count against the first job's time."""
    _paint_layer(RasterLayer(markup="<p>a</p>"), 8, 8, FontsOnlyFetcher({}))


def paint_job(job: RasterJob, out: Path) -> list[str]:
    """Draw a job and save it as PNG, complete or not at all; return the URLs that were blocked."""
    fetcher = FontsOnlyFetcher(dict(job.fonts))
    picture: Image.Image | None = None
    for layer in job.layers:
        drawn = _paint_layer(layer, job.width, job.height, fetcher)
        picture = drawn if picture is None else Image.alpha_composite(picture, drawn)
    if picture is None:
        picture = Image.new("RGBA", (job.width, job.height), (0, 0, 0, 0))
    write_png(picture, out)
    return fetcher.blocked


def _paint_layer(layer: RasterLayer, width: int, height: int, fetcher: FontsOnlyFetcher) -> Image.Image:
    """Return a layer as RGBA with straight alpha."""
    size = plutoprint.PageSize(width * _POINTS_PER_PX, height * _POINTS_PER_PX)
    book = plutoprint.Book(size=size, margins=plutoprint.PAGE_MARGINS_NONE, media=plutoprint.MEDIA_TYPE_SCREEN)
    book.custom_resource_fetcher = fetcher
    load = book.load_xml if layer.xml else book.load_html
    load(layer.markup, user_style=layer.style)
    with plutoprint.ImageCanvas(width, height) as canvas:
        book.render_document(canvas)
        canvas.flush()
        # Pillow accepts a memoryview, though its annotations do not list it.
        data: Any = canvas.get_data()
        picture = Image.frombuffer("RGBa", (width, height), data, "raw", "BGRa", canvas.get_stride(), 1).convert("RGBA")
    if layer.stroke or layer.shadow or layer.gradient or layer.fill_opacity < 1:
        picture = apply_text_effects(picture, layer)
    picture = fade(picture, layer.opacity)
    return shift(picture, *_move(layer, picture))


def _move(layer: RasterLayer, picture: Image.Image) -> tuple[int, int]:
    """Return the shift of a drawn layer in pixels, limited by its inset."""
    x, y = round(layer.shift_x), round(layer.shift_y)
    box = picture.getbbox() if layer.inset is not None and (x or y) else None
    if box is None or layer.inset is None:
        return x, y
    inset = round(layer.inset)
    x = min(max(x, min(0, inset - box[0])), max(0, picture.width - inset - box[2]))
    y = min(max(y, min(0, inset - box[1])), max(0, picture.height - inset - box[3]))
    return x, y
