"""Motion: transitions, effects, keyframes, mattes and everything else that changes over time."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from PIL import Image

from engine.plan import make_plan
from engine.raster.model import Raster, RasterFrame
from engine.timeline.model import ChromaKey, Crop, Curve, Effect, Keyframe, Transition
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
    render_frames,
    render_image,
    run_plan,
    timeline_of,
    video_media,
)

pytestmark = pytest.mark.acceptance
MIDDLE = (160, 90)


@pytest.fixture(scope="module")
def media_dir(tmp_path_factory, run_ffmpeg) -> Path:
    """A folder with the media of this file."""
    folder = tmp_path_factory.mktemp("media")
    Image.new("RGB", (100, 60), RED).save(folder / "red.png")
    Image.new("RGB", (320, 180), BLUE).save(folder / "blue.png")
    Image.new("L", (320, 180), 0).save(folder / "black.png")
    half = Image.new("RGB", (320, 180), BLACK)
    half.paste(WHITE, (0, 0, 160, 180))
    half.save(folder / "half.png")
    stripe = Image.new("RGB", (320, 180), BLACK)
    stripe.paste(WHITE, (150, 0, 170, 180))
    stripe.save(folder / "stripe.png")
    # Frame n of the counter has the grey level 4 n.
    counter = "color=black:s=320x180:r=25:d=2,format=gray,geq=lum='4*N',format=yuv420p"
    run_ffmpeg("-f", "lavfi", "-i", counter, "-crf", "8", "-pix_fmt", "yuv420p", folder / "counter.mp4")
    # The left half is opaque green, the right half transparent.
    ghost = "color=0x00ff00:s=320x180:r=25:d=1,format=rgba,geq=r=0:g=255:b=0:a='if(lt(X,160),255,0)',format=yuva420p"
    run_ffmpeg("-f", "lavfi", "-i", ghost, "-c:v", "libvpx-vp9", "-cpu-used", "8", folder / "ghost.webm")
    # A white edge that runs from left to right within one second.
    edge = "color=black:s=320x180:r=25:d=1,format=gray,geq=lum='if(lt(X,320*N/25),255,0)',format=yuv420p"
    run_ffmpeg("-f", "lavfi", "-i", edge, "-crf", "8", folder / "edge.mp4")
    return folder


def gray(image: Image.Image) -> int:
    return image.getpixel(MIDDLE)[1]


def counted(image: Image.Image) -> float:
    """Return the number of the counter's frame that is shown."""
    return gray(image) / 4


def test_fades_are_half_way_in_the_middle(media_dir, tmp_path):
    below = clip(image_media(media_dir / "blue.png"), frames=30, track=1)
    faded = clip(
        image_media(media_dir / "red.png"),
        frames=30,
        fit="cover",
        transition_in=Transition("fade", 10),
        transition_out=Transition("fade", 10),
    )
    frames = render_frames(timeline_of(below, faded, frames=30), tmp_path)
    assert near(frames[0].getpixel(MIDDLE), BLUE, 10)
    assert near(frames[5].getpixel(MIDDLE), (128, 0, 127), 12)
    assert near(frames[15].getpixel(MIDDLE), RED, 10)
    assert near(frames[25].getpixel(MIDDLE), (128, 0, 127), 12)


@pytest.mark.parametrize(
    ("name", "seen", "unseen"),
    [
        ("wipeRight", (80, 90), (240, 90)),
        ("wipeLeft", (240, 90), (80, 90)),
        ("reveal", (80, 90), (240, 90)),
    ],
)
def test_wipes_uncover_from_their_side(media_dir, tmp_path, name, seen, unseen):
    wiped = clip(image_media(media_dir / "red.png"), frames=20, fit="cover", transition_in=Transition(name, 20))
    image = render_image(tmp_path, wiped, at=10)
    assert near(image.getpixel(seen), RED)
    assert near(image.getpixel(unseen), BLACK)


def test_reveal_closes_to_the_left(media_dir, tmp_path):
    closing = clip(image_media(media_dir / "red.png"), frames=20, fit="cover", transition_out=Transition("reveal", 20))
    image = render_image(tmp_path, closing, at=10)
    assert near(image.getpixel((140, 90)), RED)
    assert near(image.getpixel((180, 90)), BLACK)


def test_wipe_has_a_soft_edge_and_reveal_a_hard_one(media_dir, tmp_path):
    widths = []
    for name in ("wipeRight", "reveal"):
        wiped = clip(image_media(media_dir / "red.png"), frames=20, fit="cover", transition_in=Transition(name, 20))
        image = render_image(tmp_path, wiped, at=10)
        widths.append(sum(20 < image.getpixel((x, 90))[0] < 235 for x in range(320)))
    assert 30 < widths[0] < 60
    assert widths[1] <= 4


def test_wipe_out_covers_in_its_direction(media_dir, tmp_path):
    wiped = clip(image_media(media_dir / "red.png"), frames=20, fit="cover", transition_out=Transition("wipeRight", 20))
    image = render_image(tmp_path, wiped, at=10)
    assert near(image.getpixel((80, 90)), BLACK)
    assert near(image.getpixel((240, 90)), RED)


@pytest.mark.parametrize(
    ("name", "axis", "sign"), [("carouselLeft", 0, 1), ("carouselRight", 0, -1), ("carouselDown", 1, -1)]
)
def test_carousels_come_from_the_side_they_move_away_from(media_dir, tmp_path, name, axis, sign):
    sliding = clip(image_media(media_dir / "red.png"), frames=20, fit="none", transition_in=Transition(name, 16))
    early = bounding_box(render_image(tmp_path, sliding, at=4), RED)
    rest = bounding_box(render_image(tmp_path, sliding, at=17), RED)
    assert rest == (110, 60, 210, 120)
    assert early is not None
    assert (early[axis] - rest[axis]) * sign > 5
    assert early[1 - axis] == rest[1 - axis]


def test_carousel_out_leaves_in_its_direction(media_dir, tmp_path):
    sliding = clip(
        image_media(media_dir / "red.png"), frames=20, fit="none", transition_out=Transition("carouselRight", 10)
    )
    assert bounding_box(render_image(tmp_path, sliding, at=9), RED) == (110, 60, 210, 120)
    late = bounding_box(render_image(tmp_path, sliding, at=18), RED)
    assert late is not None
    assert late[0] > 200


@pytest.mark.parametrize(
    ("name", "axis", "sign"), [("slideLeft", 0, 1), ("slideRight", 0, -1), ("slideUp", 1, 1), ("slideDown", 1, -1)]
)
def test_slides_move_a_little_while_they_fade(media_dir, tmp_path, name, axis, sign):
    sliding = clip(image_media(media_dir / "red.png"), frames=20, fit="none", transition_in=Transition(name, 16))
    image = render_image(tmp_path, sliding, at=4)
    assert 40 < image.getpixel(MIDDLE)[0] < 90
    early = bounding_box(image, image.getpixel(MIDDLE), 20)
    assert 2 <= (early[axis] - (110, 60)[axis]) * sign <= 16
    assert early[1 - axis] == (110, 60)[1 - axis]
    assert bounding_box(render_image(tmp_path, sliding, at=17), RED) == (110, 60, 210, 120)


@pytest.mark.parametrize(
    ("name", "axis", "sign"),
    [("shuffleTopRight", 1, -1), ("shuffleRightTop", 0, 1), ("shuffleBottomLeft", 1, 1), ("shuffleLeftTop", 0, -1)],
)
def test_shuffles_swing_in_over_their_side(media_dir, tmp_path, name, axis, sign):
    turning = clip(image_media(media_dir / "red.png"), frames=20, fit="none", transition_in=Transition(name, 16))
    assert bounding_box(render_image(tmp_path, turning, at=0), RED, 120) is None
    early = bounding_box(render_image(tmp_path, turning, at=8), RED, 120)
    assert early is not None
    middle = ((early[0] + early[2]) / 2, (early[1] + early[3]) / 2)
    assert (middle[axis] - (160, 90)[axis]) * sign > 10
    # Rotated, it takes more space than upright.
    assert (early[2] - early[0], early[3] - early[1]) > (101, 61)
    assert bounding_box(render_image(tmp_path, turning, at=17), RED) == (110, 60, 210, 120)


def test_rotated_image_slides_with_its_hidden_corners(media_dir, tmp_path):
    """At rest the viewport cuts off its top and bottom; on the way out upwards its bottom becomes visible."""
    turned = clip(
        image_media(media_dir / "red.png"),
        frames=20,
        fit="none",
        scale=Curve(1.8),
        rotate_deg=Curve(90.0),
        offset_y=Curve(-0.3),
        transition_out=Transition("carouselUp", 20),
    )
    low = bounding_box(render_image(tmp_path, turned, at=0), RED)
    high = bounding_box(render_image(tmp_path, turned, at=16), RED)
    assert (low[1], low[3]) == (54, 180)
    assert high[3] - high[1] > 130


def test_zoom_effect_grows_evenly_to_its_factor(media_dir, tmp_path):
    zoomed = clip(image_media(media_dir / "red.png"), frames=50, fit="none", effect=Effect("zoomIn", "normal"))
    frames = render_frames(timeline_of(zoomed, frames=50), tmp_path)
    widths = [box[2] - box[0] for box in (bounding_box(frames[at], RED, 120) for at in (0, 25, 49))]
    assert widths[0] == pytest.approx(100, abs=2)
    assert widths[1] == pytest.approx(115, abs=2)
    assert widths[2] == pytest.approx(130, abs=2)


def test_zoom_is_smooth_below_a_pixel(media_dir, tmp_path):
    """The right edge of a stripe moves by the same small step in every frame."""
    zoomed = clip(image_media(media_dir / "stripe.png"), frames=50, effect=Effect("zoomIn", "slow"))
    frames = render_frames(timeline_of(zoomed, frames=50), tmp_path)
    # The brightness of the middle row, counted in pixels of full white, is the width of the stripe.
    widths = [sum(frame.getpixel((x, 90))[1] for x in range(320)) / 255 for frame in frames]
    steps = [after - before for before, after in itertools.pairwise(widths[2:])]
    wanted = 20 * 0.15 / 49
    assert sum(steps) / len(steps) == pytest.approx(wanted, rel=0.15)
    assert max(abs(step - wanted) for step in steps) < 0.2


@pytest.mark.parametrize(("name", "axis", "sign"), [("slideLeft", 0, -1), ("slideDown", 1, 1)])
def test_slide_effect_drifts_in_its_direction_and_keeps_the_viewport_full(media_dir, tmp_path, name, axis, sign):
    marked = Image.new("RGB", (320, 180), BLUE)
    marked.paste(RED, (140, 70, 180, 110))
    marked.save(tmp_path / "marked.png")
    drifting = clip(image_media(tmp_path / "marked.png"), frames=25, effect=Effect(name, "normal"))
    first, last = (render_image(tmp_path, drifting, at=at) for at in (0, 24))
    moved = [after - before for before, after in zip(bounding_box(first, RED), bounding_box(last, RED), strict=True)]
    assert moved[axis] * sign > 15
    for image in (first, last):
        assert all(near(image.getpixel(spot), BLUE) for spot in ((0, 0), (319, 0), (0, 179), (319, 179)))


def test_keyframes_drive_scale_offset_and_opacity(media_dir, tmp_path):
    moving = clip(
        image_media(media_dir / "red.png"),
        frames=20,
        fit="none",
        scale=Curve(1.0, (Keyframe(0, 10, 0.5, 1.0),)),
        offset_x=Curve(0.0, (Keyframe(0, 10, -0.25, 0.25),)),
        opacity=Curve(1.0, (Keyframe(10, 10, 1.0, 0.0),)),
    )
    frames = render_frames(timeline_of(moving, frames=20), tmp_path)
    start, middle, late = bounding_box(frames[0], RED, 120), bounding_box(frames[5], RED, 120), frames[15]
    assert start == pytest.approx((55, 75, 105, 105), abs=2)
    assert middle[2] - middle[0] == pytest.approx(75, abs=3)
    assert (middle[0] + middle[2]) / 2 == pytest.approx(160, abs=2)
    assert near(late.getpixel((240, 90)), (128, 0, 0), 10)


def test_zoom_transition_grows_to_the_full_size(media_dir, tmp_path):
    zoomed = clip(image_media(media_dir / "red.png"), frames=30, fit="none", transition_in=Transition("zoom", 20))
    early, rest = render_image(tmp_path, zoomed, at=3), render_image(tmp_path, zoomed, at=25)
    box = bounding_box(early, early.getpixel(MIDDLE), 30)
    assert box[2] - box[0] < 90
    assert bounding_box(rest, RED) == pytest.approx((110, 60, 210, 120), abs=2)
    assert early.getpixel(MIDDLE)[0] < 100


def test_still_matte_shows_white_and_hides_black(media_dir, tmp_path):
    matte = clip(image_media(media_dir / "half.png"))
    below = clip(image_media(media_dir / "blue.png"), track=1)
    image = render_image(tmp_path, below, clip(image_media(media_dir / "red.png"), luma=matte))
    assert near(image.getpixel((80, 90)), RED)
    assert near(image.getpixel((240, 90)), BLUE)


def test_matte_masks_a_small_image_at_its_position(media_dir, tmp_path):
    matte = clip(image_media(media_dir / "half.png"))
    image = render_image(tmp_path, clip(image_media(media_dir / "red.png"), fit="none", luma=matte))
    assert bounding_box(image, RED) == pytest.approx((110, 60, 160, 120), abs=2)


def test_video_matte_masks_only_during_its_time(media_dir, tmp_path):
    matte = clip(video_media(media_dir / "edge.mp4", 1.0), start=10, frames=20)
    frames = render_frames(
        timeline_of(clip(image_media(media_dir / "red.png"), frames=40, luma=matte), frames=40), tmp_path
    )
    assert near(frames[5].getpixel((300, 90)), RED, 10)
    assert near(frames[22].getpixel((100, 90)), RED, 12)  # frame 12 of the matte: white up to 153
    assert near(frames[22].getpixel((220, 90)), BLACK, 10)
    assert near(frames[35].getpixel((300, 90)), RED, 10)


def test_alpha_video_shows_the_background(media_dir, tmp_path):
    ghost = video_media(media_dir / "ghost.webm", 1.0, alpha=True, decoder="libvpx-vp9")
    image = render_image(tmp_path, clip(ghost), background="#0000ff", at=3)
    assert near(image.getpixel((80, 90)), GREEN, 12)
    assert near(image.getpixel((240, 90)), BLUE, 12)


def test_chroma_key_removes_its_colour(media_dir, tmp_path):
    screen = Image.new("RGB", (320, 180), GREEN)
    screen.paste(RED, (100, 50, 220, 130))
    screen.save(tmp_path / "screen.png")
    keyed = clip(image_media(tmp_path / "screen.png"), chroma_key=ChromaKey("#00ff00", 60, 10))
    image = render_image(tmp_path, keyed, background="#0000ff")
    assert near(image.getpixel(MIDDLE), RED, 12)
    assert near(image.getpixel((20, 20)), BLUE, 12)


def test_chroma_key_defaults_keep_colours_far_from_green(media_dir, tmp_path):
    """RGB distances up to 150 are transparent, 150 to 250 fade; white and blue are further away."""
    screen = Image.new("RGB", (320, 180), (0, 177, 64))
    for left, colour in ((0, (255, 255, 255)), (80, (0, 0, 255)), (160, (224, 172, 140))):
        screen.paste(colour, (left, 0, left + 80, 90))
    screen.save(tmp_path / "screen.png")
    keyed = clip(image_media(tmp_path / "screen.png"), chroma_key=ChromaKey("#00b140", 150, 100))
    image = render_image(tmp_path, keyed, background="#ff0000")
    assert near(image.getpixel((40, 40)), (255, 255, 255), 12)
    assert near(image.getpixel((120, 40)), BLUE, 12)
    assert near(image.getpixel((200, 40)), (224, 172, 140), 40)
    assert near(image.getpixel((160, 140)), RED, 12)


def test_trim_starts_inside_the_video(media_dir, tmp_path):
    frames = render_frames(timeline_of(clip(video_media(media_dir / "counter.mp4", 2.0), trim_s=0.4)), tmp_path)
    assert counted(frames[0]) == pytest.approx(10, abs=0.8)
    assert counted(frames[20]) == pytest.approx(30, abs=0.8)


def test_speed_runs_through_the_video_faster(media_dir, tmp_path):
    frames = render_frames(timeline_of(clip(video_media(media_dir / "counter.mp4", 2.0), speed=2.0)), tmp_path)
    assert counted(frames[10]) == pytest.approx(20, abs=1.2)
    assert counted(frames[20]) == pytest.approx(40, abs=1.2)


def test_video_that_ends_early_holds_its_last_frame(media_dir, tmp_path):
    frames = render_frames(
        timeline_of(clip(video_media(media_dir / "counter.mp4", 2.0), frames=60), frames=60), tmp_path
    )
    assert len(frames) == 60
    assert counted(frames[59]) == pytest.approx(49, abs=0.8)


def test_range_starts_in_the_middle_of_clips(media_dir, tmp_path):
    whole = clip(video_media(media_dir / "counter.mp4", 2.0), frames=40, transition_out=Transition("fade", 10))
    frames = render_frames(timeline_of(whole, frames=15, first_frame=20), tmp_path)
    assert len(frames) == 15
    assert counted(frames[0]) == pytest.approx(20, abs=0.8)
    assert counted(frames[12]) == pytest.approx(32 * 0.8, abs=1.0)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("greyscale", (54, 54, 54)), ("negative", (0, 255, 255)), ("darken", None), ("lighten", None), ("blur", None)],
)
def test_filters_change_the_colours_as_documented(media_dir, tmp_path, name, wanted):
    plain = render_image(tmp_path, clip(image_media(media_dir / "red.png"), fit="cover")).getpixel(MIDDLE)
    image = render_image(tmp_path, clip(image_media(media_dir / "red.png"), fit="cover", filter=name))
    found = image.getpixel(MIDDLE)
    if wanted:
        assert near(found, wanted, 14)
    elif name == "darken":
        assert sum(found) < sum(plain) - 20
    elif name == "lighten":
        assert sum(found) > sum(plain) + 20
    else:
        edge = render_image(tmp_path, clip(image_media(media_dir / "half.png"), filter="blur"))
        row = [edge.getpixel((x, 90))[0] for x in range(140, 181)]
        assert row == sorted(row, reverse=True)
        assert 60 < row[20] < 200


def test_drawn_animation_fades_and_zooms_with_its_clip(tmp_path):
    pictures = []
    for number, color in enumerate((RED, GREEN, BLUE)):
        Image.new("RGBA", (100, 60), (*color, 255)).save(tmp_path / f"{number}.png")
        pictures.append(RasterFrame(tmp_path / f"{number}.png", 10))
    drawn = clip(None, 5, 30, effect=Effect("zoomIn", "normal"), transition_in=Transition("fade", 8))
    raster = Raster(100, 60, tuple(pictures))
    plan = make_plan(timeline_of(drawn, frames=40), {drawn.pointer: raster})
    frames = run_plan(plan, tmp_path)
    assert near(frames[4].getpixel(MIDDLE), BLACK)
    assert near(frames[9].getpixel(MIDDLE), (128, 0, 0), 10)
    assert near(frames[20].getpixel(MIDDLE), GREEN)
    assert near(frames[34].getpixel(MIDDLE), BLUE)
    assert near(frames[35].getpixel(MIDDLE), BLACK)
    wide = bounding_box(frames[34], BLUE, 120)
    assert wide[2] - wide[0] == pytest.approx(130, abs=2)


def test_animated_gif_restarts(tmp_path, run_ffmpeg):
    halves = "color=red:s=320x180:r=10:d=0.5[a];color=blue:s=320x180:r=10:d=0.5[b];[a][b]concat"
    run_ffmpeg("-f", "lavfi", "-i", halves, tmp_path / "loop.gif")
    frames = render_frames(timeline_of(clip(video_media(tmp_path / "loop.gif", 1.0), frames=60), frames=60), tmp_path)
    assert [near(frames[at].getpixel(MIDDLE), BLUE, 12) for at in (6, 18, 31, 43, 56)] == [
        False,
        True,
        False,
        True,
        False,
    ]


def test_rotated_video_is_shown_upright(tmp_path, run_ffmpeg):
    halves = "color=red:s=90x160:r=25:d=1[a];color=blue:s=90x160:r=25:d=1[b];[a][b]hstack"
    run_ffmpeg("-f", "lavfi", "-i", halves, tmp_path / "plain.mp4")
    run_ffmpeg("-display_rotation", "90", "-i", tmp_path / "plain.mp4", "-c", "copy", tmp_path / "turned.mp4")
    # 180x160 rotated by 90 degrees counter-clockwise: 160x180, blue above red.
    turned = video_media(tmp_path / "turned.mp4", 1.0, (160, 180))
    image = render_image(tmp_path, clip(turned, fit="none", crop=Crop(left=0.25)))
    assert bounding_box(image, BLUE) == pytest.approx((100, 0, 220, 90), abs=3)
    assert bounding_box(image, RED) == pytest.approx((100, 90, 220, 180), abs=3)
