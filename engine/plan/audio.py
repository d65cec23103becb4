"""What is heard: the sound of clips and the soundtrack."""

from __future__ import annotations

from engine.media import MediaInfo
from engine.plan.layers import visible_range
from engine.plan.model import AudioLayer, PiecewiseLinear
from engine.plan.motion import value_at
from engine.timeline.model import Sound, Timeline

VOLUME_TOLERANCE = 0.005


def _audio_layer(
    media: MediaInfo, sound: Sound, start: int, frames: int, trim_s: float, speed: float, timeline: Timeline
) -> AudioLayer | None:
    """Return one sound for the written part of the timeline; None if it is silent or outside."""
    visible = visible_range(start, frames, timeline)
    if visible is None or not media.has_audio:
        return None
    fps = float(timeline.output.fps)
    whole = visible.skip == 0 and visible.frames == frames
    factors = [value_at(sound.volume, frame) for frame in (visible.clip_frames if sound.volume.keyframes else (0,))]
    if max(factors) <= 0:
        return None
    seek_s = trim_s + visible.skip / fps * speed
    if media.duration_s is not None and seek_s >= media.duration_s:
        return None
    if whole:
        volume = PiecewiseLinear.fit(factors, VOLUME_TOLERANCE)
        fades = (min(sound.fade_in_frames, frames), min(sound.fade_out_frames, frames))
    else:
        volume = PiecewiseLinear.fit(
            [value_at(sound.volume, frame) * _faded(sound, frame, frames) for frame in visible.clip_frames],
            VOLUME_TOLERANCE,
        )
        fades = (0, 0)
    return AudioLayer(
        media.path,
        media.demuxer,
        seek_s,
        speed,
        visible.start,
        visible.frames,
        volume,
        fade_in=fades[0],
        fade_out=fades[1],
    )


def _faded(sound: Sound, frame: int, frames: int) -> float:
    """Return what the linear fades at both ends leave of a sound at one frame."""
    factor = 1.0
    if sound.fade_in_frames:
        factor = min(factor, frame / sound.fade_in_frames)
    if sound.fade_out_frames:
        factor = min(factor, (frames - frame) / sound.fade_out_frames)
    return max(0.0, factor)


def make_audio_layers(timeline: Timeline) -> tuple[AudioLayer, ...]:
    """Return everything that is heard; nothing where the output is muted or has no sound."""
    if timeline.output.mute or timeline.output.format in ("gif", "jpg", "png", "bmp"):
        return ()
    sounds = [
        _audio_layer(clip.media, clip.sound, clip.start, clip.frames, clip.trim_s, clip.speed, timeline)
        for clip in timeline.clips
        if clip.media is not None and clip.sound is not None
    ]
    track = timeline.soundtrack
    if track is not None:
        fps = float(timeline.output.fps)
        frames = timeline.frames
        if track.media.duration_s is not None:
            frames = min(frames, max(1, round(track.media.duration_s * fps)))
        sounds.append(_audio_layer(track.media, track.sound, 0, frames, 0.0, 1.0, timeline))
    return tuple(sound for sound in sounds if sound is not None)
