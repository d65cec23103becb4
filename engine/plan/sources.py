"""Layer sources: the probed file or the drawn pictures of a clip."""

from __future__ import annotations

from dataclasses import dataclass

from engine.errors import MediaUnreadable
from engine.media import MediaInfo, MediaKind
from engine.plan.model import PictureSource, SequencePicture, SequenceSource, StillSource, VideoSource
from engine.raster.model import Raster
from engine.timeline.model import TimedClip

PNG_DEMUXER = "png_pipe"
# No real footage has longer pixels; a file that declares more is not trusted.
MAX_PIXEL_ASPECT = 4.0


@dataclass(frozen=True, slots=True)
class ClipPicture:
    """A clip's source, its size in pixels, and how to fit it. boxed: into the clip's box."""

    source: PictureSource
    size: tuple[int, int]
    fit: str
    boxed: bool


def media_source(media: MediaInfo, clip: TimedClip, skip: int, frames: int, fps: float) -> StillSource | VideoSource:
    """Return the source that reads a file for `frames` output frames, `skip` frames into the clip."""
    if media.kind is MediaKind.IMAGE:
        return StillSource(media.path, media.demuxer, media.has_alpha)
    seek_s = clip.trim_s + skip / fps * clip.speed
    needed_s = (frames + 1.5) / fps * clip.speed
    short = media.duration_s is None or media.duration_s - seek_s < needed_s
    loops = media.demuxer == "gif"
    if media.duration_s and loops:
        seek_s %= media.duration_s
    return VideoSource(
        media.path,
        media.demuxer,
        media.has_alpha,
        seek_s,
        clip.speed,
        decoder=media.video_decoder,
        loops=loops,
        may_end_early=short and not loops,
    )


def raster_source(raster: Raster, skip: int, frames: int) -> PictureSource:
    """Return the source that reads drawn pictures for `frames` output frames, `skip` frames into the clip."""
    if raster.is_still:
        return StillSource(raster.pictures[0].path, PNG_DEMUXER, has_alpha=True)
    pictures: list[SequencePicture] = []
    at = -skip
    for picture in raster.pictures:
        begin, end = max(0, at), min(frames, at + picture.frames)
        if begin < end:
            pictures.append(SequencePicture(picture.path, begin, end - begin))
        at += picture.frames
    if not pictures:
        pictures.append(SequencePicture(raster.pictures[-1].path, 0, frames))
    last = pictures[-1]
    if last.start + last.frames < frames:
        pictures[-1] = SequencePicture(last.path, last.start, frames - last.start)
    return SequenceSource(tuple(pictures), raster.width, raster.height)


def clip_picture(clip: TimedClip, raster: Raster | None, skip: int, frames: int, fps: float) -> ClipPicture | None:
    """Return what a clip shows, or None if it has only audio.

    Raises MediaUnreadable if a file with video has no known size.
    """
    if raster is not None:
        source = raster_source(raster, skip, frames)
        return ClipPicture(source, (raster.width, raster.height), raster.fit, raster.fit != "none")
    media = clip.media
    if media is None or not media.has_video:
        return None
    size = display_size(media)
    if size is None:
        raise MediaUnreadable("no_size", "The file has video of unknown size.")
    return ClipPicture(media_source(media, clip, skip, frames, fps), size, clip.fit, boxed=True)


def display_size(media: MediaInfo) -> tuple[int, int] | None:
    """Return the size of a file's frames with square pixels; None if it is not known."""
    if not media.width or not media.height:
        return None
    aspect = media.pixel_aspect
    if aspect == 1 or not 1 / MAX_PIXEL_ASPECT <= aspect <= MAX_PIXEL_ASPECT:
        return media.width, media.height
    if media.rotation % 180:
        return media.width, max(1, round(media.height * aspect))
    return max(1, round(media.width * aspect)), media.height
