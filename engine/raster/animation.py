"""Text animations: text that appears piece by piece, as a sequence of pictures.

The speeds and staggers are our own: the format names the presets without describing their curves.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from engine.language.text_assets import TextAnimation
from engine.raster.drawing import Canvas, Drawing, sequence
from engine.raster.job import RasterLayer
from engine.raster.text_block import TextBlock, block_layers
from engine.raster.text_css import FontResolver, escape_text, px
from engine.timeline.model import TimedClip, Timeline

MAX_ANIMATED_S = 10.0
_DEFAULT_S = 1.0
_TYPED_S = 0.06
_MAX_UNITS = 400
# The share of the animation that one piece takes to appear; the rest is the stagger between first and last.
_PIECE_SHARE = 0.45
# A direction is that of the movement, as in clip transitions: `right` moves in from the left.
_DIRECTIONS = {"left": (1.0, 0.0), "right": (-1.0, 0.0), "up": (0.0, 1.0), "down": (0.0, -1.0)}
_DEFAULT_DIRECTIONS = {"slideIn": "right", "ascend": "up", "shift": "right", "movingLetters": "up"}
_DEFAULT_STYLES = {"typewriter": "character", "movingLetters": "character", "ascend": "word", "shift": "word"}
_DISTANCES = {"slideIn": 3.0, "ascend": 0.8, "shift": 1.0, "movingLetters": 1.0}


@dataclass(frozen=True, slots=True)
class _ResolvedAnimation:
    """An animation with its defaults set. pieces: text with blanks. distance: how far a piece moves, in font sizes."""

    preset: str
    pieces: tuple[str, ...]
    frames: int
    distance: tuple[float, float]


def animate(
    clip: TimedClip,
    animation: TextAnimation,
    text: str,
    block: TextBlock,
    canvas: Canvas,
    timeline: Timeline,
    resolver: FontResolver,
) -> Drawing:
    """Return the drawing of an animated text; its last picture stays until the end of the clip."""
    resolved = _resolve(clip, animation, text, timeline, resolver)
    shown: list[tuple[Sequence[RasterLayer], int]] = [
        (_picture(resolved, frame / resolved.frames, block, canvas, resolver), 1) for frame in range(resolved.frames)
    ]
    final = block_layers(block, canvas, _markup(resolved, lambda _: 1.0, block), resolver)
    shown.append((final, clip.frames - resolved.frames))
    return sequence(canvas, shown, resolver)


def _resolve(
    clip: TimedClip, animation: TextAnimation, text: str, timeline: Timeline, resolver: FontResolver
) -> _ResolvedAnimation:
    preset = animation.preset or "fadeIn"
    style = animation.style or _DEFAULT_STYLES.get(preset)
    if style == "character" and (_needs_shaping(text) or len(text) > _MAX_UNITS):
        style = "word"
    pieces = _split(text, style)
    fps = float(timeline.output.fps)
    default_s = _TYPED_S * len(pieces) if preset == "typewriter" else _DEFAULT_S
    wanted_s = animation.duration or default_s
    if wanted_s > MAX_ANIMATED_S:
        detail = f"Text animations last at most {MAX_ANIMATED_S:g} seconds."
        resolver.warn("/asset/animation/duration", "out_of_range", detail)
    frames = max(1, round(min(wanted_s, MAX_ANIMATED_S) * fps))
    direction = animation.direction or _DEFAULT_DIRECTIONS.get(preset, "up")
    x, y = _DIRECTIONS[direction]
    distance = _DISTANCES.get(preset, 0.0)
    return _ResolvedAnimation(preset, pieces, min(frames, clip.frames - 1), (x * distance, y * distance))


def _split(text: str, style: str | None) -> tuple[str, ...]:
    """Split text into pieces that appear one after another; blanks stay with the piece before them."""
    if style is None:
        return (text,)
    if style == "word":
        return tuple(re.findall(r"\s*\S+\s*(?=\S|$)", text)) or (text,)
    pieces: list[str] = []
    for character in text:
        joins = bool(pieces) and (
            unicodedata.combining(character)
            or character in "\u200d\ufe0f"
            or pieces[-1].endswith("\u200d")
            or unicodedata.category(character) == "Sk"
        )
        if joins:
            pieces[-1] += character
        else:
            pieces.append(character)
    return tuple(pieces)


def _needs_shaping(text: str) -> bool:
    """Return whether letters join, reorder or depend on each other, so that they must not be split."""
    return any(
        unicodedata.bidirectional(character) in {"R", "AL"} or 0x0900 <= ord(character) <= 0x109F for character in text
    )


def _picture(
    resolved: _ResolvedAnimation, time: float, block: TextBlock, canvas: Canvas, resolver: FontResolver
) -> tuple[RasterLayer, ...]:
    """Return the layers at a time of the animation, 0 to 1."""
    count = len(resolved.pieces)
    if resolved.preset == "typewriter":
        typed = int(time * count) + 1
        return block_layers(block, canvas, _typed(resolved.pieces, typed), resolver)
    if count == 1:
        eased = _ease(time)
        layers = block_layers(block, canvas, escape_text(resolved.pieces[0]), resolver)
        x, y = ((1 - eased) * distance * block.size for distance in resolved.distance)
        return tuple(replace(layer, opacity=eased, shift_x=round(x), shift_y=round(y)) for layer in layers)

    def progress(index: int) -> float:
        start = (1 - _PIECE_SHARE) * index / max(1, count - 1)
        return _ease(min(1.0, max(0.0, (time - start) / _PIECE_SHARE)))

    return block_layers(block, canvas, _markup(resolved, progress, block), resolver)


def _typed(pieces: Sequence[str], count: int) -> str:
    """Return the whole text with all but the first pieces hidden, so that the layout never moves."""
    seen, unseen = "".join(pieces[:count]), "".join(pieces[count:])
    return escape_text(seen) + (f'<span style="visibility:hidden">{escape_text(unseen)}</span>' if unseen else "")


def _markup(resolved: _ResolvedAnimation, progress: Callable[[int], float], block: TextBlock) -> str:
    if resolved.preset == "typewriter" or len(resolved.pieces) == 1:
        return escape_text("".join(resolved.pieces))
    parts: list[str] = []
    for index, piece in enumerate(resolved.pieces):
        eased = progress(index)
        word = piece.strip()
        before, after = piece[: len(piece) - len(piece.lstrip())], piece[len(piece.rstrip()) :]
        if not word:
            parts.append(escape_text(piece))
            continue
        x, y = ((1 - eased) * distance * block.size for distance in resolved.distance)
        transform = f"transform:translate({px(x)},{px(y)})"
        style = f"display:inline-block;opacity:{eased:.3f};{transform}"
        parts.append(f'{escape_text(before)}<span style="{style}">{escape_text(word)}</span>{escape_text(after)}')
    return "".join(parts)


def _ease(time: float) -> float:
    return 1 - (1 - time) ** 3
