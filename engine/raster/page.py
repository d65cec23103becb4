"""HTML assets: a page in a box, without script and without anything from outside."""

from __future__ import annotations

from engine.language.text_assets import Html5Asset, HtmlAsset
from engine.raster.css import close_style, tidy_css, tidy_html
from engine.raster.drawing import Drawing, canvas_of, still
from engine.raster.job import Layer
from engine.raster.title import split_position
from engine.raster.typeset import Typesetter, css_color, drawable
from engine.timeline.model import TimedClip, Timeline

_JUSTIFY = {"top": "flex-start", "center": "center", "bottom": "flex-end"}
_DEFAULT_SIZE_PX = 16


def draw_html(clip: TimedClip, asset: HtmlAsset, timeline: Timeline, setter: Typesetter) -> Drawing:
    """Return the drawing of an HTML asset: its content stands in the box where `position` says."""
    canvas = canvas_of(clip, timeline)
    vertical, horizontal = split_position(asset.position)
    ground = f"html{{background-color:{css_color(asset.background)}}}" if asset.background else ""
    base = (
        "html,body{margin:0;padding:0}"
        f'body{{font-family:"Open Sans";font-size:{_DEFAULT_SIZE_PX}px}}{ground}'
        f"#rw-frame{{width:{canvas.width}px;height:{canvas.height}px;display:flex;flex-direction:column;"
        f"justify-content:{_JUSTIFY[vertical]}}}#rw-content{{width:100%;text-align:{horizontal}}}"
        # Outer margins would push a short text off its place; the asset's own style can set them again.
        "#rw-content>:first-child{margin-top:0}#rw-content>:last-child{margin-bottom:0}"
    )
    body = f'<div id="rw-frame"><div id="rw-content">{_markup(asset, setter)}</div></div>'
    return still(canvas, [Layer(_document(asset, body, setter), base)], clip.frames, setter)


def draw_html5(clip: TimedClip, asset: Html5Asset, timeline: Timeline, setter: Typesetter) -> Drawing:
    """Return the drawing of a page without script: its first and only state."""
    canvas = canvas_of(clip, timeline)
    base = f'body{{font-family:"Open Sans";font-size:{_DEFAULT_SIZE_PX}px}}'
    return still(canvas, [Layer(_document(asset, _markup(asset, setter), setter), base)], clip.frames, setter)


def _markup(asset: HtmlAsset | Html5Asset, setter: Typesetter) -> str:
    """Return the asset's HTML, fonts resolved."""
    return tidy_html(drawable(asset.html), setter, "/asset/html")


def _document(asset: HtmlAsset | Html5Asset, body: str, setter: Typesetter) -> str:
    """Return the whole document, the asset's style sheet in its head."""
    css = close_style(tidy_css(drawable(asset.css), setter, "/asset/css"))
    return (
        f"<!DOCTYPE html><html><head><style>{setter.faces}</style><style>{css}</style></head><body>{body}</body></html>"
    )
