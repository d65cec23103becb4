"""Output options: encoder, quality and muxer of each output format."""

from __future__ import annotations

from engine.timeline.model import OutputSpec

CRF = {"verylow": 35, "low": 30, "medium": 23, "high": 20, "veryhigh": 17}
VP9_CRF = {"verylow": 45, "low": 40, "medium": 34, "high": 30, "veryhigh": 24}
JPEG_QSCALE = {"verylow": 20, "low": 12, "medium": 5, "high": 3, "veryhigh": 2}
COLOR_TAGS = ("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv")
IMAGE_FORMATS = ("jpg", "png", "bmp")
AUDIO_FORMATS = ("mp3", "wav")
# JPEG files are full range BT.601 by definition (JFIF 1.02).
JPEG_PIXELS = "scale=out_color_matrix=bt601:out_range=pc,format=yuvj420p"
# A palette over the whole video needs every frame in memory; above this each frame gets its own.
PALETTE_BUFFER_BYTES = 200_000_000


def has_video(spec: OutputSpec) -> bool:
    """Return whether the format has a video stream; images count."""
    return spec.format not in AUDIO_FORMATS


def can_have_audio(spec: OutputSpec) -> bool:
    """Return whether the output may have an audio stream: its format has one and it is not muted."""
    return spec.format in ("mp4", "webm", "mp3", "wav") and not spec.mute


def final_filters(spec: OutputSpec) -> str:
    """Return the last filters before the encoder, with the labels as `{in}` and `{out}`."""
    if spec.format == "gif":
        width, height = spec.final_size
        # `stats_mode=diff` would miss colours that fill the whole frame at a cut.
        make, use = "full", "dither=sierra2_4a:diff_mode=rectangle"
        if spec.frames * width * height * 3 // 2 > PALETTE_BUFFER_BYTES:
            make, use = "single", "new=1:dither=bayer:bayer_scale=4"
        split = "[{in}]split[{out}g][{out}h];[{out}g]palettegen=stats_mode=" + make + "[{out}p]"
        return split + ";[{out}h][{out}p]paletteuse=" + use + "[{out}]"
    if spec.format == "jpg":
        return f"[{{in}}]{JPEG_PIXELS}[{{out}}]"
    if spec.format in ("png", "bmp"):
        return "[{in}]format=rgb24[{out}]"
    return "[{in}]format=yuv420p[{out}]"


def encoder_options(spec: OutputSpec, has_audio: bool) -> list[str]:
    """Return the encoder and muxer options of the main output; the path follows."""
    frames, seconds = str(spec.frames), f"{spec.duration_s:.6f}"
    no_metadata = ["-map_metadata", "-1", "-map_chapters", "-1"]
    if spec.format in AUDIO_FORMATS:
        codec = ["-c:a", "libmp3lame", "-b:a", "192k"] if spec.format == "mp3" else ["-c:a", "pcm_s16le"]
        return [*codec, "-t", seconds, *no_metadata, "-f", spec.format]
    if spec.format in IMAGE_FORMATS:
        jpeg = ["-c:v", "mjpeg", "-q:v", str(JPEG_QSCALE[spec.quality])]
        codec = jpeg if spec.format == "jpg" else ["-c:v", spec.format]
        return [*codec, "-frames:v", "1", "-update", "1", *no_metadata, "-f", "image2"]
    limits = ["-frames:v", frames, "-t", seconds, *no_metadata]
    if spec.format == "gif":
        return [*limits, "-loop", "0" if spec.repeat else "-1", "-f", "gif"]
    gop_size = str(max(1, round(2 * float(spec.fps))))
    if spec.format == "webm":
        video = ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "6", "-row-mt", "1", "-b:v", "0"]
        video += ["-crf", str(VP9_CRF[spec.quality]), "-g", gop_size, *COLOR_TAGS]
    else:
        video = ["-c:v", "libx264", "-preset", "veryfast", "-crf", str(CRF[spec.quality]), "-g", gop_size, *COLOR_TAGS]
    return [*video, *_audio_codec(spec, has_audio), *limits, *_muxer_options(spec)]


def concat_options(spec: OutputSpec, has_audio: bool) -> list[str]:
    """Return the options that mux encoded video with newly encoded audio; the path follows."""
    limits = ["-frames:v", str(spec.frames), "-map_metadata", "-1", "-map_chapters", "-1"]
    return ["-c:v", "copy", *_audio_codec(spec, has_audio), *limits, *_muxer_options(spec)]


def _audio_codec(spec: OutputSpec, has_audio: bool) -> list[str]:
    if not has_audio:
        return []
    return ["-c:a", "libopus", "-b:a", "128k"] if spec.format == "webm" else ["-c:a", "aac", "-b:a", "192k"]


def _muxer_options(spec: OutputSpec) -> list[str]:
    return ["-f", "webm"] if spec.format == "webm" else ["-movflags", "+faststart", "-f", "mp4"]
