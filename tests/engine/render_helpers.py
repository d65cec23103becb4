"""Helpers that build small timelines, render them and inspect the pixels."""

from __future__ import annotations

import array
import math
import subprocess
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
from PIL import Image

from engine.encode import run_command
from engine.graph import RenderPaths, compile_plan
from engine.media import MediaInfo, MediaKind
from engine.pipeline import RenderResult, render_timeline
from engine.plan import RenderPlan
from engine.run import FFmpegLimits
from engine.run.binary import ffmpeg_path
from engine.timeline.model import Curve, OutputSpec, Sound, TimedClip, Timeline

SIZE = (320, 180)
Color = tuple[int, int, int]
RED, GREEN, BLUE, WHITE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)
DEMUXERS = {".png": "png_pipe", ".jpg": "jpeg_pipe", ".mp4": "mov", ".webm": "matroska", ".wav": "wav", ".gif": "gif"}


def image_media(path: Path, *, alpha: bool = False) -> MediaInfo:
    """Return the media info of an image file."""
    with Image.open(path) as image:
        width, height = image.size
    return MediaInfo(
        path, MediaKind.IMAGE, "image/png", 1, DEMUXERS[path.suffix], width, height, video_codec="png", has_alpha=alpha
    )


def video_media(
    path: Path,
    seconds: float,
    size: tuple[int, int] = SIZE,
    *,
    sound: bool = False,
    alpha: bool = False,
    decoder: str | None = None,
) -> MediaInfo:
    """Return the media info of a video file."""
    return MediaInfo(
        path, MediaKind.VIDEO, "video/mp4", 1, DEMUXERS[path.suffix], *size, seconds, 25.0, round(seconds * 25),
        "h264", "aac" if sound else None, has_alpha=alpha, video_decoder=decoder,
    )  # fmt: skip


def audio_media(path: Path, seconds: float) -> MediaInfo:
    """Return the media info of an audio file."""
    return MediaInfo(
        path, MediaKind.AUDIO, "audio/wav", 1, DEMUXERS[path.suffix], duration_s=seconds, audio_codec="pcm_s16le"
    )


def clip(media: MediaInfo | None, start: int = 0, frames: int = 25, *, track: int = 0, **fields) -> TimedClip:
    """Return a clip; its pointer is derived from its track and start."""
    pointer = f"/timeline/tracks/{track}/clips/{start}"
    return TimedClip(pointer, track, start, frames, None, media, **fields)


def clip_sound(volume: float = 1.0, fade_in: int = 0, fade_out: int = 0) -> Sound:
    """Return the sound of a clip."""
    return Sound(Curve(volume), fade_in, fade_out)


def timeline_of(*clips: TimedClip, frames: int = 25, background: str = "#000000", **fields) -> Timeline:
    """Return a timeline; clips bottom first. Fields of the output may be given by name."""
    soundtrack = fields.pop("soundtrack", None)
    size = fields.pop("size", SIZE)
    spec = {"format": "mp4", "quality": "veryhigh", "first_frame": 0, "frames": frames, **fields}
    output = OutputSpec(width=size[0], height=size[1], fps=spec.pop("fps", Fraction(25)), **spec)
    return Timeline(output, background, frames, tuple(clips), soundtrack)


def render(timeline: Timeline, folder: Path, **arguments) -> RenderResult:
    """Render a timeline into a folder."""
    out = folder / f"out.{timeline.output.format}"
    return render_timeline(timeline, out=out, work_dir=folder / "work", **arguments)


def frames_of(path: Path, size: tuple[int, int] = SIZE) -> list[Image.Image]:
    """Decode every frame of a video as RGB."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", "-i", str(path)]
    command += ["-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    data = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    step = size[0] * size[1] * 3
    assert len(data) % step == 0
    return [Image.frombytes("RGB", size, data[at : at + step]) for at in range(0, len(data), step)]


def run_plan(plan: RenderPlan, folder: Path) -> list[Image.Image]:
    """Render a plan whose pictures are drawn already, and decode it."""
    paths = RenderPaths(ffmpeg_path(), folder, folder / "plan.mp4")
    run_command(compile_plan(plan, paths), plan.fps, lambda _: None, lambda: False, FFmpegLimits())
    return frames_of(paths.output, (plan.output.width, plan.output.height))


def render_frames(timeline: Timeline, folder: Path) -> list[Image.Image]:
    """Render a timeline and decode it."""
    return frames_of(render(timeline, folder).output, (timeline.output.width, timeline.output.height))


def render_image(folder: Path, *clips: TimedClip, at: int = 0, background: str = "#000000", **fields) -> Image.Image:
    """Render one frame of a timeline as an image."""
    frames = max((c.end for c in clips), default=1)
    whole = timeline_of(*clips, frames=max(frames, at + 1), background=background, format="png", **fields)
    spec = whole.output
    single = OutputSpec("png", spec.width, spec.height, spec.fps, at, 1)
    result = render(Timeline(single, background, whole.frames, whole.clips), folder)
    with Image.open(result.output) as image:
        return image.convert("RGB")


def near(found: Sequence[int], wanted: Sequence[int], within: int = 6) -> bool:
    """Return whether two colours are equal apart from coding noise."""
    return all(abs(a - b) <= within for a, b in zip(found, wanted, strict=True))


def bounding_box(image: Image.Image, color: Color, within: int = 60) -> tuple[int, int, int, int] | None:
    """Return left, top, right and bottom (exclusive) of the pixels that have about a colour."""
    mask = Image.new("1", image.size)
    mask.putdata([near(pixel, color, within) for pixel in image.get_flattened_data()])
    return mask.getbbox()


def loudness(path: Path, window_s: float = 0.1) -> list[float]:
    """Decode a file's audio and return its loudness (root mean square, 1.0 is full scale) window by window."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", "-i", str(path)]
    command += ["-map", "0:a:0", "-ac", "1", "-ar", "8000", "-f", "f32le", "-"]
    samples = array.array("f", subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)
    step = int(8000 * window_s)
    windows = [samples[at : at + step] for at in range(0, len(samples) - step + 1, step)]
    return [math.sqrt(sum(value * value for value in window) / step) for window in windows]
