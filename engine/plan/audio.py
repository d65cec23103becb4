"""Audio planning: the audio of clips and the soundtrack as layers."""

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
    """Return the layer of one sound within the output's frame range; None if it is silent or outside."""
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
            [value_at(sound.volume, frame) * _fade_gain(sound, frame, frames) for frame in visible.clip_frames],
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


def _fade_gain(sound: Sound, frame: int, frames: int) -> float:
    """Return the gain of the linear fades at both ends at one frame."""
    factor = 1.0
    if sound.fade_in_frames:
        factor = min(factor, frame / sound.fade_in_frames)
    if sound.fade_out_frames:
        factor = min(factor, (frames - frame) / sound.fade_out_frames)
    return max(0.0, factor)


def make_audio_layers(timeline: Timeline) -> tuple[AudioLayer, ...]:
    """Return all audio layers; none if the output is muted or its format has no audio."""
    if timeline.output.mute or timeline.output.format in ("gif", "jpg", "png", "bmp"):
        return ()
    layers = [
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
        layers.append(_audio_layer(track.media, track.sound, 0, frames, 0.0, 1.0, timeline))
    return tuple(sound for sound in layers if sound is not None)
