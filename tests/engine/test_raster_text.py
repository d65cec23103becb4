"""Text, rich text and titles, checked by their pixels."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import ImageChops

from tests.engine.raster_helpers import colors, draw, load, make_clip, make_timeline, picture, visible_box

RED, WHITE = (255, 0, 0), (255, 255, 255)


def text(words: str = "Hxg", **fields):
    return {"type": "text", "text": words, "width": 300, "height": 120, **fields}


def rich(words: str = "Hxg", **fields):
    return {"type": "rich-text", "text": words, "width": 300, "height": 120, **fields}


def test_text_has_its_box_and_its_exact_colour(tmp_path: Path) -> None:
    image = picture(text(font={"color": "#ff0000", "size": 60}), tmp_path)

    assert image.size == (300, 120)
    assert RED in colors(image)
    assert colors(image) == {RED}


@pytest.mark.parametrize(
    ("horizontal", "vertical", "expected"),
    [
        ("left", "top", ("start", "start")),
        ("center", "center", ("middle", "middle")),
        ("right", "bottom", ("end", "end")),
        ("left", "bottom", ("start", "end")),
        ("right", "top", ("end", "start")),
    ],
)
def test_alignment_positions_the_text(tmp_path: Path, horizontal, vertical, expected) -> None:
    asset = text("HHH", font={"size": 30}, alignment={"horizontal": horizontal, "vertical": vertical})

    box = visible_box(picture(asset, tmp_path))

    for low, high, size, where in ((box[0], box[2], 300, expected[0]), (box[1], box[3], 120, expected[1])):
        before, after = low, size - high
        if where == "start":
            assert before < 15 < after
        elif where == "end":
            assert after < 15 < before
        else:
            assert abs(before - after) <= 6


def test_size_scales_the_letters(tmp_path: Path) -> None:
    heights = []
    for size in (30, 60):
        box = visible_box(picture(text("H", font={"size": size}), tmp_path))
        heights.append(box[3] - box[1])

    # A capital of Open Sans is 0.714 em high.
    assert heights[0] == pytest.approx(30 * 0.714, abs=2)
    assert heights[1] == pytest.approx(60 * 0.714, abs=2)


def test_font_opacity_reduces_the_alpha(tmp_path: Path) -> None:
    image = picture(text("HHH", font={"size": 80, "opacity": 0.5}), tmp_path)

    assert max(image.getchannel("A").tobytes()) == pytest.approx(128, abs=2)


def test_background_fills_the_box_with_round_corners_and_opacity(tmp_path: Path) -> None:
    asset = text("", background={"color": "#00ff00", "opacity": 0.5, "borderRadius": 30})

    image = picture(asset, tmp_path)

    assert image.getpixel((150, 60)) == (0, 255, 0, 128)
    assert image.getpixel((150, 1))[3] == 128
    assert image.getpixel((1, 1))[3] == 0
    assert image.getpixel((298, 118))[3] == 0


def test_long_text_wraps_inside_its_width(tmp_path: Path) -> None:
    box = visible_box(picture(text("one two three four five six seven", font={"size": 24}), tmp_path))

    assert box[0] >= 0
    assert box[2] <= 300
    assert box[3] - box[1] > 40


def test_line_breaks_are_kept(tmp_path: Path) -> None:
    one = visible_box(picture(text("H H", font={"size": 24}), tmp_path))
    two = visible_box(picture(text("H\nH", font={"size": 24}), tmp_path))

    assert two[3] - two[1] > 1.8 * (one[3] - one[1])


def test_stroke_surrounds_the_letters_on_all_sides(tmp_path: Path) -> None:
    plain = visible_box(picture(text("I", font={"size": 80, "color": "#ffffff"}), tmp_path))

    image = picture(text("I", font={"size": 80, "color": "#ffffff"}, stroke={"width": 8, "color": "#ff0000"}), tmp_path)

    box = visible_box(image)
    assert (plain[0] - box[0], plain[1] - box[1], box[2] - plain[2], box[3] - plain[3]) == pytest.approx(
        (4,) * 4, abs=1
    )
    assert image.getpixel(((box[0] + box[2]) // 2, 60)) == (*WHITE, 255)
    assert RED in colors(image)


def test_markup_in_text_stays_text(tmp_path: Path) -> None:
    asset = text(
        '<div style="background:#f00;width:300px;height:120px"></div><b>&amp;</b>',
        font={"size": 14, "color": "#ffffff"},
    )

    assert colors(picture(asset, tmp_path)) <= {WHITE}


def test_hostile_font_name_cannot_inject_css(tmp_path: Path) -> None:
    family = 'x";} .box{background:#f00} </style><div style="background:#f00">'

    image = picture(text("H", font={"family": family, "size": 40, "color": "#ffffff"}), tmp_path)

    assert colors(image) == {WHITE}


def test_gradient_fills_the_letters(tmp_path: Path) -> None:
    stops = [{"offset": 0, "color": "#ff0000"}, {"offset": 1, "color": "#0000ff"}]
    asset = rich("HHHHH", font={"size": 60, "weight": 900}, style={"gradient": {"angle": 0, "stops": stops}})

    image = picture(asset, tmp_path)

    box = visible_box(image)
    row = [image.getpixel((x, (box[1] + box[3]) // 2)) for x in range(box[0], box[2])]
    opaque = [pixel for pixel in row if pixel[3] == 255]
    assert opaque[0][0] > 220
    assert opaque[0][2] < 40
    assert opaque[-1][2] > 220
    assert opaque[-1][0] < 40


def test_shadow_lies_beside_the_letters(tmp_path: Path) -> None:
    shadow = {"offsetX": 20, "offsetY": 10, "blur": 0, "color": "#0000ff", "opacity": 1}
    plain = visible_box(picture(rich("I", font={"size": 60}), tmp_path))

    image = picture(rich("I", font={"size": 60}, shadow=shadow), tmp_path)

    box = visible_box(image)
    assert (box[2] - plain[2], box[3] - plain[3]) == (20, 10)
    assert image.getpixel((plain[2] + 20 - 4, (plain[1] + plain[3]) // 2 + 10)) == (0, 0, 255, 255)


def test_text_transform_and_letter_spacing_change_the_width(tmp_path: Path) -> None:
    def width(**style):
        box = visible_box(picture(rich("abcde", font={"size": 30}, style=style), tmp_path))
        return box[2] - box[0]

    plain = width()
    assert width(textTransform="uppercase") > plain + 8
    assert width(letterSpacing=10) == pytest.approx(plain + 40, abs=2)


def test_underline_adds_a_line_below(tmp_path: Path) -> None:
    plain = visible_box(picture(rich("HH", font={"size": 40}), tmp_path))
    lined = visible_box(picture(rich("HH", font={"size": 40}, style={"textDecoration": "underline"}), tmp_path))

    assert lined[3] > plain[3]


def test_border_padding_and_background_share_the_box(tmp_path: Path) -> None:
    asset = rich(
        "H",
        font={"size": 20, "color": "#ffffff"},
        background={"color": "#0000ff"},
        border={"width": 6, "color": "#ff0000"},
        padding={"left": 100},
        align={"horizontal": "left", "vertical": "top"},
    )

    image = picture(asset, tmp_path)

    assert image.getpixel((2, 60)) == (*RED, 255)
    assert image.getpixel((20, 60)) == (0, 0, 255, 255)
    white = ImageChops.difference(image.convert("RGB"), image.convert("RGB").point(lambda value: 0))
    letters = white.getchannel("G").point(lambda value: 255 if value > 200 else 0).getbbox()
    assert letters is not None
    assert letters[0] >= 106


def test_wrapped_background_fits_the_text(tmp_path: Path) -> None:
    asset = rich("H", font={"size": 20}, background={"color": "#0000ff", "wrap": True, "padding": 10})

    box = visible_box(picture(asset, tmp_path))

    assert box[2] - box[0] < 60
    assert abs((box[0] + box[2]) / 2 - 150) <= 1


def test_weight_in_the_name_is_drawn(tmp_path: Path) -> None:
    def coverage(family: str) -> int:
        image = picture(text("HHHH", font={"family": family, "size": 60}), tmp_path)
        return sum(image.getchannel("A").tobytes())

    assert coverage("Montserrat Thin") * 2 < coverage("Montserrat") < coverage("Montserrat Black") / 1.5


@pytest.mark.parametrize(
    ("words", "others"),
    [
        ("Привет", "Пока ж"),
        ("Ελλάδα", "Αθήνας"),
        ("مرحبا", "سلامة"),
        ("שלום", "תודה"),
        ("日本", "東京"),
        ("한국", "서울"),
    ],
)
def test_scripts_are_drawn_with_different_glyphs(tmp_path: Path, words, others) -> None:
    # Missing glyphs are the same empty box in both texts; real letters differ.
    first, second = (picture(text(sample * 2, font={"size": 40}), tmp_path) for sample in (words, others))

    assert sum(first.getchannel("A").tobytes()) > 50_000
    assert ImageChops.difference(first.getchannel("A"), second.getchannel("A")).getbbox() is not None


def test_emoji_are_drawn_in_colour(tmp_path: Path) -> None:
    image = picture(text("\U0001f525", font={"size": 60, "color": "#000000"}), tmp_path)

    warm = [pixel for pixel in colors(image) if pixel[0] > 200 and pixel[1] > 60 and pixel[2] < 120]
    assert len(warm) > 5


def test_right_to_left_text_starts_at_the_right(tmp_path: Path) -> None:
    # The word comes first in reading order, so it must stand to the right of the full stop.
    image = picture(text("שששששש .", font={"size": 40}), tmp_path)

    box = visible_box(image)
    middle = (box[0] + box[2]) // 2
    alpha = image.getchannel("A")
    left, right = (sum(alpha.crop(part).tobytes()) for part in ((0, 0, middle, 120), (middle, 0, 300, 120)))
    assert right > left


def test_same_text_gives_the_same_bytes(tmp_path: Path) -> None:
    asset = rich("Same", font={"size": 40}, stroke={"width": 4}, shadow={"blur": 6, "offsetX": 2})

    first = draw(asset, tmp_path / "a").pictures[0].path.read_bytes()
    second = draw(asset, tmp_path / "b").pictures[0].path.read_bytes()

    assert first == second


def test_equal_clips_share_one_picture(tmp_path: Path) -> None:
    first = draw(text("same"), tmp_path)
    second = draw(text("same"), tmp_path, index=1)

    assert first.pictures == second.pictures
    assert len(list(tmp_path.glob("*.png"))) == 1


def test_clip_size_is_used_if_the_asset_has_none(tmp_path: Path) -> None:
    raster = draw({"type": "rich-text", "text": "x"}, tmp_path, width=90, height=50)
    filling = draw({"type": "rich-text", "text": "x"}, tmp_path)

    assert (raster.width, raster.height, raster.fit) == (90, 50, "none")
    assert (filling.width, filling.height) == (320, 180)


@pytest.mark.parametrize(
    "style",
    ["minimal", "blockbuster", "vogue", "sketchy", "skinny", "chunk", "chunkLight", "marker", "future", "subtitle"],
)
def test_title_styles_are_legible_and_centred(tmp_path: Path, style) -> None:
    image = picture({"type": "title", "text": "Hello World", "style": style}, tmp_path, make_timeline((640, 360)))

    box = visible_box(image, at_least=64)
    assert image.size == (640, 360)
    assert box[3] - box[1] >= 16
    assert box[2] - box[0] >= 120
    assert abs((box[0] + box[2]) / 2 - 320) <= 4
    assert abs((box[1] + box[3]) / 2 - 180) <= 8


def test_title_styles_differ(tmp_path: Path) -> None:
    styles = ("minimal", "blockbuster", "vogue", "sketchy", "skinny", "chunk", "chunkLight", "marker", "future")
    pictures = {picture({"type": "title", "text": "Style", "style": style}, tmp_path).tobytes() for style in styles}

    assert len(pictures) == len(styles)


def test_title_sizes_grow(tmp_path: Path) -> None:
    sizes = ("xx-small", "x-small", "small", "medium", "large", "x-large", "xx-large")
    boxes = [
        visible_box(picture({"type": "title", "text": "H", "size": size}, tmp_path), at_least=64) for size in sizes
    ]

    heights = [box[3] - box[1] for box in boxes]
    assert heights == sorted(set(heights))


@pytest.mark.parametrize(
    ("position", "corner"), [("topLeft", (0, 0)), ("topRight", (1, 0)), ("bottomLeft", (0, 1)), ("bottomRight", (1, 1))]
)
def test_title_goes_to_its_corner(tmp_path: Path, position, corner) -> None:
    box = visible_box(picture({"type": "title", "text": "Hi", "position": position}, tmp_path))

    assert (box[0] > 160, box[1] > 90) == (bool(corner[0]), bool(corner[1]))
    assert min(box[0], 320 - box[2]) < 25
    assert min(box[1], 180 - box[3]) < 25


def test_title_uses_the_clips_position_if_it_has_none(tmp_path: Path) -> None:
    box = visible_box(picture({"type": "title", "text": "Hi"}, tmp_path, position="bottomRight"))

    assert box[0] > 160
    assert box[1] > 90


def test_title_offset_moves_up_and_stays_inside(tmp_path: Path) -> None:
    plain = visible_box(picture({"type": "title", "text": "Hi"}, tmp_path))
    up = visible_box(picture({"type": "title", "text": "Hi", "offset": {"y": 0.25}}, tmp_path))
    below = visible_box(picture({"type": "title", "text": "Hi", "position": "bottom", "offset": {"y": -0.4}}, tmp_path))

    assert plain[1] - up[1] == 45
    assert below[3] - below[1] == plain[3] - plain[1]
    # 2 % of the shorter side stay free.
    assert 174 <= below[3] <= 177


def test_title_background_with_alpha_first(tmp_path: Path) -> None:
    image = picture({"type": "title", "text": "Hi", "background": "#80ff0000"}, tmp_path)

    box = visible_box(image, at_least=100)
    assert image.getpixel((box[0] + 2, box[1] + 2)) == (255, 0, 0, 128)


def test_typewriter_shows_more_letters_each_step_and_ends_complete(tmp_path: Path) -> None:
    asset = rich("HHHH", font={"size": 40}, animation={"preset": "typewriter", "duration": 0.8})

    raster = draw(asset, tmp_path, frames=50)
    still = picture(rich("HHHH", font={"size": 40}), tmp_path)

    widths = [visible_box(load(shown.path))[2] for shown in raster.pictures]
    assert widths == sorted(set(widths))
    assert len(widths) == 4
    assert sum(shown.frames for shown in raster.pictures) == 50
    assert [shown.frames for shown in raster.pictures[:3]] == [5, 5, 5]
    assert visible_box(load(raster.pictures[-1].path)) == visible_box(still)


@pytest.mark.parametrize("preset", ["fadeIn", "slideIn", "ascend", "shift", "movingLetters"])
def test_animations_become_more_opaque_and_fill_the_clip(tmp_path: Path, preset) -> None:
    asset = rich("One two", font={"size": 40}, animation={"preset": preset, "duration": 0.4})

    raster = draw(asset, tmp_path, frames=25)

    coverage = [sum(load(shown.path).getchannel("A").tobytes()) for shown in raster.pictures]
    assert sum(shown.frames for shown in raster.pictures) == 25
    assert coverage[0] < coverage[-1] / 4
    assert coverage[len(coverage) // 2] > coverage[0]
    assert raster.pictures[-1].frames >= 15


def test_slide_moves_in_its_direction(tmp_path: Path) -> None:
    def first_seen(direction: str) -> tuple[int, int]:
        asset = rich("H", font={"size": 30}, animation={"preset": "slideIn", "direction": direction, "duration": 1})
        shown = load(draw(asset, tmp_path, frames=50).pictures[5].path)
        box = visible_box(shown, at_least=40)
        return (box[0] + box[2]) // 2, (box[1] + box[3]) // 2

    assert first_seen("right")[0] < 145
    assert first_seen("left")[0] > 155
    assert first_seen("up")[1] > 65
    assert first_seen("down")[1] < 55


def test_animation_of_one_frame_clip_is_complete(tmp_path: Path) -> None:
    raster = draw(rich("H", animation={"preset": "fadeIn"}), tmp_path, frames=1)

    assert raster.is_still
    assert raster.pictures[0].frames == 1
    assert visible_box(load(raster.pictures[0].path))


def test_long_animation_is_limited_with_a_warning(tmp_path: Path) -> None:
    asset = rich("a b", animation={"preset": "typewriter", "duration": 30})

    raster = draw(asset, tmp_path, frames=1000)

    assert sum(shown.frames for shown in raster.pictures) == 1000
    assert [(issue.pointer, issue.code) for issue in raster.warnings] == [
        ("/timeline/tracks/0/clips/0/asset/animation/duration", "out_of_range")
    ]


def test_canvas_uses_the_clips_box() -> None:
    clip = make_clip({"type": "title", "text": "x"}, index=3)

    assert clip.pointer == "/timeline/tracks/0/clips/3"
    assert make_timeline((64, 36)).output.width == 64
