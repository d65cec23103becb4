"""Captions and rich captions: the cues of a subtitle file as timed pictures."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from engine.language.text_assets import ActiveWord, CaptionAsset, CaptionMargin, RichCaptionAsset, Sides
from engine.raster.drawing import Canvas, Drawing, canvas_of, sequence
from engine.raster.errors import DrawingFailed
from engine.raster.job import RasterLayer, StrokeSpec
from engine.raster.text import box_of, rich_block
from engine.raster.text_block import TextBlock, TextBox, block_layers
from engine.raster.text_css import FontResolver, css_color, escape_text, hex_color
from engine.subtitles import Cue, TimedWord, read_subtitles
from engine.timeline.model import TimedClip, Timeline

MAX_CUES = 20_000
_SIDE_MARGIN = 0.05
_END_MARGIN = 0.06
_POP_SCALE = 1.15


@dataclass(frozen=True, slots=True)
class _CueInterval:
    """The frames from `start` until `end`, and the cues shown in them, each with the number of words spoken."""

    start: int
    end: int
    cues: tuple[tuple[Cue, int], ...]


def draw_caption(clip: TimedClip, asset: CaptionAsset, timeline: Timeline, resolver: FontResolver) -> Drawing:
    """Return the drawing of captions at the viewport's size."""
    canvas = canvas_of(clip, timeline, viewport=True)
    font, margin = asset.font, asset.margin
    stroke = (
        StrokeSpec(font.stroke_width / 2, hex_color(font.stroke)) if font.stroke and font.stroke_width > 0 else None
    )
    style_box = box_of(asset.background, None, Sides())
    fit_content = asset.background is not None and asset.background.color is not None
    own_padding = asset.background.padding if asset.background else 0.0
    block = TextBlock(
        font=resolver.font(font.family, font.weight, "/asset/font/family"),
        size=font.size,
        color=css_color(font.color, 1.0 if stroke else font.opacity),
        fill_opacity=font.opacity if stroke else 1.0,
        vertical="top" if margin.top is not None and margin.bottom is None else "bottom",
        line_height=font.line_height or 1.2,
        box=TextBox(
            style_box.background,
            style_box.radius,
            fit_content,
            padding=_margins(margin, canvas),
            content_padding=(own_padding,) * 4,
        ),
        stroke=stroke,
    )

    def layers(cues: Sequence[tuple[Cue, int]]) -> tuple[RasterLayer, ...]:
        return block_layers(block, canvas, escape_text("\n".join(cue.text for cue, _ in cues)), resolver)

    return _draw(clip, timeline, canvas, resolver, layers, by_word=False)


def draw_rich_caption(clip: TimedClip, asset: RichCaptionAsset, timeline: Timeline, resolver: FontResolver) -> Drawing:
    """Return the drawing of captions styled as rich text; the spoken word is highlighted if it is timed."""
    canvas = canvas_of(clip, timeline)
    block = rich_block(asset, asset.font, resolver)
    fills_viewport = (canvas.width, canvas.height) == (canvas.view_width, canvas.view_height)
    if fills_viewport and "align" not in asset.model_fields_set:
        block = _at_bottom(block, canvas)
    style = asset.animation.style if asset.animation else "highlight"
    active = _active_css(asset.active, style, resolver)

    def layers(cues: Sequence[tuple[Cue, int]]) -> tuple[RasterLayer, ...]:
        lines = [_spoken(cue, spoken, style, active) if cue.words else escape_text(cue.text) for cue, spoken in cues]
        return block_layers(block, canvas, "\n".join(lines), resolver)

    return _draw(clip, timeline, canvas, resolver, layers, by_word=bool(active) or style == "typewriter")


def _draw(
    clip: TimedClip,
    timeline: Timeline,
    canvas: Canvas,
    resolver: FontResolver,
    layers: Callable[[Sequence[tuple[Cue, int]]], tuple[RasterLayer, ...]],
    *,
    by_word: bool,
) -> Drawing:
    """Return the pictures of a clip's cues, with empty ones between them; they fill the clip exactly."""
    pictures: list[tuple[Sequence[RasterLayer], int]] = []
    reached = 0
    cues = _cues_of(clip)
    if by_word and not any(cue.words for cue in cues):
        detail = "The subtitle file has no times for single words, so no word is highlighted."
        resolver.warn("/asset/src", "no_word_times", detail)
    for interval in _cue_intervals(cues, clip, float(timeline.output.fps), by_word=by_word):
        pictures.append(((), interval.start - reached))
        pictures.append((layers(interval.cues), interval.end - interval.start))
        reached = interval.end
    pictures.append(((), clip.frames - reached))
    return sequence(canvas, pictures, resolver)


def _cues_of(clip: TimedClip) -> tuple[Cue, ...]:
    """Read a clip's subtitle file. Raises DrawingFailed if it is missing, damaged or too long."""
    if clip.media is None:
        raise DrawingFailed("the captions have no subtitle file")
    try:
        cues = read_subtitles(clip.media.path).cues
    except (OSError, ValueError) as error:
        detail = f"the subtitle file cannot be used: {error}"
        raise DrawingFailed(detail) from error
    if len(cues) > MAX_CUES:
        detail = f"the subtitle file has {len(cues)} cues; at most {MAX_CUES} can be drawn"
        raise DrawingFailed(detail)
    return cues


def _cue_intervals(cues: Sequence[Cue], clip: TimedClip, fps: float, *, by_word: bool) -> list[_CueInterval]:
    """Split the clip's frames wherever a cue or a spoken word begins or ends."""

    def frame(seconds: float) -> int:
        return min(clip.frames, max(0, math.floor((seconds - clip.trim_s) / (clip.speed or 1.0) * fps + 0.5)))

    timed = [(frame(cue.start_s), frame(cue.end_s), cue) for cue in cues]
    timed = [(start, end, cue) for start, end, cue in timed if end > start]
    edges = {edge for start, end, _ in timed for edge in (start, end)}
    if by_word:
        edges |= {min(max(frame(word.start_s), start), end) for start, end, cue in timed for word in cue.words}
    ordered = sorted(edges)
    intervals: list[_CueInterval] = []
    waiting = sorted(timed, key=lambda entry: entry[0], reverse=True)
    shown: list[tuple[int, int, Cue]] = []
    for start, end in pairwise(ordered):
        while waiting and waiting[-1][0] <= start:
            shown.append(waiting.pop())
        shown = [entry for entry in shown if entry[1] > start]
        if shown:
            spoken = tuple((cue, sum(frame(word.start_s) <= start for word in cue.words)) for _, _, cue in shown)
            intervals.append(_CueInterval(start, end, spoken))
    return intervals


def _margins(margin: CaptionMargin, canvas: Canvas) -> tuple[float, float, float, float]:
    """Return the margins of captions in pixels: top, right, bottom, left."""
    top = _END_MARGIN if margin.top is None else margin.top
    bottom = _END_MARGIN if margin.bottom is None else margin.bottom
    right = _SIDE_MARGIN if margin.right is None else margin.right
    left = _SIDE_MARGIN if margin.left is None else margin.left
    return top * canvas.height, right * canvas.width, bottom * canvas.height, left * canvas.width


def _at_bottom(block: TextBlock, canvas: Canvas) -> TextBlock:
    """Return a block at the bottom of the viewport, the default position of captions."""
    top, right, bottom, left = block.box.padding
    margins = _margins(CaptionMargin(), canvas)
    padding = (top + margins[0], right + margins[1], bottom + margins[2], left + margins[3])
    return replace(block, vertical="bottom", box=replace(block.box, padding=padding))


def _active_css(active: ActiveWord | None, style: str, resolver: FontResolver) -> str:
    """Return the CSS of the word being spoken; empty if it looks like the others."""
    parts: list[str] = []
    scale = active.scale if active else 1.0
    if style in {"pop", "bounce"} and scale == 1.0 and active is not None:
        scale = _POP_SCALE
    if active is not None:
        font = active.font
        if font.color:
            parts.append(f"color:{css_color(font.color, 1.0 if font.opacity is None else font.opacity)}")
        if font.background:
            parts.append(f"background-color:{css_color(font.background)}")
        if font.weight:
            parts.append(f"font-weight:{font.weight}")
        if font.text_decoration:
            parts.append(f"text-decoration:{font.text_decoration}")
        if font.family:
            parts.append(resolver.font(font.family, font.weight, "/asset/active/font/family").rstrip(";"))
        for name, value in (("stroke", active.stroke), ("shadow", active.shadow)):
            if value is not None:
                detail = f"The spoken word is drawn with the {name} of the other words."
                resolver.warn(f"/asset/active/{name}", "not_supported", detail)
    if scale != 1.0:
        parts.append(f"display:inline-block;transform:scale({scale:.3f})")
    return ";".join(parts)


def _spoken(cue: Cue, spoken: int, style: str, active: str) -> str:
    """Return a cue with the word being spoken highlighted. spoken: how many words have begun."""
    return "".join(_word(word, index, spoken, style, active) for index, word in enumerate(cue.words)).strip()


def _word(word: TimedWord, index: int, spoken: int, style: str, active: str) -> str:
    """Return one word of a cue; its blanks stay outside the highlight."""
    text = word.text
    core = text.strip()
    before, after = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
    if style == "typewriter" and index >= spoken:
        marked = f'<span style="visibility:hidden">{escape_text(core)}</span>'
    elif active and (index < spoken if style == "karaoke" else index == spoken - 1):
        marked = f'<span style="{active.replace(chr(34), chr(39))}">{escape_text(core)}</span>'
    else:
        marked = escape_text(core)
    return escape_text(before) + marked + escape_text(after)
