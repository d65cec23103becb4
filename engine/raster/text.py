"""Text and rich text assets."""

from __future__ import annotations

from engine.language.text_assets import (
    Background,
    Border,
    Gradient,
    RichTextAsset,
    RichTextBase,
    RichTextFont,
    Shadow,
    Sides,
    Stroke,
    TextAsset,
)
from engine.raster.animation import animate
from engine.raster.drawing import Drawing, canvas_of, still
from engine.raster.job import GradientSpec, ShadowSpec, StrokeSpec
from engine.raster.text_block import TextBlock, TextBox, block_layers
from engine.raster.text_css import FontResolver, css_color, escape_text, hex_color, px
from engine.timeline.model import TimedClip, Timeline

_DEFAULT_LINE_HEIGHT = 1.2


def draw_text(clip: TimedClip, asset: TextAsset, timeline: Timeline, resolver: FontResolver) -> Drawing:
    """Return the drawing of a text asset."""
    canvas = canvas_of(clip, timeline)
    font = asset.font
    stroke = stroke_of(asset.stroke)
    block = TextBlock(
        font=resolver.font(font.family, font.weight, "/asset/font/family"),
        size=font.size,
        color=css_color(font.color, 1.0 if stroke else font.opacity),
        fill_opacity=font.opacity if stroke else 1.0,
        horizontal=asset.alignment.horizontal,
        vertical=asset.alignment.vertical,
        line_height=font.line_height or _DEFAULT_LINE_HEIGHT,
        box=box_of(asset.background, None, Sides()),
        stroke=stroke,
    )
    if asset.ellipsis is not None:
        detail = "Text that does not fit is cut at the edge of its box, without an ellipsis."
        resolver.warn("/asset/ellipsis", "not_supported", detail)
    if asset.animation is not None and asset.animation.preset is not None and asset.text.strip():
        return animate(clip, asset.animation, asset.text, block, canvas, timeline, resolver)
    return still(canvas, block_layers(block, canvas, escape_text(asset.text), resolver), clip.frames, resolver)


def draw_rich_text(clip: TimedClip, asset: RichTextAsset, timeline: Timeline, resolver: FontResolver) -> Drawing:
    """Return the drawing of a rich text asset."""
    canvas = canvas_of(clip, timeline)
    block = rich_block(asset, asset.font, resolver)
    if asset.animation is not None and asset.animation.preset is not None and asset.text.strip():
        return animate(clip, asset.animation, asset.text, block, canvas, timeline, resolver)
    return still(canvas, block_layers(block, canvas, escape_text(asset.text), resolver), clip.frames, resolver)


def rich_block(asset: RichTextBase, font: RichTextFont, resolver: FontResolver) -> TextBlock:
    """Return the text style that rich text and rich captions have in common."""
    style = asset.style
    stroke = stroke_of(asset.stroke) or stroke_of(font.stroke)
    shadow = shadow_of(asset.shadow)
    gradient = gradient_of(style.gradient, resolver)
    effects = stroke or shadow or gradient
    size = font.size if "size" in font.model_fields_set or style.size is None else style.size
    return TextBlock(
        font=resolver.font(font.family, font.weight, "/asset/font/family", style=font.style),
        size=size,
        color=css_color(font.color, 1.0 if effects else font.opacity),
        fill_opacity=font.opacity if effects else 1.0,
        horizontal=asset.align.horizontal,
        vertical=asset.align.vertical,
        line_height=style.line_height,
        text_css=(
            f"letter-spacing:{px(style.letter_spacing)};word-spacing:{px(style.word_spacing)};"
            f"text-transform:{style.text_transform};text-decoration:{style.text_decoration};"
        ),
        highlight=css_color(font.background) if font.background else None,
        box=box_of(asset.background, asset.border, asset.padding),
        stroke=stroke,
        shadow=shadow,
        gradient=gradient,
    )


def box_of(background: Background | None, border: Border | None, padding: Sides) -> TextBox:
    """Return the box behind a text."""
    inset = (padding.top, padding.right, padding.bottom, padding.left)
    framed = border is not None and border.width > 0 and border.opacity > 0
    radius = max(background.border_radius if background else 0.0, border.radius if border else 0.0)
    color = css_color(background.color, background.opacity) if background and background.color else None
    own = background.padding if background else 0.0
    fit_content = bool(background and background.wrap)
    return TextBox(
        background=color,
        radius=radius,
        fit_content=fit_content,
        border_width=border.width if border and framed else 0.0,
        border_color=css_color(border.color, border.opacity) if border and framed else None,
        padding=inset if fit_content else (inset[0] + own, inset[1] + own, inset[2] + own, inset[3] + own),
        content_padding=(own, own, own, own),
    )


def stroke_of(stroke: Stroke | None) -> StrokeSpec | None:
    """Return an outline; half of the format's width lies inside the letters, under their fill."""
    if stroke is None or stroke.width <= 0 or stroke.opacity <= 0:
        return None
    return StrokeSpec(stroke.width / 2, hex_color(stroke.color, stroke.opacity))


def shadow_of(shadow: Shadow | None) -> ShadowSpec | None:
    """Return a shadow; the blur in CSS is twice the standard deviation of the Gaussian."""
    if shadow is None or shadow.opacity <= 0:
        return None
    color = hex_color(shadow.color, shadow.opacity)
    return ShadowSpec(shadow.offset_x, shadow.offset_y, shadow.blur / 2, color)


def gradient_of(gradient: Gradient | None, resolver: FontResolver) -> GradientSpec | None:
    """Return a gradient; a radial one is drawn as a linear one, with a warning."""
    if gradient is None:
        return None
    if gradient.type != "linear":
        detail = "A radial gradient over text is drawn as a linear one."
        resolver.warn("/asset/style/gradient/type", "not_supported", detail)
    stops = tuple((stop.offset, hex_color(stop.color)) for stop in sorted(gradient.stops, key=lambda stop: stop.offset))
    return GradientSpec(gradient.angle, stops)
