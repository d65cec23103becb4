"""Masks: luma mattes and wipes, as grey video whose brightness becomes a layer's alpha."""

from __future__ import annotations

from fractions import Fraction

from engine.graph.expressions import expression
from engine.graph.video_filters import MASK, OPAQUE, crop_filter, frame_sync, frame_timebase
from engine.plan.model import Layer, Matte, StillSource, VideoSource, WipeMask


def color_source(color: str, size: tuple[int, int], frames: int, fps: Fraction) -> str:
    """Return the source filter of `frames` frames of one colour."""
    rate = f"{fps.numerator}/{fps.denominator}"
    return f"color=c={color}:s={size[0]}x{size[1]}:r={rate},trim=end_frame={frames},{frame_timebase(fps)}"


def apply_mask(video: str, mask: str, has_alpha: bool, name: str) -> tuple[list[str], str]:
    """Return the statements that multiply a layer's alpha by a mask, and the output label."""
    out = f"{name}k"
    if not has_alpha:
        return [f"[{video}]format=yuva420p[{name}u]", f"[{name}u][{mask}]alphamerge[{out}]"], out
    return [
        f"[{video}]split[{name}p][{name}q]",
        f"[{name}q]alphaextract,{MASK}[{name}r]",
        f"[{name}r][{mask}]blend=all_mode=multiply[{name}s]",
        f"[{name}p][{name}s]alphamerge[{out}]",
    ], out


def wipe_mask(wipe: WipeMask, layer: Layer, fps: Fraction, name: str) -> tuple[list[str], str]:
    """Return the statements that draw the mask of one wipe, and its label."""
    width, height = layer.painted_size
    size = (width + abs(wipe.edge), height)
    rectangle = [color_source("white", size, layer.frames if not wipe.edge else 1, fps)]
    if wipe.edge:
        ramp = f"{size[0]}-X" if wipe.edge > 0 else "X+1"
        rectangle += ["format=gray", f"geq=lum='255*clip(({ramp})/{abs(wipe.edge)},0,1)'"]
        rectangle += ["loop=loop=-1:size=1", "setpts=N", f"trim=end_frame={layer.frames}"]
    return [
        f"{color_source('black', (width, height), layer.frames, fps)},{OPAQUE}[{name}b]",
        f"{','.join([*rectangle, OPAQUE])}[{name}d]",
        f"[{name}b][{name}d]overlay=x='{expression(wipe.x, 'n')}':y=0,{MASK}[{name}m]",
    ], f"{name}m"


def matte_mask(
    matte: Matte, input_label: str, layer: Layer, viewport: tuple[int, int], fps: Fraction, name: str
) -> tuple[list[str], str]:
    """Return the statements that draw a luma matte over the whole viewport, and its label.

    Outside the matte's time range the mask is opaque; outside its rectangle it is transparent.
    """
    chain = frame_sync(matte.source, matte.frames, fps) if isinstance(matte.source, VideoSource) else []
    chain += crop_filter(matte.crop, matte.source_size)
    chain += [f"scale={matte.size[0]}:{matte.size[1]}", "setsar=1", OPAQUE]
    if (matte.x, matte.y, *matte.size) != (0, 0, *viewport):
        width, height = max(viewport[0], matte.size[0]), max(viewport[1], matte.size[1])
        chain.append(f"pad={width}:{height}:{matte.x}:{matte.y}:color=black")
        chain.append(f"crop={viewport[0]}:{viewport[1]}:0:0")
    chain.append(frame_timebase(fps))
    if isinstance(matte.source, StillSource):
        chain += ["loop=loop=-1:size=1", "setpts=N", f"trim=end_frame={matte.frames}"]
    if matte.start == 0 and matte.frames >= layer.frames:
        return [f"[{input_label}]{','.join([*chain, 'setpts=N', MASK])}[{name}m]"], f"{name}m"
    last = matte.start + matte.frames - 1
    return [
        f"[{input_label}]{','.join([*chain, f'setpts=N+{matte.start}'])}[{name}l]",
        f"{color_source('white', viewport, layer.frames, fps)},{OPAQUE}[{name}w]",
        f"[{name}w][{name}l]overlay=enable='between(n,{matte.start},{last})',{MASK}[{name}m]",
    ], f"{name}m"
