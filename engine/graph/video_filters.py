"""Video filters: bring one source to the size, colours and motion of its layer."""

from __future__ import annotations

from fractions import Fraction

from engine.graph.expressions import expression, number
from engine.plan.model import AffineTransform, Layer, PiecewiseLinear, Rect, SequenceSource, StillSource, VideoSource

# One colour space for everything, so that FFmpeg inserts no conversion.
COLOR_SPACE = "color_spaces=bt709:color_ranges=tv"
OPAQUE = f"format=yuv420p:{COLOR_SPACE}"
TRANSPARENT = f"format=yuva420p:{COLOR_SPACE}"
TRANSPARENT_444 = f"format=yuva444p:{COLOR_SPACE}"
MASK = "format=gray:color_ranges=pc"

COLOR_FILTERS = {
    "boost": (1.2, 0.0, 1.6),
    "contrast": (1.4, 0.0, 1.0),
    "darken": (0.85, -28.0, 1.0),
    "lighten": (0.9, 36.0, 1.0),
    "muted": (0.85, 10.0, 0.5),
    "greyscale": (1.0, 0.0, 0.0),
    "grayscale": (1.0, 0.0, 0.0),
}
# The edit gives chroma key distances in RGB from 0 to 255; the `colorkey` filter takes them from 0 to 1.
RGB_DIAGONAL = 255 * 3**0.5
_PREMULTIPLIED = ("format=gbrap", "premultiply=inplace=1")
_STRAIGHT = ("format=gbrap", "unpremultiply=inplace=1")
BLUR_SHRINK = 8
BLUR_SIGMA_SHARE = 1 / 45


def frame_timebase(fps: Fraction) -> str:
    """Return the `settb` filter for a time base in which one frame is one tick."""
    return f"settb={fps.denominator}/{fps.numerator}"


def crop_filter(crop: Rect | None, size: tuple[int, int]) -> list[str]:
    """Return the crop of a source in shares of its size, as the decoder may give another size."""
    if crop is None:
        return []
    width, height = size
    wide, high = f"max(1,round(iw*{crop.width}/{width}))", f"max(1,round(ih*{crop.height}/{height}))"
    left, top = f"round(iw*{crop.x}/{width})", f"round(ih*{crop.y}/{height})"
    return [f"crop=w='{wide}':h='{high}':x='{left}':y='{top}':exact=1"]


def frame_sync(source: VideoSource, frames: int, fps: Fraction) -> list[str]:
    """Return the filters that put a video on the output's frame grid, exactly `frames` long."""
    grid = f"fps=fps={fps.numerator}/{fps.denominator}:start_time=0"
    if source.speed == 0:
        return [grid, "trim=end_frame=1", "loop=loop=-1:size=1", "setpts=N", f"trim=end_frame={frames}"]
    chain = []
    if source.speed != 1.0:
        chain.append(f"setpts=PTS/{number(source.speed)}")
    chain.append(grid)
    if source.may_end_early:
        chain.append("tpad=stop=-1:stop_mode=clone")
    return [*chain, f"trim=end_frame={frames}"]


def needs_alpha(layer: Layer) -> bool:
    """Return whether any pixel of the layer can be less than opaque."""
    return not layer.is_solid


def _resized(layer: Layer) -> bool:
    box = (layer.crop.width, layer.crop.height) if layer.crop else layer.source_size
    return box != layer.size


def _scale_filters(layer: Layer) -> list[str]:
    """Return the scaling to the layer's size; stills with alpha are premultiplied, so that edges keep their colour."""
    if isinstance(layer.source, StillSource | SequenceSource):
        if not _resized(layer):
            return []
        scale = f"scale={layer.size[0]}:{layer.size[1]}:flags=lanczos+accurate_rnd+full_chroma_int"
        if layer.source.has_alpha:
            return [*_PREMULTIPLIED, scale, *_STRAIGHT]
        return [scale]
    return [f"scale={layer.size[0]}:{layer.size[1]}"]


def _color_filters(layer: Layer) -> list[str]:
    chain = []
    if layer.chroma_key is not None:
        key = layer.chroma_key
        similarity, blend = max(0.001, key.threshold / RGB_DIAGONAL), key.halo / RGB_DIAGONAL
        chain.append("format=gbrap")
        chain.append(f"colorkey=color=0x{key.color.lstrip('#')}:similarity={number(similarity)}:blend={number(blend)}")
        chain.append(TRANSPARENT)
    name = layer.filter
    if name in COLOR_FILTERS:
        gain, lift, saturation = COLOR_FILTERS[name]
        chain.append(
            f"lutyuv=y='clip((val-126)*{number(gain)}+126+{number(lift)},16,235)'"
            f":u='(val-128)*{number(saturation)}+128':v='(val-128)*{number(saturation)}+128'"
        )
    elif name in ("negative", "invert"):
        chain.append("lutyuv=y='251-clip(val,16,235)':u='256-val':v='256-val'")
    elif name == "blur":
        width, height = layer.size
        small = (max(2, width // BLUR_SHRINK), max(2, height // BLUR_SHRINK))
        sigma = max(0.6, max(small) * BLUR_SIGMA_SHARE)
        blur = [f"scale={small[0]}:{small[1]}:flags=area,gblur=sigma={number(sigma)},scale={width}:{height}"]
        # Transparent pixels are black underneath, which must not bleed into visible ones.
        chain += [*_PREMULTIPLIED, *blur, *_STRAIGHT, TRANSPARENT] if layer.source.has_alpha else blur
    return chain


def _affine_filters(layer: Layer, transform: AffineTransform) -> list[str]:
    chain = []
    size = layer.size
    # Transparent pixels are black underneath; interpolation must not darken the edge.
    has_alpha = transform.border or layer.source.has_alpha or layer.chroma_key is not None
    if has_alpha:
        chain += [TRANSPARENT_444, "premultiply=inplace=1"]
    if transform.frame != size:
        background = "black@0" if transform.border else "black"
        chain.append(
            f"pad={transform.frame[0]}:{transform.frame[1]}:{transform.pad[0]}:{transform.pad[1]}:color={background}"
        )
    moving = not all(corner.is_constant for corner in transform.corners)
    names = ("x0", "y0", "x1", "y1", "x2", "y2", "x3", "y3")
    # The filter counts its frames from one.
    corners = ":".join(
        f"{name}='{expression(corner, '(on-1)')}'" for name, corner in zip(names, transform.corners, strict=True)
    )
    chain.append(f"perspective={corners}:interpolation=linear:sense=source:eval={'frame' if moving else 'init'}")
    if transform.frame != (transform.region.width, transform.region.height):
        chain.append(f"crop={transform.region.width}:{transform.region.height}:0:0")
    return [*chain, "unpremultiply=inplace=1", TRANSPARENT] if has_alpha else chain


def _alpha_filters(polyline: PiecewiseLinear, frames: int, fps: Fraction, name: str) -> list[str]:
    """Return an alpha animation: `sendcmd` updates a `lutyuv` whenever the level changes."""
    levels: list[tuple[int, int]] = []
    for frame, value in enumerate(sample(polyline, frames)):
        level = round(value * 255)
        if not levels or levels[-1][1] != level:
            levels.append((frame, level))
    # Half a frame early, so that rounding cannot make a command late.
    commands = ";".join(
        f"{max(0.0, float((frame - Fraction(1, 2)) / fps)):.5f} lutyuv@{name} a val*{level}/255"
        for frame, level in levels[1:]
    )
    first = f"lutyuv@{name}=a=val*{levels[0][1]}/255"
    return [f"sendcmd=c='{commands}'", first] if commands else [first]


def sample(polyline: PiecewiseLinear, frames: int) -> list[float]:
    """Return the value at each of `frames` frames."""
    points = polyline.points
    values = []
    index = 0
    for frame in range(frames):
        while index + 1 < len(points) and points[index + 1][0] <= frame:
            index += 1
        start = points[index]
        if index + 1 == len(points) or frame <= start[0]:
            values.append(start[1])
            continue
        end = points[index + 1]
        values.append(start[1] + (end[1] - start[1]) * (frame - start[0]) / (end[0] - start[0]))
    return values


def _fade_filters(layer: Layer, fps: Fraction, name: str) -> list[str]:
    """Return the alpha animation, or the fades at both ends."""
    if layer.alpha is not None:
        return _alpha_filters(layer.alpha, layer.frames, fps, name)
    chain = []
    if layer.fade_in:
        chain.append(f"fade=t=in:start_frame=0:nb_frames={layer.fade_in}:alpha=1")
    if layer.fade_out:
        chain.append(
            f"fade=t=out:start_frame={max(0, layer.frames - layer.fade_out)}:nb_frames={layer.fade_out}:alpha=1"
        )
    return chain


def _align_chroma(layer: Layer) -> list[str]:
    """Return a transparent margin for a layer at an odd pixel: chroma moves in steps of two."""
    if layer.transform or not (layer.x.is_constant and layer.y.is_constant) or not layer.source.has_alpha:
        return []
    if layer.wipes or layer.matte is not None:
        return []  # masks have the layer's own size
    right, down = int(layer.x.first) % 2, int(layer.y.first) % 2
    return [f"pad=iw+{right}:ih+{down}:{right}:{down}:color=black@0"] if right or down else []


def is_decoded_once(layer: Layer) -> bool:
    """Return whether the overlay can repeat a single decoded frame."""
    return isinstance(layer.source, StillSource) and not is_animated(layer)


def is_animated(layer: Layer) -> bool:
    """Return whether the layer changes from frame to frame, apart from its position."""
    moving = layer.transform is not None and not all(corner.is_constant for corner in layer.transform.corners)
    faded = bool(layer.fade_in or layer.fade_out) or layer.alpha is not None
    return moving or faded or bool(layer.wipes) or layer.matte is not None


def video_filter_chain(layer: Layer, fps: Fraction, name: str) -> list[str]:
    """Return the filters from a layer's input to the frames that are masked and overlaid.

    Constant steps are applied to a still once, before it is looped. name: unique in the graph.
    """
    chain: list[str] = []
    if isinstance(layer.source, VideoSource):
        chain += frame_sync(layer.source, layer.frames, fps)
    chain += crop_filter(layer.crop, layer.source_size)
    chain += _scale_filters(layer)
    chain.append("setsar=1")
    if layer.flip_horizontal:
        chain.append("hflip")
    if layer.flip_vertical:
        chain.append("vflip")
    chain += _align_chroma(layer)
    chain.append(TRANSPARENT if needs_alpha(layer) else OPAQUE)
    chain += _color_filters(layer)
    if layer.opacity < 1:
        chain.append(f"lutyuv=a=val*{number(layer.opacity)}")
    is_static = layer.transform is not None and all(corner.is_constant for corner in layer.transform.corners)
    if layer.transform is not None and is_static:
        chain += _affine_filters(layer, layer.transform)
    chain.append(frame_timebase(fps))
    if isinstance(layer.source, StillSource) and is_animated(layer):
        chain += ["loop=loop=-1:size=1", "setpts=N", f"trim=end_frame={layer.frames}"]
    elif isinstance(layer.source, SequenceSource) and is_animated(layer):
        rate = f"fps=fps={fps.numerator}/{fps.denominator}:start_time=0"
        chain += [rate, "tpad=stop=-1:stop_mode=clone", f"trim=end_frame={layer.frames}"]
    if layer.transform is not None and not is_static:
        chain += _affine_filters(layer, layer.transform)
    if not needs_alpha(layer):
        # `overlay` accepts nothing else; the filters before it are cheaper without the alpha plane.
        chain.append(TRANSPARENT)
    return chain + _fade_filters(layer, fps, name)
