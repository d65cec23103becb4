"""HTML assets: a page in a box, without scripts and without external resources."""

from __future__ import annotations

from engine.language.text_assets import Html5Asset, HtmlAsset
from engine.raster.css import close_style, tidy_css, tidy_html
from engine.raster.drawing import Drawing, canvas_of, still
from engine.raster.job import RasterLayer
from engine.raster.text_css import FontResolver, css_color, strip_control_characters
from engine.raster.title import split_position
from engine.timeline.model import TimedClip, Timeline

_JUSTIFY = {"top": "flex-start", "center": "center", "bottom": "flex-end"}
_DEFAULT_SIZE_PX = 16


def draw_html(clip: TimedClip, asset: HtmlAsset, timeline: Timeline, resolver: FontResolver) -> Drawing:
    """Return the drawing of an HTML asset, with its content where `position` says."""
    canvas = canvas_of(clip, timeline)
    vertical, horizontal = split_position(asset.position)
    background = f"html{{background-color:{css_color(asset.background)}}}" if asset.background else ""
    base = (
        "html,body{margin:0;padding:0}"
        f'body{{font-family:"Open Sans";font-size:{_DEFAULT_SIZE_PX}px}}{background}'
        f"#rw-frame{{width:{canvas.width}px;height:{canvas.height}px;display:flex;flex-direction:column;"
        f"justify-content:{_JUSTIFY[vertical]}}}#rw-content{{width:100%;text-align:{horizontal}}}"
        # Outer margins would displace a short text; the asset's own style can set them again.
        "#rw-content>:first-child{margin-top:0}#rw-content>:last-child{margin-bottom:0}"
    )
    body = f'<div id="rw-frame"><div id="rw-content">{_markup(asset, resolver)}</div></div>'
    return still(canvas, [RasterLayer(_document(asset, body, resolver), base)], clip.frames, resolver)


def draw_html5(clip: TimedClip, asset: Html5Asset, timeline: Timeline, resolver: FontResolver) -> Drawing:
    """Return the drawing of a page without scripts, as it is first laid out."""
    canvas = canvas_of(clip, timeline)
    base = f'body{{font-family:"Open Sans";font-size:{_DEFAULT_SIZE_PX}px}}'
    layer = RasterLayer(_document(asset, _markup(asset, resolver), resolver), base)
    return still(canvas, [layer], clip.frames, resolver)


def _markup(asset: HtmlAsset | Html5Asset, resolver: FontResolver) -> str:
    return tidy_html(strip_control_characters(asset.html), resolver, "/asset/html")


def _document(asset: HtmlAsset | Html5Asset, body: str, resolver: FontResolver) -> str:
    css = close_style(tidy_css(strip_control_characters(asset.css), resolver, "/asset/css"))
    head = f"<head><style>{resolver.faces}</style><style>{css}</style></head>"
    return f"<!DOCTYPE html><html>{head}<body>{body}</body></html>"
