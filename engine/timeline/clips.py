"""Clip resolver: puts one clip of an edit on the output's frame grid."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from engine.issues import Issue
from engine.language.animation import Tween
from engine.language.clip import Clip
from engine.language.colors import parse_color
from engine.language.media_assets import AudioAsset, ImageAsset, SourcedAsset, VideoAsset
from engine.language.text_assets import CaptionAsset, RichCaptionAsset
from engine.media import MediaInfo
from engine.timeline.curves import make_curve
from engine.timeline.media_checks import GIF
from engine.timeline.model import ChromaKey, Crop, Effect, Sound, TimedClip, Transition
from engine.timeline.schedule import ClipSlot, exact, to_frame

TRANSITION_S = {"": Fraction(1), "Fast": Fraction(1, 2), "Slow": Fraction(2)}
FADE_S = Fraction(2)
"""Length of the fades of volume effects."""
MAX_HOLD_S = 0.5
"""A clip may outlast its video by this much: the last frame is held rather than followed by a flash of nothing."""
DEFAULT_FIT = "crop"

Animatable = float | tuple[Tween, ...]


class ClipResolver:
    """Resolves the clips of one edit. errors, warnings: the issues found so far."""

    def __init__(self, fps: Fraction, media: Mapping[str, MediaInfo], warnings: list[Issue]) -> None:
        """fps: of the output. media: by source URL. warnings: the list to add to."""
        self.fps = fps
        self.media = media
        self.warnings = warnings
        self.errors: list[Issue] = []

    def make(self, slot: ClipSlot, start: int, frames: int) -> TimedClip | None:
        """Return a clip on the frame grid, or None after adding an error."""
        clip, asset = slot.clip, slot.clip.asset
        info = self.media[asset.src] if isinstance(asset, SourcedAsset | CaptionAsset | RichCaptionAsset) else None
        trim = getattr(asset, "trim", 0.0)
        if info is not None and info.duration_s is not None and trim >= info.duration_s and trim > 0:
            detail = f"The file lasts {info.duration_s:.2f} s, so a trim of {trim:g} s leaves nothing."
            self.errors.append(Issue(f"{slot.pointer}/asset/trim", "out_of_range", detail))
            return None
        loops = isinstance(asset, ImageAsset) and info is not None and info.content_type == GIF
        shown = self._shown_frames(slot, frames, info) if info is not None else frames
        transition_in, transition_out = self._transitions(clip, shown)
        transform = clip.transform
        return TimedClip(
            pointer=slot.pointer,
            track=slot.track,
            start=start,
            frames=shown,
            asset=asset,
            media=info,
            trim_s=trim,
            speed=getattr(asset, "speed", 1.0),
            fit=clip.fit or DEFAULT_FIT,
            position=clip.position,
            width=clip.width,
            height=clip.height,
            scale=make_curve(clip.scale, fps=self.fps, frames=shown, default=1.0, low=0.0),
            offset_x=make_curve(clip.offset.x, fps=self.fps, frames=shown, default=0.0),
            offset_y=make_curve(clip.offset.y, fps=self.fps, frames=shown, default=0.0),
            opacity=make_curve(clip.opacity, fps=self.fps, frames=shown, default=1.0, low=0.0, high=1.0),
            rotate_deg=make_curve(transform.rotate.angle, fps=self.fps, frames=shown, default=0.0),
            skew_x=make_curve(transform.skew.x, fps=self.fps, frames=shown, default=0.0),
            skew_y=make_curve(transform.skew.y, fps=self.fps, frames=shown, default=0.0),
            flip_horizontal=transform.flip.horizontal,
            flip_vertical=transform.flip.vertical,
            crop=_crop(clip),
            transition_in=transition_in,
            transition_out=transition_out,
            effect=_effect(clip.effect),
            filter=_filter(clip.filter),
            chroma_key=_chroma_key(clip),
            sound=self._sound(clip, info, shown),
            loop=loops,
        )

    def _shown_frames(self, slot: ClipSlot, frames: int, info: MediaInfo) -> int:
        """Return for how many frames the media last; warn if that is less than the clip's length."""
        asset = slot.clip.asset
        if not isinstance(asset, VideoAsset | AudioAsset) or info.duration_s is None:
            return frames
        if asset.speed == 0:
            return frames
        left = (exact(info.duration_s) - exact(asset.trim)) / exact(asset.speed)
        if float(slot.length - left) <= MAX_HOLD_S:
            return frames
        if slot.clip.length not in ("auto", "end"):
            rest = " after its trim" if asset.trim else ""
            pace = f" at speed {asset.speed:g}" if asset.speed != 1 else ""
            detail = f"The file{rest}{pace} lasts {float(left):.2f} s; the clip ends there."
            self.warnings.append(Issue(f"{slot.pointer}/length", "media_too_short", detail))
        return max(1, min(frames, to_frame(left, self.fps)))

    def _transitions(self, clip: Clip, frames: int) -> tuple[Transition | None, Transition | None]:
        """Return the transitions at both ends; if there are two, each takes at most half of the clip."""
        names = (_name(clip.transition.in_), _name(clip.transition.out))
        max_frames = frames // 2 if all(names) else frames
        transitions = []
        for name in names:
            base, speed = split_speed(name) if name else ("", "")
            length = min(to_frame(TRANSITION_S[speed], self.fps), max_frames)
            transitions.append(Transition(base, length) if name and length > 0 else None)
        return transitions[0], transitions[1]

    def _sound(self, clip: Clip, info: MediaInfo | None, frames: int) -> Sound | None:
        """Return the sound of a video or audio clip; None if it has no audio or is muted."""
        asset = clip.asset
        if info is None or not info.has_audio or not isinstance(asset, VideoAsset | AudioAsset) or asset.speed == 0:
            return None
        effect = asset.volume_effect if isinstance(asset, VideoAsset) else asset.effect
        return make_sound(asset.volume, effect, fps=self.fps, frames=frames)


def make_sound(volume: Animatable, effect: str, *, fps: Fraction, frames: int) -> Sound | None:
    """Return a sound of `frames` frames; None if its volume is always 0.

    effect: `none`, `fadeIn`, `fadeOut` or `fadeInFadeOut`; two fades take at most half of the sound each.
    """
    curve = make_curve(volume, fps=fps, frames=frames, default=1.0, low=0.0)
    if curve.is_constant and curve.constant == 0:
        return None
    fades_in, fades_out = effect.startswith("fadeIn"), effect.lower().endswith("fadeout")
    fade = min(to_frame(FADE_S, fps), frames // 2 if fades_in and fades_out else frames)
    return Sound(curve, fade if fades_in else 0, fade if fades_out else 0)


def split_speed(name: str) -> tuple[str, str]:
    """Split a name such as `fadeFast` into its base and its speed suffix."""
    for suffix in ("Slow", "Fast"):
        if name.endswith(suffix):
            return name.removesuffix(suffix), suffix
    return name, ""


def _name(name: str | None) -> str | None:
    """Return a name, with `none` as None."""
    return None if name in (None, "none") else name


def _effect(name: str | None) -> Effect | None:
    if _name(name) is None or name is None:
        return None
    base, suffix = split_speed(name)
    return Effect(base, suffix.lower() or "normal")


def _filter(name: str | None) -> str | None:
    return "negative" if name == "invert" else _name(name)


def _crop(clip: Clip) -> Crop:
    crop = clip.asset.crop if isinstance(clip.asset, VideoAsset | ImageAsset) else None
    return Crop(crop.top, crop.right, crop.bottom, crop.left) if crop is not None else Crop()


def _chroma_key(clip: Clip) -> ChromaKey | None:
    key = clip.asset.chroma_key if isinstance(clip.asset, VideoAsset) else None
    if key is None:
        return None
    red, green, blue, _ = parse_color(key.color)
    return ChromaKey(f"#{red:02x}{green:02x}{blue:02x}", key.threshold, key.halo)
