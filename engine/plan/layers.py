"""Layer planning: turns one clip into one layer."""

from __future__ import annotations

from dataclasses import dataclass, replace

from engine.plan.affine import frame_transform, make_transform, reference_scale
from engine.plan.geometry import CropRect, anchored_corner, clip_to_viewport, even, fit_picture, source_rect
from engine.plan.model import (
    AffineTransform,
    Layer,
    Matte,
    PiecewiseLinear,
    Rect,
    SequenceSource,
    StillSource,
    VideoSource,
    WipeMask,
)
from engine.plan.motion import (
    Pose,
    constant,
    effect_slide,
    entered,
    fades,
    pose_at,
    remaining,
    shuffles,
    slide_offsets,
)
from engine.plan.sources import ClipPicture, clip_picture, display_size, media_source
from engine.raster.model import Raster
from engine.timeline.model import TimedClip, Timeline, Transition

WIPE_TRANSITIONS = ("wipe", "reveal")
# The soft edge of a wipe, as a share of the layer's width; a reveal has none.
WIPE_EDGE = 0.15
PIXEL_TOLERANCE = 0.5
ALPHA_TOLERANCE = 0.002
MIN_VISIBLE_PX = 0.5


@dataclass(frozen=True, slots=True)
class FrameRange:
    """The part of a clip within the output: `frames` from output frame `start`, after skipping `skip` of the clip."""

    start: int
    skip: int
    frames: int

    @property
    def clip_frames(self) -> range:
        """Return the clip's own frame numbers in this range."""
        return range(self.skip, self.skip + self.frames)


def visible_range(start: int, frames: int, timeline: Timeline) -> FrameRange | None:
    """Return the part of `frames` frames from `start` that lies within the output's frame range."""
    first, last = timeline.output.first_frame, timeline.output.first_frame + timeline.output.frames
    begin, end = max(start, first), min(start + frames, last)
    if begin >= end:
        return None
    return FrameRange(begin - first, begin - start, end - begin)


@dataclass(frozen=True, slots=True)
class _Placement:
    """The geometry of a layer: crop of the source, scaled size, top left corner, and transform if it has one."""

    crop: Rect | None
    size: tuple[int, int]
    x: PiecewiseLinear
    y: PiecewiseLinear
    transform: AffineTransform | None
    opaque_area: bool


def make_layer(clip: TimedClip, raster: Raster | None, timeline: Timeline) -> Layer | None:
    """Return the layer of a clip; None if it is never visible."""
    visible = visible_range(clip.start, clip.frames, timeline)
    if visible is None:
        return None
    picture = clip_picture(clip, raster, visible.skip, visible.frames, float(timeline.output.fps))
    if picture is None:
        return None
    poses = _poses(clip, visible)
    if all(pose.alpha <= 0 for pose in poses):
        return None
    viewport = (timeline.output.width, timeline.output.height)
    box = (clip.width or viewport[0], clip.height or viewport[1]) if picture.boxed else picture.size
    rect = fit_picture(picture.size, picture.fit if picture.boxed else "none", box, clip.crop)
    if min(rect.width, rect.height, rect.shown_width, rect.shown_height) < MIN_VISIBLE_PX:
        return None
    placement = _place(clip, picture, rect, poses, visible, viewport)
    if placement is None:
        return None
    opacity, fading, alpha = _transparency(clip, poses, visible)
    return Layer(
        pointer=clip.pointer,
        start=visible.start,
        frames=visible.frames,
        source=picture.source,
        source_size=picture.size,
        size=placement.size,
        x=placement.x,
        y=placement.y,
        crop=placement.crop,
        flip_horizontal=clip.flip_horizontal,
        flip_vertical=clip.flip_vertical,
        transform=placement.transform,
        opacity=opacity,
        fade_in=fading[0],
        fade_out=fading[1],
        alpha=alpha,
        wipes=_wipes(clip, visible, placement.transform.region.width if placement.transform else placement.size[0]),
        matte=_matte(clip, timeline),
        filter=clip.filter,
        chroma_key=clip.chroma_key,
        opaque=not picture.source.has_alpha and placement.opaque_area,
    )


def _poses(clip: TimedClip, visible: FrameRange) -> list[Pose]:
    """Return the pose at each visible frame; computed only once if nothing moves."""
    curves = (clip.scale, clip.offset_x, clip.offset_y, clip.opacity, clip.rotate_deg, clip.skew_x, clip.skew_y)
    moving = clip.effect is not None or not all(curve.is_constant for curve in curves)
    changing = any(fades(t) or shuffles(t) for t in (clip.transition_in, clip.transition_out))
    frames = visible.clip_frames if moving or changing else range(visible.skip, visible.skip + 1)
    poses = [pose_at(clip, frame) for frame in frames]
    return poses if len(poses) == visible.frames else poses * visible.frames


def _place(
    clip: TimedClip,
    picture: ClipPicture,
    rect: CropRect,
    poses: list[Pose],
    visible: FrameRange,
    viewport: tuple[int, int],
) -> _Placement | None:
    """Return the placement: in whole pixels, or with a transform if the clip moves, rotates or skews."""
    if _tilted(poses) or not _is_static(poses):
        return _transformed(clip, picture, rect, poses, visible, viewport)
    pose = poses[0]
    factor = pose.scale * pose.zoom
    shown = replace(rect, shown_width=rect.shown_width * factor, shown_height=rect.shown_height * factor)
    if min(shown.shown_width, shown.shown_height) < MIN_VISIBLE_PX:
        return None
    corner = anchored_corner(
        clip.position, (shown.shown_width, shown.shown_height), (pose.offset_x, pose.offset_y), viewport
    )
    slides = _slide_offsets(clip, visible, viewport)
    native = abs(shown.shown_width - shown.width) < 0.01 and abs(shown.shown_height - shown.height) < 0.01
    if slides is None:
        trimmed = clip_to_viewport(shown, *corner, (clip.flip_horizontal, clip.flip_vertical), viewport)
        if trimmed is None:
            return None
        shown, corner = trimmed[0], (trimmed[1], trimmed[2])
        native = native and not isinstance(picture.source, VideoSource)
    crop = source_rect(shown, picture.size)
    size = (even(shown.shown_width), even(shown.shown_height))
    if native:
        size = (crop.width, crop.height) if crop else picture.size
    elif isinstance(picture.source, StillSource | SequenceSource) and picture.source.has_alpha:
        size = (max(1, round(shown.shown_width)), max(1, round(shown.shown_height)))
    elif size[0] >= viewport[0] - 1 and size[1] >= viewport[1] - 1 and slides is None:
        size = viewport
    x, y = _corner_paths(corner, slides)
    return _Placement(crop, size, x, y, None, opaque_area=True)


def _corner_paths(
    corner: tuple[float, float], slides: list[tuple[float, float]] | None
) -> tuple[PiecewiseLinear, PiecewiseLinear]:
    """Return the path of a top left corner in whole pixels."""
    if slides is None:
        return PiecewiseLinear.constant(round(corner[0])), PiecewiseLinear.constant(round(corner[1]))
    return (
        PiecewiseLinear.fit([corner[0] + slide[0] for slide in slides], PIXEL_TOLERANCE),
        PiecewiseLinear.fit([corner[1] + slide[1] for slide in slides], PIXEL_TOLERANCE),
    )


def _tilted(poses: list[Pose]) -> bool:
    return any(pose.rotate_deg % 360 or pose.skew_x or pose.skew_y for pose in poses)


def _moved(pose: Pose, slide: tuple[float, float], viewport: tuple[int, int]) -> Pose:
    return replace(pose, drift_x=pose.drift_x + slide[0] / viewport[0], drift_y=pose.drift_y + slide[1] / viewport[1])


def _is_static(poses: list[Pose]) -> bool:
    if any(pose.drift_x or pose.drift_y for pose in poses):
        return False
    columns = [
        [pose.scale * pose.zoom for pose in poses],
        [pose.offset_x for pose in poses],
        [pose.offset_y for pose in poses],
    ]
    return all(constant(column) for column in columns)


def _slide_offsets(clip: TimedClip, visible: FrameRange, viewport: tuple[int, int]) -> list[tuple[float, float]] | None:
    """Return the offsets of sliding transitions at each frame, or None without any."""
    if clip.transition_in is None and clip.transition_out is None:
        return None
    slides = slide_offsets(clip, visible.clip_frames, viewport)
    return slides if any(slide != (0.0, 0.0) for slide in slides) else None


def _transformed(
    clip: TimedClip,
    picture: ClipPicture,
    rect: CropRect,
    poses: list[Pose],
    visible: FrameRange,
    viewport: tuple[int, int],
) -> _Placement | None:
    """Return the placement of a clip that needs a transform."""
    shown = (rect.shown_width, rect.shown_height)
    poses = _overscanned(clip, poses, shown, viewport)
    slides = _slide_offsets(clip, visible, viewport)
    if slides is not None and _tilted(poses):
        # The viewport cuts the corners off a rotated picture; a slide must move them with it.
        poses = [_moved(pose, slide, viewport) for pose, slide in zip(poses, slides, strict=True)]
        slides = None
    reference = reference_scale(poses, shown, viewport)
    size = (even(shown[0] * reference), even(shown[1] * reference))
    exact = (size[0] / reference, size[1] / reference)
    transforms = [frame_transform(pose, exact, reference, clip.position, viewport) for pose in poses]
    transform = make_transform(transforms, size, viewport)
    if transform is None:
        return None
    region = transform.region
    x, y = _corner_paths((region.x, region.y), slides)
    return _Placement(source_rect(rect, picture.size), size, x, y, transform, opaque_area=not transform.border)


def _overscanned(
    clip: TimedClip, poses: list[Pose], shown: tuple[float, float], viewport: tuple[int, int]
) -> list[Pose]:
    """Enlarge a drifting clip that fills the viewport, so that its edge stays outside."""
    # The drift over the whole clip, not only over this segment, so that segments join without a jump.
    reach = max(map(abs, effect_slide(clip.effect, 0, 2)))
    coverage = min(min(shown[0] * p.scale / viewport[0], shown[1] * p.scale / viewport[1]) for p in poses)
    if not reach or coverage < 0.99 or coverage >= 1 + 2 * reach:
        return poses
    factor = (1 + 2 * reach) / coverage
    return [replace(pose, zoom=pose.zoom * factor) for pose in poses]


def _fade_frames(transition: Transition | None) -> int:
    return transition.frames if transition is not None and fades(transition) else 0


def _transparency(
    clip: TimedClip, poses: list[Pose], visible: FrameRange
) -> tuple[float, tuple[int, int], PiecewiseLinear | None]:
    """Return opacity and fades where these suffice; otherwise an alpha animation."""
    zooms = any(t is not None and t.name == "zoom" for t in (clip.transition_in, clip.transition_out))
    fade_in, fade_out = _fade_frames(clip.transition_in), _fade_frames(clip.transition_out)
    whole = visible.skip == 0 and visible.frames == clip.frames
    if clip.opacity.is_constant and not zooms and (whole or not (fade_in or fade_out)):
        return max(0.0, min(1.0, clip.opacity.constant)), (fade_in, fade_out), None
    polyline = PiecewiseLinear.fit([pose.alpha for pose in poses], ALPHA_TOLERANCE)
    if polyline.is_constant:
        return polyline.first, (0, 0), None
    return 1.0, (0, 0), polyline


def _wipes(clip: TimedClip, visible: FrameRange, width: int) -> tuple[WipeMask, ...]:
    wipes = []
    for transition, arriving in ((clip.transition_in, True), (clip.transition_out, False)):
        if transition is None or not transition.name.startswith(WIPE_TRANSITIONS):
            continue
        share = entered if arriving else remaining
        visible_shares = [share(clip, frame) for frame in visible.clip_frames]
        if min(visible_shares) < 1:
            wipes.append(_wipe_mask(transition.name, arriving, visible_shares, width))
    return tuple(wipes)


def _wipe_mask(name: str, arriving: bool, visible_shares: list[float], width: int) -> WipeMask:
    """Return the mask of one transition; visible_shares: share of the width to show at each frame."""
    # A wipe's edge moves in the named direction, in and out; a reveal opens to the right and closes to the left.
    from_left = name == "reveal" or (name == "wipeRight") == arriving
    edge = 0 if name == "reveal" else round(width * WIPE_EDGE)
    if from_left:
        return WipeMask(
            PiecewiseLinear.fit([-(width + edge) * (1 - part) for part in visible_shares], PIXEL_TOLERANCE), edge
        )
    return WipeMask(
        PiecewiseLinear.fit([width - (width + edge) * part for part in visible_shares], PIXEL_TOLERANCE), -edge
    )


def _matte(clip: TimedClip, timeline: Timeline) -> Matte | None:
    luma = clip.luma
    size = display_size(luma.media) if luma is not None and luma.media is not None else None
    if luma is None or luma.media is None or size is None:
        return None
    begin, end = max(luma.start, clip.start), min(luma.end, clip.end)
    own, visible = visible_range(clip.start, clip.frames, timeline), visible_range(begin, end - begin, timeline)
    if own is None or visible is None or begin >= end:
        return None
    skip = visible.skip + begin - luma.start
    source = media_source(luma.media, luma, skip, visible.frames, float(timeline.output.fps))
    viewport = (timeline.output.width, timeline.output.height)
    box = (luma.width or viewport[0], luma.height or viewport[1])
    rect = fit_picture(size, luma.fit, box, luma.crop)
    factor = luma.scale.constant
    shown = replace(rect, shown_width=rect.shown_width * factor, shown_height=rect.shown_height * factor)
    offset = (luma.offset_x.constant, luma.offset_y.constant)
    corner = anchored_corner(luma.position, (shown.shown_width, shown.shown_height), offset, viewport)
    trimmed = clip_to_viewport(shown, *corner, (False, False), viewport)
    if trimmed is None:
        return None
    cropped, left, top = trimmed
    painted = (max(1, round(cropped.shown_width)), max(1, round(cropped.shown_height)))
    return Matte(
        source,
        size,
        visible.start - own.start,
        visible.frames,
        source_rect(cropped, size),
        painted,
        round(left),
        round(top),
    )
