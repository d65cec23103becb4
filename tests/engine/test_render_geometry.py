"""Layer geometry: expected rectangles are calculated by hand from the format's rules."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from engine.plan.sources import display_size
from engine.probe.client import probe_file
from engine.timeline.model import Crop, Curve, Transition
from tests.engine.render_helpers import (
    BLACK,
    BLUE,
    GREEN,
    RED,
    WHITE,
    bounding_box,
    clip,
    image_media,
    near,
    render_image,
    video_media,
)

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module")
def media_dir(tmp_path_factory) -> Path:
    """A folder with the images of this file."""
    folder = tmp_path_factory.mktemp("pictures")
    Image.new("RGB", (100, 60), RED).save(folder / "red.png")
    Image.new("RGB", (100, 60), BLUE).save(folder / "blue.png")
    quarters = Image.new("RGB", (200, 100), WHITE)
    quarters.paste(RED, (0, 0, 100, 50))
    quarters.paste(GREEN, (100, 0, 200, 50))
    quarters.paste(BLUE, (0, 50, 100, 100))
    quarters.save(folder / "quarters.png")
    tall = Image.new("RGB", (100, 200), GREEN)
    tall.paste(RED, (0, 0, 100, 50))
    tall.paste(RED, (0, 150, 100, 200))
    tall.save(folder / "tall.png")
    halo = Image.new("RGBA", (80, 80), (255, 255, 255, 0))
    halo.paste((255, 255, 255, 255), (20, 20, 60, 60))
    halo.save(folder / "halo.png")
    return folder


def close_to(found, wanted, within: int = 2) -> bool:
    return found is not None and all(abs(a - b) <= within for a, b in zip(found, wanted, strict=True))


def test_paints_the_background_in_its_exact_colour(tmp_path):
    for text, color in (("#3366cc", (0x33, 0x66, 0xCC)), ("#ff0000", RED)):
        image = render_image(tmp_path, background=text)
        assert near(image.getpixel((160, 90)), color, 4)


def test_image_keeps_its_colours(media_dir, tmp_path):
    image = render_image(tmp_path, clip(image_media(media_dir / "quarters.png"), fit="cover"))
    for place, color in (((40, 30), RED), ((280, 30), GREEN), ((40, 150), BLUE), ((280, 150), WHITE)):
        assert near(image.getpixel(place), color, 5)


@pytest.mark.parametrize(
    ("fit", "wanted"),
    [
        ("crop", (0, 0, 320, 180)),
        ("cover", (0, 0, 320, 180)),
        ("contain", (10, 0, 310, 180)),  # 100x60 grows three times, to 300x180
        ("none", (110, 60, 210, 120)),
    ],
)
def test_fits_the_viewport(media_dir, tmp_path, fit, wanted):
    assert close_to(
        bounding_box(render_image(tmp_path, clip(image_media(media_dir / "red.png"), fit=fit)), RED), wanted
    )


def test_crop_fit_cuts_off_the_excess(media_dir, tmp_path):
    image = render_image(tmp_path, clip(image_media(media_dir / "tall.png"), fit="crop"))
    assert bounding_box(image, GREEN) == (0, 0, 320, 180)  # 640 high, the middle 180 shows


def test_cover_stretches(media_dir, tmp_path):
    image = render_image(tmp_path, clip(image_media(media_dir / "tall.png"), fit="cover"))
    assert close_to(bounding_box(image, GREEN), (0, 45, 320, 135))


def test_box_of_the_clip_replaces_the_viewport(media_dir, tmp_path):
    image = render_image(tmp_path, clip(image_media(media_dir / "red.png"), fit="crop", width=80, height=100))
    assert close_to(bounding_box(image, RED), (120, 40, 200, 140))


@pytest.mark.parametrize(
    ("position", "wanted"),
    [
        ("topLeft", (0, 0, 100, 60)),
        ("top", (110, 0, 210, 60)),
        ("topRight", (220, 0, 320, 60)),
        ("left", (0, 60, 100, 120)),
        ("right", (220, 60, 320, 120)),
        ("bottomLeft", (0, 120, 100, 180)),
        ("bottom", (110, 120, 210, 180)),
        ("bottomRight", (220, 120, 320, 180)),
    ],
)
def test_position_anchors_to_the_edge(media_dir, tmp_path, position, wanted):
    image = render_image(tmp_path, clip(image_media(media_dir / "red.png"), fit="none", position=position))
    assert close_to(bounding_box(image, RED), wanted)


def test_offset_is_a_fraction_of_the_viewport_and_up_is_positive(media_dir, tmp_path):
    placed = clip(image_media(media_dir / "red.png"), fit="none", offset_x=Curve(0.25), offset_y=Curve(0.2))
    assert close_to(bounding_box(render_image(tmp_path, placed), RED), (190, 24, 290, 84))


def test_scaled_image_is_anchored_to_the_edge(media_dir, tmp_path):
    placed = clip(image_media(media_dir / "red.png"), fit="none", position="bottomRight", scale=Curve(0.5))
    assert close_to(bounding_box(render_image(tmp_path, placed), RED), (270, 150, 320, 180))


def test_crop_cuts_fractions_and_keeps_the_scale(media_dir, tmp_path):
    cut = Crop(left=0.25, right=0.25, top=0.5)
    image = render_image(tmp_path, clip(image_media(media_dir / "quarters.png"), fit="cover", crop=cut))
    assert close_to(bounding_box(image, BLUE), (80, 45, 160, 135))
    assert close_to(bounding_box(image, WHITE), (160, 45, 240, 135))


def test_upper_track_hides_the_lower(media_dir, tmp_path):
    below = clip(image_media(media_dir / "blue.png"), track=1)
    above = clip(image_media(media_dir / "red.png"), track=0, fit="none")
    image = render_image(tmp_path, below, above)
    assert near(image.getpixel((160, 90)), RED)
    assert near(image.getpixel((20, 20)), BLUE)


def test_opacity_blends_with_the_layer_below(media_dir, tmp_path):
    below = clip(image_media(media_dir / "blue.png"), track=1)
    image = render_image(tmp_path, below, clip(image_media(media_dir / "red.png"), opacity=Curve(0.25)))
    assert near(image.getpixel((160, 90)), (64, 0, 191), 8)


def test_flips_mirror_the_image(media_dir, tmp_path):
    image = render_image(tmp_path, clip(image_media(media_dir / "quarters.png"), fit="cover", flip_horizontal=True))
    assert near(image.getpixel((280, 30)), RED)
    image = render_image(tmp_path, clip(image_media(media_dir / "quarters.png"), fit="cover", flip_vertical=True))
    assert near(image.getpixel((40, 150)), RED)


def test_rotates_clockwise_about_the_centre(media_dir, tmp_path):
    image = render_image(tmp_path, clip(image_media(media_dir / "quarters.png"), fit="none", rotate_deg=Curve(90.0)))
    # 200x100 rotated: 100x200, cut to the viewport's height; the red top left goes to the top right.
    assert near(image.getpixel((185, 40)), RED)
    assert near(image.getpixel((135, 40)), BLUE)
    assert near(image.getpixel((185, 140)), GREEN)
    assert near(image.getpixel((90, 90)), BLACK)


def test_skew_x_shears_the_image(media_dir, tmp_path):
    image = render_image(tmp_path, clip(image_media(media_dir / "red.png"), fit="none", skew_x=Curve(1.0)))
    assert near(image.getpixel((160, 90)), RED)
    assert near(image.getpixel((130, 64)), BLACK)
    assert near(image.getpixel((190, 64)), RED)


def test_skew_y_lifts_the_right_side(media_dir, tmp_path):
    image = render_image(tmp_path, clip(image_media(media_dir / "red.png"), fit="none", skew_y=Curve(0.5)))
    assert near(image.getpixel((205, 50)), RED)
    assert near(image.getpixel((115, 70)), BLACK)


def test_scaling_a_transparent_image_leaves_no_dark_edge(media_dir, tmp_path):
    placed = clip(image_media(media_dir / "halo.png", alpha=True), fit="none", scale=Curve(1.7))
    image = render_image(tmp_path, placed, background="#ffffff")
    assert min(min(pixel) for pixel in image.get_flattened_data()) > 235


def test_blurring_a_transparent_image_leaves_no_dark_edge(media_dir, tmp_path):
    placed = clip(image_media(media_dir / "halo.png", alpha=True), fit="none", scale=Curve(2.0), filter="blur")
    image = render_image(tmp_path, placed, background="#ffffff")
    assert min(min(pixel) for pixel in image.get_flattened_data()) > 235


def test_rotating_a_white_image_leaves_no_dark_edge(media_dir, tmp_path):
    Image.new("RGB", (100, 60), WHITE).save(tmp_path / "white.png")
    for placed in (
        clip(image_media(tmp_path / "white.png"), fit="none", rotate_deg=Curve(20.0)),
        clip(image_media(media_dir / "halo.png", alpha=True), fit="none", rotate_deg=Curve(20.0)),
    ):
        image = render_image(tmp_path, placed, background="#ffffff")
        assert min(min(pixel) for pixel in image.get_flattened_data()) > 235


def test_drawn_picture_at_odd_pixels_keeps_its_position(media_dir, tmp_path):
    placed = clip(
        image_media(media_dir / "halo.png", alpha=True), fit="none", offset_x=Curve(1 / 320), offset_y=Curve(1 / 180)
    )
    assert bounding_box(render_image(tmp_path, placed), WHITE) == (141, 69, 181, 109)


@pytest.mark.parametrize("seen", [1, 2, 3, 47])
def test_odd_and_tiny_visible_parts_are_shown(media_dir, tmp_path, make_image, seen):
    """A photo has subsampled chroma; cropping it to an odd size must not fail or shift it."""
    photograph = image_media(make_image(tmp_path / "photo.jpg", (333, 211), RED))
    left = clip(photograph, fit="none", position="left", offset_x=Curve(-(333 - seen) / 320))
    found = bounding_box(render_image(tmp_path, left), RED, 100)
    assert found is not None
    assert found[0] == 0
    assert found[2] == pytest.approx(seen, abs=1)


def test_wipe_over_a_cropped_photo_keeps_its_odd_size(media_dir, tmp_path, make_image):
    photograph = image_media(make_image(tmp_path / "photo.jpg", (333, 211), RED))
    wiped = clip(photograph, fit="none", offset_x=Curve(0.5), transition_in=Transition("wipeLeft", 10))
    assert near(render_image(tmp_path, wiped, at=9).getpixel((310, 90)), RED, 10)


def test_video_with_long_pixels_is_shown_at_its_display_size(make_video, tmp_path):
    """160 x 180 stored pixels with an aspect of 2:1 are displayed as 320 x 180."""
    tv = make_video(tmp_path / "tv.mp4", 1.0, (160, 180), color="red", extra=("-vf", "setsar=2"))
    info = probe_file(tv)
    assert (info.width, info.height, info.pixel_aspect) == (160, 180, 2.0)
    assert bounding_box(render_image(tmp_path, clip(info, fit="contain")), RED) == (0, 0, 320, 180)
    assert close_to(
        bounding_box(render_image(tmp_path, clip(info, fit="none", scale=Curve(0.5))), RED), (80, 45, 240, 135)
    )


@pytest.mark.parametrize(
    ("aspect", "rotation", "wanted"),
    [(1.0, 0, (160, 90)), (0.5, 0, (80, 90)), (1.5, 90, (160, 135)), (1000.0, 0, (160, 90)), (0.001, 0, (160, 90))],
)
def test_implausible_pixel_aspect_counts_as_square(aspect, rotation, wanted):
    info = video_media(Path("tv.mp4"), 1.0, (160, 90))
    assert display_size(replace(info, pixel_aspect=aspect, rotation=rotation)) == wanted
