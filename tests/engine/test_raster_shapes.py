"""Basic shapes and SVG, compared with their geometry."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from engine.raster import DrawingFailed
from tests.engine.raster_helpers import colors, draw, picture, visible_box

RED, BLUE, GREEN = (255, 0, 0), (0, 0, 255), (0, 255, 0)


def coverage(image) -> float:
    """Return the covered area in pixels, weighted by alpha."""
    return sum(image.getchannel("A").tobytes()) / 255


def test_rectangle_is_centred_in_its_box_with_its_outline(tmp_path: Path) -> None:
    asset = {
        "type": "shape",
        "shape": "rectangle",
        "rectangle": {"width": 60, "height": 20},
        "fill": {"color": "#ff0000"},
        "stroke": {"color": "#0000ff", "width": 4},
        "width": 100,
        "height": 50,
    }

    image = picture(asset, tmp_path)

    assert image.size == (100, 50)
    assert visible_box(image) == (18, 13, 82, 37)
    assert image.getpixel((50, 25)) == (*RED, 255)
    assert image.getpixel((50, 14)) == (*BLUE, 255)


def test_rectangle_without_a_box_gets_its_own_size(tmp_path: Path) -> None:
    asset = {"type": "shape", "shape": "rectangle", "rectangle": {"width": 60, "height": 20}, "stroke": {"width": 4}}

    raster = draw(asset, tmp_path)

    assert (raster.width, raster.height) == (64, 24)


def test_corner_radius_rounds_the_corners(tmp_path: Path) -> None:
    rectangle = {"width": 60, "height": 60, "cornerRadius": 30}
    asset = {"type": "shape", "shape": "rectangle", "rectangle": rectangle, "fill": {"color": "#ff0000"}}

    assert coverage(picture(asset, tmp_path)) == pytest.approx(math.pi * 30**2, rel=0.02)


def test_circle_covers_its_area_with_its_opacity(tmp_path: Path) -> None:
    asset = {"type": "shape", "shape": "circle", "circle": {"radius": 40}, "fill": {"color": "#00ff00", "opacity": 0.5}}

    image = picture(asset, tmp_path)

    assert image.size == (80, 80)
    assert image.getpixel((40, 40)) == (*GREEN, 128)
    assert coverage(image) == pytest.approx(math.pi * 40**2 / 2, rel=0.02)


def test_line_is_horizontal_and_has_its_thickness(tmp_path: Path) -> None:
    asset = {"type": "shape", "shape": "line", "line": {"length": 70, "thickness": 6}, "width": 100, "height": 40}

    assert visible_box(picture(asset, tmp_path)) == (15, 17, 85, 23)


@pytest.mark.parametrize(
    ("shape", "area"),
    [
        ({"type": "rectangle", "width": 80, "height": 40}, 3200),
        ({"type": "circle", "radius": 40}, math.pi * 1600),
        ({"type": "ellipse", "radiusX": 40, "radiusY": 20}, math.pi * 800),
        ({"type": "line", "length": 80, "thickness": 10}, 800),
        ({"type": "polygon", "sides": 6, "radius": 40}, 1.5 * math.sqrt(3) * 1600),
        ({"type": "star", "points": 5, "outerRadius": 40, "innerRadius": 20}, 5 * 40 * 20 * math.sin(math.pi / 5)),
        ({"type": "arrow", "length": 80, "headWidth": 40, "headLength": 30, "shaftWidth": 10}, 50 * 10 + 30 * 40 / 2),
        ({"type": "cross", "width": 80, "height": 80, "thickness": 20}, 2 * 80 * 20 - 400),
        ({"type": "ring", "outerRadius": 40, "innerRadius": 20}, math.pi * (1600 - 400)),
        ({"type": "path", "d": "M0 0H50V30H0Z"}, 1500),
    ],
)
def test_named_shapes_cover_their_area(tmp_path: Path, shape, area) -> None:
    asset = {"type": "svg", "shape": shape, "fill": {"color": "#ff0000"}, "width": 100, "height": 100}

    image = picture(asset, tmp_path)

    assert coverage(image) == pytest.approx(area, rel=0.02)
    assert RED in colors(image)


def test_heart_points_down_and_has_a_notch(tmp_path: Path) -> None:
    image = picture({"type": "svg", "shape": {"type": "heart", "size": 80}, "fill": {"color": "#ff0000"}}, tmp_path)

    assert image.getpixel((40, 70))[3] == 255
    assert image.getpixel((40, 3))[3] == 0
    assert image.getpixel((4, 75))[3] == 0


def test_svg_is_scaled_into_its_box(tmp_path: Path) -> None:
    svg = '<svg viewBox="0 0 40 40"><rect width="20" height="40" fill="#ff0000"/></svg>'

    image = picture({"type": "svg", "src": svg}, tmp_path, width=80, height=80)

    assert image.size == (80, 80)
    assert visible_box(image) == (0, 0, 40, 80)
    assert colors(image) == {RED}


def test_svg_with_a_declared_size_and_no_view_box_is_scaled_too(tmp_path: Path) -> None:
    svg = '<?xml version="1.0"?><svg width="40px" height="20px"><rect width="40" height="20" fill="#ff0000"/></svg>'

    assert picture({"type": "svg", "src": svg}, tmp_path).size == (40, 20)
    assert visible_box(picture({"type": "svg", "src": svg, "width": 80, "height": 40}, tmp_path)) == (0, 0, 80, 40)


def test_svg_opacity_and_gradient(tmp_path: Path) -> None:
    stops = [{"offset": 0, "color": "#ff0000"}, {"offset": 1, "color": "#0000ff"}]
    asset = {
        "type": "svg",
        "shape": {"type": "rectangle", "width": 100, "height": 20},
        "fill": {"type": "linear", "angle": 0, "stops": stops},
        "opacity": 0.5,
    }

    image = picture(asset, tmp_path)

    left, right = image.getpixel((1, 10)), image.getpixel((98, 10))
    assert left[3] == right[3] == 128
    assert left[0] > 240 > 20 > left[2]
    assert right[2] > 240 > 20 > right[0]


def test_svg_loads_no_external_resources(tmp_path: Path) -> None:
    svg = '<svg viewBox="0 0 9 9"><image href="file:///etc/hostname" width="9" height="9"/></svg>'

    raster = draw({"type": "svg", "src": svg, "width": 9, "height": 9}, tmp_path)

    assert [issue.code for issue in raster.warnings] == ["html_resource_blocked"]


def test_transform_moves_and_scales_a_named_shape(tmp_path: Path) -> None:
    asset = {
        "type": "svg",
        "shape": {"type": "rectangle", "width": 20, "height": 20},
        "fill": {"color": "#ff0000"},
        "transform": {"x": 10, "y": 0, "scale": 2},
        "width": 100,
        "height": 100,
    }

    assert visible_box(picture(asset, tmp_path)) == (40, 30, 80, 70)


def test_box_beyond_the_limit_is_refused_with_its_pointer(tmp_path: Path) -> None:
    asset = {"type": "svg", "src": '<svg width="60000" height="60000"></svg>'}

    with pytest.raises(DrawingFailed, match=r"/timeline/tracks/0/clips/0.*60000 x 60000"):
        draw(asset, tmp_path)
