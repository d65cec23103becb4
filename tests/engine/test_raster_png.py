"""The PNG writer and the mask effects, compared with Pillow."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from PIL import Image

from engine.raster.job import GradientSpec, ShadowSpec
from engine.raster.png import write_png
from engine.raster.text_effects import dilate_mask, draw_shadow, fade, fill_gradient, rgba


def noisy(size: tuple[int, int], box: tuple[int, int, int, int] | None) -> Image.Image:
    picture = Image.new("RGBA", size, (0, 0, 0, 0))
    if box is not None:
        noise = Image.effect_noise((box[2] - box[0], box[3] - box[1]), 90)
        picture.paste(Image.merge("RGBA", (noise, noise.rotate(90).resize(noise.size), noise, noise)), box[:2])
    return picture


@pytest.mark.parametrize(
    ("size", "box"),
    [
        ((320, 180), (30, 40, 90, 60)),
        ((320, 180), None),
        ((320, 180), (0, 0, 320, 180)),
        ((33, 257), (0, 0, 33, 1)),
        ((33, 257), (0, 256, 33, 257)),
        ((1, 1), (0, 0, 1, 1)),
        ((1, 1), None),
    ],
)
def test_written_png_reads_back_exactly(tmp_path: Path, size, box) -> None:
    picture = noisy(size, box)

    write_png(picture, tmp_path / "a.png")

    with Image.open(tmp_path / "a.png") as read:
        read.load()
        assert (read.mode, read.size) == ("RGBA", size)
        # Pillow keeps the colour of transparent pixels, and so must the file.
        assert read.tobytes() == picture.tobytes()
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.acceptance
def test_written_png_decodes_in_ffmpeg_without_errors(tmp_path: Path, run_ffmpeg) -> None:
    write_png(noisy((320, 180), (30, 40, 90, 60)), tmp_path / "a.png")

    run_ffmpeg("-xerror", "-err_detect", "explode", "-f", "png_pipe", "-i", tmp_path / "a.png", "-f", "null", "-")


def test_mask_grows_by_a_disc() -> None:
    mask = Image.new("L", (60, 60), 0)
    mask.paste(255, (28, 28, 32, 32))

    grown = dilate_mask(mask, 10)

    # A square of 4 grown by a disc of 10: itself, four sides and one whole disc.
    covered = sum(grown.tobytes()) / 255
    assert covered == pytest.approx(4 * 4 + 4 * 4 * 10 + math.pi * 10**2, rel=0.05)
    assert grown.getpixel((30, 19)) > 200
    assert grown.getpixel((37, 37)) > 200
    assert grown.getpixel((40, 40)) == 0


def test_mask_at_the_edge_grows_without_wrapping_around() -> None:
    mask = Image.new("L", (40, 40), 0)
    mask.paste(255, (0, 0, 5, 5))

    grown = dilate_mask(mask, 6)

    assert grown.getbbox() == pytest.approx((0, 0, 11, 11), abs=1)


def test_gradient_turns_with_its_angle() -> None:
    picture = Image.new("RGBA", (100, 40), (255, 255, 255, 255))
    stops = ((0.0, "#ff0000"), (1.0, "#0000ff"))

    level = fill_gradient(picture, GradientSpec(0, stops))
    upright = fill_gradient(picture, GradientSpec(90, stops))

    assert level.getpixel((1, 1))[0] > 240
    assert level.getpixel((98, 38))[2] > 240
    assert level.getpixel((50, 0)) == pytest.approx(level.getpixel((50, 39)), abs=2)
    assert upright.getpixel((1, 1))[0] > 240
    assert upright.getpixel((98, 38))[2] > 240
    assert upright.getpixel((0, 20)) == pytest.approx(upright.getpixel((99, 20)), abs=2)


def test_gradient_with_a_hard_edge_and_alpha() -> None:
    picture = Image.new("RGBA", (100, 10), (255, 255, 255, 255))
    stops = ((0.0, "#ff0000"), (0.5, "#ff0000"), (0.5, "#00ff0080"), (1.0, "#00ff0080"))

    filled = fill_gradient(picture, GradientSpec(0, stops))

    assert filled.getpixel((20, 5)) == (255, 0, 0, 255)
    assert filled.getpixel((80, 5)) == (0, 255, 0, 128)


def test_shadow_is_moved_and_tinted() -> None:
    mask = Image.new("L", (20, 20), 0)
    mask.paste(255, (5, 5, 10, 10))

    shadow = draw_shadow(mask, ShadowSpec(4, -2, 0, "#0000ff80"))

    assert shadow.getbbox() == (9, 3, 14, 8)
    assert shadow.getpixel((10, 5)) == (0, 0, 255, 128)


def test_fade_scales_alpha_alone() -> None:
    faded = fade(Image.new("RGBA", (2, 2), (10, 20, 30, 200)), 0.25)

    assert faded.getpixel((0, 0)) == (10, 20, 30, 50)
    assert rgba("#01020304") == (1, 2, 3, 4)
