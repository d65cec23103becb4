"""One clip to one layer."""

from __future__ import annotations

from dataclasses import dataclass, replace

from engine.plan.geometry import Cut, anchored, even, fit_picture, source_box, trimmed_to
from engine.plan.model import Box, Door, Layer, Matte, SequenceSource, StillSource, Trace, VideoSource, Warp
from engine.plan.motion import (
    Pose,
    constant,
    displacements,
    effect_drift,
    entered,
    fades,
    pose_at,
    remaining,
    shuffles,
)
from engine.plan.sources import Picture, media_source, picture_of, shown_size
from engine.plan.warps import make_warp, place, reference_scale
from engine.raster.model import Raster
from engine.timeline.model import TimedClip, Timeline, Transition

WIPES = ("wipe", "reveal")
# The soft edge of a wipe, as a share of the picture; a reveal has none.
WIPE_EDGE = 0.15
PIXEL_TOLERANCE = 0.5
ALPHA_TOLERANCE = 0.002
TINY = 0.5


@dataclass(frozen=True, slots=True)
class Span:
    """The part of a clip that is written: `skip` of its frames come before; it shows from `start` of the output."""

    start: int
    skip: int
    frames: int

    @property
    def own_frames(self) -> range:
        """Return the clip's own frame numbers in this part."""
        return range(self.skip, self.skip + self.frames)


def span_of(start: int, frames: int, timeline: Timeline) -> Span | None:
    """Return the part of `frames` from `start` that falls into the written part of the timeline."""
    first, last = timeline.output.first_frame, timeline.output.first_frame + timeline.output.frames
    begin, end = max(start, first), min(start + frames, last)
    if begin >= end:
        return None
    return Span(begin - first, begin - start, end - begin)


@dataclass(frozen=True, slots=True)
class _Stand:
    """A picture in its place: what is cut from the source, its size, its corner, and its warp if it has one."""

    crop: Box | None
    size: tuple[int, int]
    x: Trace
    y: Trace
    warp: Warp | None
    opaque_area: bool


def make_layer(clip: TimedClip, raster: Raster | None, timeline: Timeline) -> Layer | None:
    """Return the layer of a clip; None if nothing of it is ever seen."""
    span = span_of(clip.start, clip.frames, timeline)
    if span is None:
        return None
    picture = picture_of(clip, raster, span.skip, span.frames, float(timeline.output.fps))
    if picture is None:
        return None
    poses = _poses(clip, span)
    if all(pose.alpha <= 0 for pose in poses):
        return None
    viewport = (timeline.output.width, timeline.output.height)
    box = (clip.width or viewport[0], clip.height or viewport[1]) if picture.boxed else picture.size
    cut = fit_picture(picture.size, picture.fit if picture.boxed else "none", box, clip.crop)
    if min(cut.width, cut.height, cut.shown_width, cut.shown_height) < TINY:
        return None
    stand = _stand(clip, picture, cut, poses, span, viewport)
    if stand is None:
        return None
    opacity, fading, alpha = _transparency(clip, poses, span)
    return Layer(
        pointer=clip.pointer,
        start=span.start,
        frames=span.frames,
        source=picture.source,
        source_size=picture.size,
        size=stand.size,
        x=stand.x,
        y=stand.y,
        crop=stand.crop,
        flip_horizontal=clip.flip_horizontal,
        flip_vertical=clip.flip_vertical,
        warp=stand.warp,
        opacity=opacity,
        fade_in=fading[0],
        fade_out=fading[1],
        alpha=alpha,
        doors=_doors(clip, span, stand.warp.region.width if stand.warp else stand.size[0]),
        matte=_matte(clip, timeline),
        filter=clip.filter,
        chroma_key=clip.chroma_key,
        opaque=not picture.source.has_alpha and stand.opaque_area,
    )


def _poses(clip: TimedClip, span: Span) -> list[Pose]:
    """Return the pose at each frame of the span; one pose stands for all where nothing moves."""
    curves = (clip.scale, clip.offset_x, clip.offset_y, clip.opacity, clip.rotate_deg, clip.skew_x, clip.skew_y)
    moving = clip.effect is not None or not all(curve.is_constant for curve in curves)
    changing = any(fades(t) or shuffles(t) for t in (clip.transition_in, clip.transition_out))
    frames = span.own_frames if moving or changing else range(span.skip, span.skip + 1)
    poses = [pose_at(clip, frame) for frame in frames]
    return poses if len(poses) == span.frames else poses * span.frames


def _stand(
    clip: TimedClip, picture: Picture, cut: Cut, poses: list[Pose], span: Span, viewport: tuple[int, int]
) -> _Stand | None:
    """Return where the picture stands: still in whole pixels, or warped where it moves, turns or leans."""
    if _tilted(poses) or not _rests(poses):
        return _warped(clip, picture, cut, poses, span, viewport)
    pose = poses[0]
    factor = pose.scale * pose.zoom
    shown = Cut(cut.left, cut.top, cut.width, cut.height, cut.shown_width * factor, cut.shown_height * factor)
    if min(shown.shown_width, shown.shown_height) < TINY:
        return None
    corner = anchored(clip.position, (shown.shown_width, shown.shown_height), (pose.offset_x, pose.offset_y), viewport)
    pushes = _pushes(clip, span, viewport)
    native = abs(shown.shown_width - shown.width) < 0.01 and abs(shown.shown_height - shown.height) < 0.01
    if pushes is None:
        trimmed = trimmed_to(shown, *corner, (clip.flip_horizontal, clip.flip_vertical), viewport)
        if trimmed is None:
            return None
        shown, corner = trimmed[0], (trimmed[1], trimmed[2])
        native = native and not isinstance(picture.source, VideoSource)
    crop = source_box(shown, picture.size)
    size = (even(shown.shown_width), even(shown.shown_height))
    if native:
        size = (crop.width, crop.height) if crop else picture.size
    elif isinstance(picture.source, StillSource | SequenceSource) and picture.source.has_alpha:
        size = (max(1, round(shown.shown_width)), max(1, round(shown.shown_height)))
    elif size[0] >= viewport[0] - 1 and size[1] >= viewport[1] - 1 and pushes is None:
        size = viewport
    x, y = _corner_traces(corner, pushes)
    return _Stand(crop, size, x, y, None, opaque_area=True)


def _corner_traces(corner: tuple[float, float], pushes: list[tuple[float, float]] | None) -> tuple[Trace, Trace]:
    """Return the whole-pixel course of a top left corner."""
    if pushes is None:
        return Trace.fixed(round(corner[0])), Trace.fixed(round(corner[1]))
    return (
        Trace.through([corner[0] + push[0] for push in pushes], PIXEL_TOLERANCE),
        Trace.through([corner[1] + push[1] for push in pushes], PIXEL_TOLERANCE),
    )


def _tilted(poses: list[Pose]) -> bool:
    """Return whether the picture is ever turned or leaning."""
    return any(pose.rotate_deg % 360 or pose.skew_x or pose.skew_y for pose in poses)


def _pushed(pose: Pose, push: tuple[float, float], viewport: tuple[int, int]) -> Pose:
    """Return a pose moved by a push in pixels."""
    return replace(pose, drift_x=pose.drift_x + push[0] / viewport[0], drift_y=pose.drift_y + push[1] / viewport[1])


def _rests(poses: list[Pose]) -> bool:
    """Return whether scale and place stay the same."""
    if any(pose.drift_x or pose.drift_y for pose in poses):
        return False
    columns = [
        [pose.scale * pose.zoom for pose in poses],
        [pose.offset_x for pose in poses],
        [pose.offset_y for pose in poses],
    ]
    return all(constant(column) for column in columns)


def _pushes(clip: TimedClip, span: Span, viewport: tuple[int, int]) -> list[tuple[float, float]] | None:
    """Return the pushes of sliding transitions at each frame, or None where there are none."""
    if clip.transition_in is None and clip.transition_out is None:
        return None
    pushes = displacements(clip, span.own_frames, viewport)
    return pushes if any(push != (0.0, 0.0) for push in pushes) else None


def _warped(
    clip: TimedClip, picture: Picture, cut: Cut, poses: list[Pose], span: Span, viewport: tuple[int, int]
) -> _Stand | None:
    """Return the stand of a clip that moves between pixels."""
    shown = (cut.shown_width, cut.shown_height)
    poses = _overscanned(clip, poses, shown, viewport)
    pushes = _pushes(clip, span, viewport)
    if pushes is not None and _tilted(poses):
        # The viewport cuts corners off a turned picture; they must come with it when it moves.
        poses = [_pushed(pose, push, viewport) for pose, push in zip(poses, pushes, strict=True)]
        pushes = None
    reference = reference_scale(poses, shown, viewport)
    size = (even(shown[0] * reference), even(shown[1] * reference))
    exact = (size[0] / reference, size[1] / reference)
    placed = [place(pose, exact, reference, clip.position, viewport) for pose in poses]
    warp = make_warp(placed, size, viewport)
    if warp is None:
        return None
    region = warp.region
    x, y = _corner_traces((region.x, region.y), pushes)
    return _Stand(source_box(cut, picture.size), size, x, y, warp, opaque_area=not warp.border)


def _overscanned(
    clip: TimedClip, poses: list[Pose], shown: tuple[float, float], viewport: tuple[int, int]
) -> list[Pose]:
    """Enlarge a drifting clip that fills the viewport, so that its edge stays out of sight."""
    # The whole drift, not what this part of the film shows of it, so that parts fit together.
    reach = max(map(abs, effect_drift(clip.effect, 0, 2)))
    least = min(min(shown[0] * p.scale / viewport[0], shown[1] * p.scale / viewport[1]) for p in poses)
    if not reach or least < 0.99 or least >= 1 + 2 * reach:
        return poses
    factor = (1 + 2 * reach) / least
    return [replace(pose, zoom=pose.zoom * factor) for pose in poses]


def _fade_frames(transition: Transition | None) -> int:
    return transition.frames if transition is not None and fades(transition) else 0


def _transparency(clip: TimedClip, poses: list[Pose], span: Span) -> tuple[float, tuple[int, int], Trace | None]:
    """Return opacity and fades where they say it all; else a free course of alpha."""
    zooms = any(t is not None and t.name == "zoom" for t in (clip.transition_in, clip.transition_out))
    fade_in, fade_out = _fade_frames(clip.transition_in), _fade_frames(clip.transition_out)
    whole = span.skip == 0 and span.frames == clip.frames
    if clip.opacity.is_constant and not zooms and (whole or not (fade_in or fade_out)):
        return max(0.0, min(1.0, clip.opacity.constant)), (fade_in, fade_out), None
    trace = Trace.through([pose.alpha for pose in poses], ALPHA_TOLERANCE)
    if trace.is_fixed:
        return trace.first, (0, 0), None
    return 1.0, (0, 0), trace


def _doors(clip: TimedClip, span: Span, width: int) -> tuple[Door, ...]:
    """Return the masks of wipes and reveals, one for each end that has one."""
    doors = []
    for transition, arriving in ((clip.transition_in, True), (clip.transition_out, False)):
        if transition is None or not transition.name.startswith(WIPES):
            continue
        share = entered if arriving else remaining
        open_parts = [share(clip, frame) for frame in span.own_frames]
        if min(open_parts) < 1:
            doors.append(_door(transition.name, arriving, open_parts, width))
    return tuple(doors)


def _door(name: str, arriving: bool, open_parts: list[float], width: int) -> Door:
    """Return the mask of one transition; open_parts: how much is to be seen at each frame."""
    # The edge runs the way the name says, whether it uncovers or covers; a reveal opens to the right and closes
    # to the left.
    from_left = name == "reveal" or (name == "wipeRight") == arriving
    edge = 0 if name == "reveal" else round(width * WIPE_EDGE)
    if from_left:
        return Door(Trace.through([-(width + edge) * (1 - part) for part in open_parts], PIXEL_TOLERANCE), edge)
    return Door(Trace.through([width - (width + edge) * part for part in open_parts], PIXEL_TOLERANCE), -edge)


def _matte(clip: TimedClip, timeline: Timeline) -> Matte | None:
    """Return the clip's luma matte for the part of both that is written."""
    luma = clip.luma
    size = shown_size(luma.media) if luma is not None and luma.media is not None else None
    if luma is None or luma.media is None or size is None:
        return None
    begin, end = max(luma.start, clip.start), min(luma.end, clip.end)
    own, span = span_of(clip.start, clip.frames, timeline), span_of(begin, end - begin, timeline)
    if own is None or span is None or begin >= end:
        return None
    skip = span.skip + begin - luma.start
    source = media_source(luma.media, luma, skip, span.frames, float(timeline.output.fps))
    viewport = (timeline.output.width, timeline.output.height)
    box = (luma.width or viewport[0], luma.height or viewport[1])
    cut = fit_picture(size, luma.fit, box, luma.crop)
    factor = luma.scale.constant
    shown = Cut(cut.left, cut.top, cut.width, cut.height, cut.shown_width * factor, cut.shown_height * factor)
    offset = (luma.offset_x.constant, luma.offset_y.constant)
    corner = anchored(luma.position, (shown.shown_width, shown.shown_height), offset, viewport)
    trimmed = trimmed_to(shown, *corner, (False, False), viewport)
    if trimmed is None:
        return None
    kept, left, top = trimmed
    painted = (max(1, round(kept.shown_width)), max(1, round(kept.shown_height)))
    return Matte(
        source, size, span.start - own.start, span.frames, source_box(kept, size), painted, round(left), round(top)
    )
