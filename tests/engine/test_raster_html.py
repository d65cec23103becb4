"""HTML assets: layout, lenient CSS, and no external resources."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from engine.raster.css import close_style, tidy_css, tidy_html
from engine.raster.gradients import paint_gradients
from engine.raster.text_css import FontResolver
from tests.engine.raster_helpers import colors, draw, picture, visible_box

TEAL = (0x25, 0xD3, 0xD0)


def page(html: str, css: str = "", **fields):
    return {"type": "html", "html": html, "css": css, "width": 200, "height": 100, **fields}


@pytest.fixture
def resolver() -> FontResolver:
    return FontResolver({}, "/timeline/tracks/0/clips/0")


def test_page_is_transparent_except_for_its_text(tmp_path: Path) -> None:
    image = picture(page("<p>HHH</p>", "p { color: #ff0000; font-size: 40px }"), tmp_path)

    assert image.size == (200, 100)
    assert image.getpixel((0, 0)) == (0, 0, 0, 0)
    assert colors(image) == {(255, 0, 0)}


def test_background_fills_the_box(tmp_path: Path) -> None:
    image = picture(page("<p>&nbsp;</p>", background="#d2bb8f", width=42, height=10), tmp_path)

    assert image.size == (42, 10)
    assert colors(image) == {(0xD2, 0xBB, 0x8F)}
    assert image.getextrema()[3] == (255, 255)


def test_fractional_box_size_is_rounded(tmp_path: Path) -> None:
    raster = draw(page("<p>&nbsp;</p>", background="#25d3d0", width=4.0157, height=16), tmp_path)

    assert (raster.width, raster.height) == (4, 16)


@pytest.mark.parametrize(
    "position", ["top", "topRight", "right", "bottomRight", "bottom", "bottomLeft", "left", "topLeft", "center"]
)
def test_position_places_the_content(tmp_path: Path, position) -> None:
    box = visible_box(picture(page("<p>HH</p>", "p{font-size:20px;color:#fff}", position=position), tmp_path))

    lower = position.lower()
    across = "left" if lower.endswith("left") else "right" if lower.endswith("right") else "middle"
    down = "top" if lower.startswith("top") else "bottom" if lower.startswith("bottom") else "middle"
    assert {"left": box[0] < 8, "right": box[2] > 192, "middle": abs(box[0] + box[2] - 200) < 6}[across]
    assert {"top": box[1] < 15, "bottom": box[3] > 85, "middle": abs(box[1] + box[3] - 100) < 14}[down]


def test_text_align_in_css_overrides_the_position(tmp_path: Path) -> None:
    box = visible_box(picture(page("<p>HH</p>", "p{font-size:20px;text-align:left}"), tmp_path))

    assert box[0] < 8


def test_quoted_colour_is_accepted(tmp_path: Path) -> None:
    image = picture(page("<h1>HELLO</h1>", 'h1 { color: "#25d3d0"; font-size: 36px; }'), tmp_path)

    assert colors(image) == {TEAL}


def test_bare_line_height_means_pixels(tmp_path: Path) -> None:
    box = visible_box(picture(page("<p>H</p>", "p { font-size: 60px; line-height: 78; }"), tmp_path))

    assert 38 <= box[3] - box[1] <= 48


def test_weight_in_a_family_name_is_kept_inside_bold_elements(tmp_path: Path) -> None:
    def coverage(family: str) -> int:
        css = f'h1 {{ font-family: "{family}"; font-size: 40px; }}'
        return sum(picture(page("<h1>HHH</h1>", css), tmp_path).getchannel("A").tobytes())

    assert coverage("Montserrat Thin") * 2 < coverage("Montserrat Black")
    assert coverage("Lato Thin") * 2 < coverage("Lato Black")


def test_inline_style_and_shorthand_fonts_are_resolved(tmp_path: Path) -> None:
    raster = draw(
        page("<p style='font-family: \"Nowhere\"'>x</p><p style=\"font: bold 12px 'Lost', serif\">y</p>"), tmp_path
    )

    assert [issue.code for issue in raster.warnings] == ["font_substituted", "font_substituted"]
    assert "Nowhere" in raster.warnings[0].detail
    assert "Lost" in raster.warnings[1].detail


def test_css_cannot_close_its_style_element(tmp_path: Path) -> None:
    css = 'p{color:#fff}</style><div style="background:#f00;width:200px;height:100px"></div><style>'

    assert colors(picture(page("<p>H</p>", css), tmp_path)) <= {(255, 255, 255), (0, 0, 0)}
    assert "</" not in close_style(css)


@pytest.mark.parametrize(
    "html",
    [
        '<img src="{}">',
        '<p style="background-image:url({})">x</p>',
        '<link rel="stylesheet" href="{}">',
        '<style>@import "{}";</style>',
        "<style>@font-face{{font-family:F;src:url({})}}p{{font-family:F}}</style><p>x</p>",
        '<svg width="10" height="10"><image href="{}" width="10" height="10"/></svg>',
        '<base href="{}"><img src="x.png">',
        '<object data="{}"></object><iframe src="{}"></iframe><embed src="{}">',
    ],
)
def test_external_resources_are_not_read(tmp_path: Path, secret: Path, http_spy, html) -> None:
    address, seen = http_spy
    for target in (secret.as_uri(), str(secret), f"{address}/x.png"):
        image = picture(page(html.replace("{}", target).replace("{{", "{").replace("}}", "}")), tmp_path)

        assert (255, 0, 255) not in colors(image)
    assert seen == []


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """Return an image file that must not be drawn."""
    path = tmp_path / "secret.png"
    Image.new("RGB", (50, 50), (255, 0, 255)).save(path)
    return path


@pytest.fixture
def http_spy() -> Iterator[tuple[str, list[str]]]:
    """Run a web server that records its requests; return its address and the requests."""
    seen: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            return

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", seen
    server.shutdown()
    thread.join()
    server.server_close()


def test_blocked_resource_is_a_warning(tmp_path: Path) -> None:
    warnings = draw(page('<img src="http://127.0.0.1:9/logo.png">'), tmp_path).warnings

    assert [(issue.pointer, issue.code) for issue in warnings] == [
        ("/timeline/tracks/0/clips/0/asset", "html_resource_blocked")
    ]
    assert "logo.png" in warnings[0].detail


def test_blocked_resource_is_a_warning_again_when_the_picture_is_reused(tmp_path: Path) -> None:
    asset = page('<img src="http://127.0.0.1:9/logo.png">')

    assert draw(asset, tmp_path).warnings == draw(asset, tmp_path).warnings


def test_inline_data_images_are_drawn(tmp_path: Path) -> None:
    svg = (
        "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' width='50' height='50'%3E"
        "%3Crect width='50' height='50' fill='red'/%3E%3C/svg%3E"
    )

    assert (255, 0, 0) in colors(picture(page(f'<img src="{svg}">'), tmp_path))


def test_script_does_not_run(tmp_path: Path) -> None:
    html = '<p id="a" style="color:#fff">H</p><script>document.getElementById("a").style.color="#f00"</script>'

    assert colors(picture(page(html), tmp_path)) == {(255, 255, 255)}


@pytest.mark.parametrize(
    ("css", "named"),
    [
        ("p{text-shadow:1px 1px red}", "text-shadow"),
        ("p{background:conic-gradient(red,blue)}", "gradients"),
        ("p{background:repeating-linear-gradient(red,blue 10%)}", "gradients"),
        ("p{background:linear-gradient(red,blue);-webkit-background-clip:text}", "gradients"),
        ("@keyframes x{}", "animations"),
    ],
)
def test_css_that_is_not_drawn_is_a_warning(resolver: FontResolver, css, named) -> None:
    tidy_css(css, resolver, "/asset/css")

    assert [issue.code for issue in resolver.warnings] == ["css_unsupported"]
    assert named in resolver.warnings[0].detail


def test_valid_css_is_unchanged(resolver: FontResolver) -> None:
    css = "p { color: #ffffff; font-size: 24px; line-height: 1.4; margin: 0 } .a::after { content: 'color: \"x\"' }"

    assert tidy_css("p { color: #ffffff; line-height: 1.4 }", resolver, "") == "p { color: #ffffff; line-height: 1.4 }"
    assert "line-height: 1.4;" in tidy_css(css, resolver, "")
    assert resolver.warnings == ()


@pytest.mark.parametrize(
    "hostile",
    [
        "<style>" * 14_000,
        "<style" * 16_000,
        "/*" * 50_000,
        "font:" + "1" * 99_000,
        "font:" + "1 " * 49_000,
        "font-family:" + '"' * 99_001,
        "font-family:" + "a," * 49_000,
        " style=" * 14_000,
        " style" + " " * 99_000,
        '"\n' * 49_000,
        "a:" * 49_000,
        "{" * 99_000,
    ],
)
def test_hostile_css_is_tidied_quickly(resolver: FontResolver, hostile) -> None:
    started = time.process_time()

    tidy_css(hostile, resolver, "")
    tidy_html(hostile, resolver, "")
    close_style(hostile)

    assert time.process_time() - started < 1.5


@pytest.mark.parametrize(
    ("css", "tidied"),
    [
        ('p{color:"#25d3d0"}', "p{color: #25d3d0 }"),
        ("p{line-height:78}", "p{line-height: 78px }"),
        ("p{line-height:1.4}", "p{line-height:1.4}"),
        ("p{font-family:Arial}", 'p{font-family:"Arimo";font-variation-settings:normal}'),
        ("p{font-family:system-ui, Nope}", 'p{font-family:"Roboto";font-variation-settings:normal}'),
        (
            "p{font-family:'Montserrat ExtraBold' !important}",
            (
                'p{font-family:"Montserrat"!important;font-variation-settings:"wght" 800!important;'
                "font-weight:800!important}"
            ),
        ),
        (
            "p{font:italic 12px/1.5 Lato, serif}",
            'p{font:italic 12px/1.5 "Lato";font-variation-settings:normal}',
        ),
        ("p{font-family:inherit}", "p{font-family:inherit}"),
        ("a:hover{margin:0}/* x */b{}", "a:hover{margin:0} b{}"),
    ],
)
def test_css_slips_are_corrected(resolver: FontResolver, css, tidied) -> None:
    assert tidy_css(css, resolver, "") == tidied
    assert resolver.warnings == ()


def test_style_attribute_keeps_its_quotes(resolver: FontResolver) -> None:
    tidied = tidy_html("<p style=\"font-family:'Roboto'\">a</p>", resolver, "")

    assert tidied.startswith("<p style=\"font-family:'Roboto';")
    assert tidied.endswith('">a</p>')
    assert tidied.count('"') == 2


def test_html5_page_without_script_is_drawn(tmp_path: Path) -> None:
    asset = {
        "type": "html5",
        "html": '<div class="bar"></div>',
        "css": "html,body{margin:0}.bar{width:60px;height:20px;background:#25d3d0}",
        "width": 100,
        "height": 50,
    }

    image = picture(asset, tmp_path)

    assert visible_box(image) == (0, 0, 60, 20)
    assert colors(image) == {TEAL}


@pytest.mark.parametrize(
    ("background", "red_at", "blue_at"),
    [
        ("linear-gradient(red, blue)", (100, 3), (100, 96)),
        ("linear-gradient(90deg, red 0%, blue 100%)", (3, 50), (196, 50)),
        ("linear-gradient(to left, #f00, rgb(0, 0, 255))", (196, 50), (3, 50)),
        ("linear-gradient(135deg, #ff0000 10%, #0000ff 90%)", (3, 3), (196, 96)),
        ("radial-gradient(circle at center, red, blue)", (100, 50), (2, 2)),
    ],
)
def test_gradients_run_in_their_direction(tmp_path: Path, background, red_at, blue_at) -> None:
    image = picture(page("<p></p>", f"p{{margin:0;width:200px;height:100px;background:{background}}}"), tmp_path)

    red, blue = image.getpixel(red_at), image.getpixel(blue_at)
    assert red[0] > 200
    assert red[2] < 60
    assert blue[2] > 200
    assert blue[0] < 60
    middle = image.getpixel((100 + (red_at == (100, 50)) * 50, 50))
    assert 80 < middle[0] < 180
    assert middle[3] == 255


def test_gradient_to_transparent_keeps_its_colour(tmp_path: Path) -> None:
    css = "p{margin:0;width:200px;height:100px;background:linear-gradient(to right,#fff,transparent)!important}"
    image = picture(page("<p></p>", css), tmp_path)

    assert image.getpixel((100, 50))[:3] == (255, 255, 255)
    assert image.getpixel((100, 50))[3] == pytest.approx(128, abs=4)


@pytest.mark.parametrize(
    "value",
    [
        "linear-gradient(red)",
        "linear-gradient(red, </svg>)",
        "linear-gradient(red 10px, blue)",
        "linear-gradient(red, blue",
        "linear-gradient(red, url(x))",
        "radial-gradient(red, blue' onload='x)",
    ],
)
def test_gradients_that_cannot_be_read_are_unchanged(value) -> None:
    assert paint_gradients(value) is None
