"""Basic shapes and SVG assets, all drawn as SVG."""

from __future__ import annotations

import html
import math
import re

from engine.language.shape_assets import ShapeAsset, SvgAsset, SvgFill, SvgShape, SvgStroke, SvgTransform
from engine.raster.css import tidy_html
from engine.raster.drawing import Canvas, Drawing, canvas_of, sized_canvas, still
from engine.raster.job import RasterLayer
from engine.raster.text import shadow_of
from engine.raster.text_css import FontResolver, hex_color, strip_control_characters
from engine.timeline.model import TimedClip, Timeline

_ATTRIBUTE = re.compile(r"(?<![\w:-])([\w:-]++)\s*+=\s*+(\"[^\"]*+\"|'[^']*+')")
_LENGTH = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(?:px)?\s*$")
_STYLE = "html,body{margin:0;padding:0}svg{display:block}"


def draw_shape(clip: TimedClip, asset: ShapeAsset, timeline: Timeline, resolver: FontResolver) -> Drawing:
    """Return the drawing of a rectangle, circle or line in the middle of its box."""
    stroke = asset.stroke.width if asset.stroke else 0.0
    width, height = _shape_size(asset)
    box = sized_canvas(
        timeline,
        asset.width or clip.width or math.ceil(width + stroke),
        asset.height or clip.height or math.ceil(height + stroke),
    )
    left, top = (box.width - width) / 2, (box.height - height) / 2
    paint = _shape_paint(asset)
    if asset.shape == "circle" and asset.circle:
        body = f'<circle cx="{box.width / 2:g}" cy="{box.height / 2:g}" r="{asset.circle.radius:g}" {paint}/>'
    else:
        radius = asset.rectangle.corner_radius if asset.shape == "rectangle" and asset.rectangle else 0.0
        body = (
            f'<rect x="{left:g}" y="{top:g}" width="{width:g}" height="{height:g}" '
            f'rx="{min(radius, width / 2, height / 2):g}" {paint}/>'
        )
    return still(box, [RasterLayer(_svg(box, body), _STYLE)], clip.frames, resolver)


def _shape_size(asset: ShapeAsset) -> tuple[float, float]:
    """Return a basic shape's width and height without its outline."""
    if asset.shape == "circle" and asset.circle:
        return asset.circle.radius * 2, asset.circle.radius * 2
    if asset.shape == "line" and asset.line:
        return asset.line.length, asset.line.thickness
    if asset.rectangle:
        return asset.rectangle.width, asset.rectangle.height
    return 0.0, 0.0


def _shape_paint(asset: ShapeAsset) -> str:
    fill = _paint("fill", asset.fill.color, asset.fill.opacity) if asset.fill else 'fill="none"'
    if asset.fill is None and asset.stroke is None:
        fill = _paint("fill", "#ffffff", 1.0)
    if asset.stroke is None or asset.stroke.width <= 0:
        return fill
    return f'{fill} {_paint("stroke", asset.stroke.color, asset.stroke.opacity)} stroke-width="{asset.stroke.width:g}"'


def _paint(name: str, color: str, opacity: float) -> str:
    """Return a colour as two SVG attributes. name: fill, stroke or stop."""
    full = hex_color(color, opacity)
    key = "stop-color" if name == "stop" else name
    return f'{key}="{full[:7]}" {name}-opacity="{int(full[7:], 16) / 255:.4g}"'


def _svg(canvas: Canvas, body: str) -> str:
    size = f'width="{canvas.width}" height="{canvas.height}" viewBox="0 0 {canvas.width} {canvas.height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{body}</svg>'


def draw_svg(clip: TimedClip, asset: SvgAsset, timeline: Timeline, resolver: FontResolver) -> Drawing:
    """Return the drawing of SVG markup, scaled into its box, or of a named shape."""
    if asset.src is None:
        return _draw_named(clip, asset, timeline, resolver)
    source = strip_control_characters(asset.src)
    attributes = _root_attributes(source)
    own_width, own_height = _own_size(attributes)
    width = asset.width or clip.width
    height = asset.height or clip.height
    if width is None and height is None and own_width and own_height:
        canvas = sized_canvas(timeline, own_width, own_height)
    else:
        canvas = canvas_of(clip, timeline)
    markup = _fit_root(tidy_html(source, resolver, "/asset/src"), attributes, canvas, (own_width, own_height))
    faces = f"<style>{resolver.faces}</style>" if resolver.faces else ""
    layer = RasterLayer(
        f"<!DOCTYPE html>{faces}{markup}", _STYLE, opacity=asset.opacity, shadow=shadow_of(asset.shadow)
    )
    return still(canvas, [layer], clip.frames, resolver)


def _root_attributes(markup: str) -> dict[str, str]:
    """Return the attributes of the root element, names in lower case."""
    span = _root_span(markup)
    pairs = _ATTRIBUTE.findall(markup[span[0] : span[1]]) if span else []
    return {name.lower(): value[1:-1] for name, value in pairs}


def _root_span(markup: str) -> tuple[int, int] | None:
    """Return where the root element's attributes begin and end; None without a root element."""
    opened = markup.lower().find("<svg")
    closed = markup.find(">", opened)
    return None if opened < 0 or closed < 0 else (opened + len("<svg"), closed)


def _own_size(attributes: dict[str, str]) -> tuple[float | None, float | None]:
    """Return the size that an SVG declares: by width and height, else by its view box."""
    width, height = (_LENGTH.match(attributes.get(name, "")) for name in ("width", "height"))
    if width and height:
        return float(width[1]), float(height[1])
    numbers = re.findall(r"-?\d+(?:\.\d+)?", attributes.get("viewbox", ""))
    if len(numbers) == 4:
        return float(numbers[2]), float(numbers[3])
    return None, None


def _fit_root(markup: str, attributes: dict[str, str], canvas: Canvas, own: tuple[float | None, float | None]) -> str:
    """Return the markup from its root element on, as large as the canvas."""
    span = _root_span(markup)
    if span is None:
        return markup
    own_attributes = markup[span[0] : span[1]]
    rest = re.sub(r"\s(?:width|height)\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s>]+)", "", own_attributes, flags=re.IGNORECASE)
    closed = "/" if rest.rstrip().endswith("/") else ""
    if "viewbox" not in attributes and own[0] and own[1]:
        rest = f' viewBox="0 0 {own[0]:g} {own[1]:g}"' + rest
    return (
        f'<svg width="{canvas.width}" height="{canvas.height}"{rest.rstrip().rstrip("/")}{closed}>'
        + markup[span[1] + 1 :]
    )


def _draw_named(clip: TimedClip, asset: SvgAsset, timeline: Timeline, resolver: FontResolver) -> Drawing:
    shape = asset.shape
    if shape is None:
        return still(canvas_of(clip, timeline), [], clip.frames, resolver)
    outline = asset.stroke.width if asset.stroke else 0.0
    width, height = _named_size(shape)
    canvas = sized_canvas(
        timeline,
        asset.width or clip.width or math.ceil(width + outline) or timeline.output.width,
        asset.height or clip.height or math.ceil(height + outline) or timeline.output.height,
    )
    defs, fill = _fill(asset.fill)
    body = f"<defs>{defs}</defs><g {_transform(asset.transform, canvas)}>"
    place = "" if shape.type == "path" else f'transform="translate({canvas.width / 2:g} {canvas.height / 2:g})"'
    body += f"<g {place} {fill} {_outline(asset.stroke)}>{_named(shape)}</g></g>"
    layer = RasterLayer(_svg(canvas, body), _STYLE, opacity=asset.opacity, shadow=shadow_of(asset.shadow))
    return still(canvas, [layer], clip.frames, resolver)


def _named_size(shape: SvgShape) -> tuple[float, float]:
    """Return a named shape's width and height; zero for a path, whose size is unknown before it is drawn."""
    radius = shape.radius or shape.outer_radius
    sizes: dict[str, tuple[float, float]] = {
        "rectangle": (shape.width or 0, shape.height or 0),
        "cross": (shape.width or 0, shape.height or 0),
        "ellipse": (2 * (shape.radius_x or 0), 2 * (shape.radius_y or 0)),
        "line": (shape.length or 0, shape.thickness or 0),
        "arrow": (shape.length or 0, max(shape.head_width or 0, shape.shaft_width or 0)),
        "heart": (shape.size or 0, shape.size or 0),
        "path": (0, 0),
    }
    return sizes.get(shape.type, (2 * (radius or 0), 2 * (radius or 0)))


def _named(shape: SvgShape) -> str:
    width, height = _named_size(shape)
    match shape.type:
        case "rectangle" | "line":
            corner = min(shape.corner_radius, width / 2, height / 2)
            return (
                f'<rect x="{-width / 2:g}" y="{-height / 2:g}" width="{width:g}" height="{height:g}" rx="{corner:g}"/>'
            )
        case "circle" | "ellipse":
            return f'<ellipse cx="0" cy="0" rx="{width / 2:g}" ry="{height / 2:g}"/>'
        case "path":
            return f'<path d="{html.escape(shape.d or "")}"/>'
        case "ring":
            return (
                f'<path fill-rule="evenodd" d="{_circle(shape.outer_radius or 0)}{_circle(shape.inner_radius or 0)}"/>'
            )
        case "heart":
            return f'<path d="{_heart(width)}"/>'
        case _:
            points = " ".join(f"{x:.3f},{y:.3f}" for x, y in _corners(shape))
            return f'<polygon points="{points}"/>'


def _corners(shape: SvgShape) -> list[tuple[float, float]]:
    if shape.type == "polygon":
        return _ring([shape.radius or 0.0] * (shape.sides or 3))
    if shape.type == "star":
        return _ring([shape.outer_radius or 0.0, shape.inner_radius or 0.0] * (shape.points or 5))
    if shape.type == "arrow":
        end, half = (shape.length or 0.0) / 2, (shape.shaft_width or 0.0) / 2
        neck, head = end - (shape.head_length or 0.0), (shape.head_width or 0.0) / 2
        return [(-end, -half), (neck, -half), (neck, -head), (end, 0), (neck, head), (neck, half), (-end, half)]
    x, y, arm = (shape.width or 0.0) / 2, (shape.height or 0.0) / 2, (shape.thickness or 0.0) / 2
    quarter = [(arm, -y), (arm, -arm), (x, -arm)]
    right = quarter + [(px, -py) for px, py in reversed(quarter)]
    return right + [(-px, py) for px, py in reversed(right)]


def _ring(radii: list[float]) -> list[tuple[float, float]]:
    """Return points at those distances, evenly around the origin, starting at the top."""
    turns = [2 * math.pi * index / len(radii) - math.pi / 2 for index in range(len(radii))]
    return [(radius * math.cos(turn), radius * math.sin(turn)) for radius, turn in zip(radii, turns, strict=True)]


def _circle(radius: float) -> str:
    return f"M{-radius:g} 0a{radius:g} {radius:g} 0 1 0 {2 * radius:g} 0a{radius:g} {radius:g} 0 1 0 {-2 * radius:g} 0Z"


def _heart(size: float) -> str:
    s = size / 2
    return (
        f"M0 {s:g}C{-0.35 * s:g} {0.62 * s:g} {-s:g} {0.2 * s:g} {-s:g} {-0.4 * s:g}"
        f"C{-s:g} {-0.85 * s:g} {-0.65 * s:g} {-s:g} {-0.48 * s:g} {-s:g}"
        f"C{-0.25 * s:g} {-s:g} {-0.08 * s:g} {-0.85 * s:g} 0 {-0.62 * s:g}"
        f"C{0.08 * s:g} {-0.85 * s:g} {0.25 * s:g} {-s:g} {0.48 * s:g} {-s:g}"
        f"C{0.65 * s:g} {-s:g} {s:g} {-0.85 * s:g} {s:g} {-0.4 * s:g}"
        f"C{s:g} {0.2 * s:g} {0.35 * s:g} {0.62 * s:g} 0 {s:g}Z"
    )


def _fill(fill: SvgFill | None) -> tuple[str, str]:
    """Return the definitions and the attributes of a fill."""
    if fill is None:
        return "", _paint("fill", "#000000", 1.0)
    if fill.type == "solid" or not fill.stops:
        return "", _paint("fill", fill.color or "#000000", fill.opacity)
    stops = "".join(f'<stop offset="{stop.offset:g}" {_paint("stop", stop.color, 1.0)}/>' for stop in fill.stops)
    if fill.type == "radial":
        return (
            f'<radialGradient id="rw-fill">{stops}</radialGradient>',
            f'fill="url(#rw-fill)" fill-opacity="{fill.opacity:g}"',
        )
    turn = f'gradientTransform="rotate({fill.angle:g} 0.5 0.5)"'
    return (
        f'<linearGradient id="rw-fill" {turn}>{stops}</linearGradient>',
        f'fill="url(#rw-fill)" fill-opacity="{fill.opacity:g}"',
    )


def _outline(stroke: SvgStroke | None) -> str:
    if stroke is None or stroke.width <= 0:
        return ""
    dashes = f'stroke-dasharray="{" ".join(f"{dash:g}" for dash in stroke.dash_array)}"' if stroke.dash_array else ""
    return (
        f'{_paint("stroke", stroke.color, stroke.opacity)} stroke-width="{stroke.width:g}" '
        f'stroke-linecap="{stroke.line_cap}" stroke-linejoin="{stroke.line_join}" '
        f'{dashes} stroke-dashoffset="{stroke.dash_offset:g}"'
    )


def _transform(transform: SvgTransform | None, canvas: Canvas) -> str:
    if transform is None:
        return ""
    x, y = canvas.width * transform.origin_x, canvas.height * transform.origin_y
    return (
        f'transform="translate({transform.x + x:g} {transform.y + y:g}) rotate({transform.rotation:g}) '
        f'scale({transform.scale:g}) translate({-x:g} {-y:g})"'
    )
