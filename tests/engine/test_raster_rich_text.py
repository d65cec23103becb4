"""Defaults and slant of the fonts of rich text and rich captions, checked by their pixels."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from engine.raster.fonts.bundled import font_directories
from tests.engine.raster_helpers import colors, font_media, make_timeline, picture, subtitle_media, visible_box

ITALIC, NORMAL = {"style": "italic"}, {"style": "normal"}
HAVE_ITALICS = ("Open Sans", "Montserrat", "Lato", "Source Serif Pro")
HAVE_NONE = ("Anton", "Manrope", "Caveat", "Amatic SC", "Noto Sans JP", "Impact")


def rich(words: str = "III", **font):
    return {"type": "rich-text", "text": words, "width": 300, "height": 120, "font": {"size": 80, **font}}


def lean(image: Image.Image) -> int:
    """Return how many pixels further right the ink begins in the top quarter of the letters than in the bottom one."""
    left, top, right, bottom = visible_box(image)
    quarter = (bottom - top) // 4
    above = visible_box(image.crop((left, top, right, top + quarter)))
    below = visible_box(image.crop((left, bottom - quarter, right, bottom)))
    return above[0] - below[0]


def caption(tmp_path: Path, **font) -> Image.Image:
    media = subtitle_media(tmp_path / "a.srt", "1\n00:00:00,000 --> 00:00:02,000\nIII\n")
    asset = {"type": "rich-caption", "src": "https://e.com/a.srt", "font": {"size": 80, **font}}
    return picture(asset, tmp_path, media=media, frames=25)


def test_rich_text_without_a_colour_is_black_and_rich_captions_are_white(tmp_path: Path) -> None:
    assert colors(picture(rich(), tmp_path)) == {(0, 0, 0)}
    assert colors(picture({"type": "rich-text", "text": "III"}, tmp_path)) == {(0, 0, 0)}
    assert colors(picture(rich(color="#ff0000"), tmp_path)) == {(255, 0, 0)}
    assert colors(caption(tmp_path)) == {(255, 255, 255)}


def test_rich_captions_that_name_no_family_use_roboto(tmp_path: Path) -> None:
    assert caption(tmp_path).tobytes() == caption(tmp_path, family="Roboto").tobytes()
    assert caption(tmp_path).tobytes() != caption(tmp_path, family="Open Sans").tobytes()


@pytest.mark.parametrize("family", [*HAVE_ITALICS, *HAVE_NONE])
def test_italics_lean_to_the_right_in_every_family(tmp_path: Path, family: str) -> None:
    upright = lean(picture(rich(family=family, **NORMAL), tmp_path))
    assert (
        picture(rich(family=family, **NORMAL), tmp_path).tobytes() == picture(rich(family=family), tmp_path).tobytes()
    )
    assert lean(picture(rich(family=family, **ITALIC), tmp_path)) >= upright + 4


@pytest.mark.parametrize("family", ["Manrope", "Amatic SC"])
def test_slanted_families_keep_their_weights(tmp_path: Path, family: str) -> None:
    def ink(weight: int, style: str) -> int:
        drawn = picture(rich(family=family, weight=weight, style=style), tmp_path)
        return sum(drawn.getchannel("A").tobytes()) // 255

    for weight in (400, 700):
        assert ink(weight, "italic") == pytest.approx(ink(weight, "normal"), rel=0.05)
    assert ink(700, "italic") > 1.1 * ink(400, "italic")


def test_fonts_that_the_edit_loads_are_slanted_too(tmp_path: Path) -> None:
    (path,) = [found for folder in font_directories() for found in folder.rglob("Anton-Regular.ttf")]
    timeline = make_timeline(fonts={"https://e.com/Anton-Regular.ttf": font_media(path)})
    assert lean(picture(rich(family="Anton", **NORMAL), tmp_path, timeline)) < 2
    assert lean(picture(rich(family="Anton", **ITALIC), tmp_path, timeline)) >= 4


def test_rich_captions_take_italics(tmp_path: Path) -> None:
    assert lean(caption(tmp_path, **ITALIC)) >= lean(caption(tmp_path)) + 4
