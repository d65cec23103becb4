"""A plan to one FFmpeg command: pure, so that the same plan always gives the same arguments."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from engine.graph.audio_filters import audio_filter_chain, mix_audio
from engine.graph.expressions import color, expression, number
from engine.graph.masks import apply_mask, color_source, matte_mask, wipe_mask
from engine.graph.outputs import IMAGE_FORMATS, JPEG_PIXELS, can_have_audio, encoder_options, final_filters, has_video
from engine.graph.video_filters import OPAQUE, TRANSPARENT, is_animated, is_decoded_once, video_filter_chain
from engine.plan.model import AudioLayer, Layer, PictureSource, RenderPlan, SequenceSource, VideoSource

# Decoders with several threads hold several pictures each; many of them would fill the memory.
MAX_THREADED_VIDEOS = 4
# Read this much more than is shown, as the last picture may begin before its time.
READ_MARGIN_S = 0.6
# Pictures of the video that may wait, uncoded, for the next picture of a poster or thumbnail.
MAX_BUFFERED_BYTES = 128 * 1024 * 1024
# From this height on, pictures of unknown colour matrix are taken as BT.709, below as BT.601.
HD_MIN_HEIGHT = 720


@dataclass(frozen=True, slots=True)
class RenderPaths:
    """Where a render's files go. work_dir: scratch files; the others are the names FFmpeg writes to."""

    ffmpeg: Path
    work_dir: Path
    output: Path
    poster: Path | None = None
    thumbnail: Path | None = None


@dataclass(frozen=True, slots=True)
class SequenceFile:
    """A file to write before the run: the pictures of a sequence, wrapped as one stream."""

    path: Path
    source: SequenceSource


@dataclass(frozen=True, slots=True)
class FFmpegCommand:
    """One FFmpeg run. script: the filter graph, to be written to `script_path`; sequences: to be written too.

    total_frames: what the main output must hold; 0 where it holds no pictures.
    """

    argv: tuple[str, ...]
    script: str
    script_path: Path
    sequences: tuple[SequenceFile, ...]
    outputs: tuple[Path, ...]
    total_frames: int
    duration_s: float
    has_audio: bool


@dataclass(slots=True)
class CommandBuilder:
    """Collects the inputs and filter statements of a command."""

    plan: RenderPlan
    paths: RenderPaths
    inputs: list[str] = field(default_factory=list)
    count: int = 0
    statements: list[str] = field(default_factory=list)
    sequences: list[SequenceFile] = field(default_factory=list)

    def add_input(self, options: list[str], path: Path) -> str:
        """Add an input and return its number."""
        self.inputs += ["-protocol_whitelist", "file", *options, "-i", f"file:{path}"]
        self.count += 1
        return str(self.count - 1)

    def command(
        self, arguments: list[str], outputs: tuple[Path, ...], total_frames: int, has_audio: bool
    ) -> FFmpegCommand:
        """Return the finished command; arguments: everything after the inputs and the graph."""
        script_path = self.paths.work_dir / "graph.txt"
        argv = [str(self.paths.ffmpeg), "-nostdin", "-hide_banner", "-v", "error", "-nostats", "-progress", "pipe:1"]
        argv += ["-stats_period", "0.25", "-y", *self.inputs]
        argv += ["-/filter_complex", str(script_path)] if self.statements else []
        return FFmpegCommand(
            argv=(*argv, *arguments),
            script=";\n".join(self.statements) + "\n",
            script_path=script_path,
            sequences=tuple(self.sequences),
            outputs=outputs,
            total_frames=total_frames,
            duration_s=self.plan.output.duration_s,
            has_audio=has_audio,
        )


def _video_options(source: VideoSource, size: tuple[int, int], frames: int, plan: RenderPlan) -> list[str]:
    """Return the input options of a video: pinned demuxer, bounded reading."""
    videos = sum(isinstance(layer.source, VideoSource) for layer in plan.layers)
    options = ["-f", source.demuxer]
    if not source.loops:
        # What the file does not say is taken as players do; decoders overrule it where the file says.
        options += ["-colorspace", "bt709" if min(size) >= HD_MIN_HEIGHT else "smpte170m"]
    if source.decoder:
        options += ["-c:v", source.decoder]
    if videos > MAX_THREADED_VIDEOS:
        options += ["-threads", "1"]
    if source.loops:
        options += ["-stream_loop", "-1"]
    if source.seek_s > 0:
        options += ["-ss", number(source.seek_s)]
    return [*options, "-t", number(float(frames / plan.fps) * source.speed + READ_MARGIN_S), "-an", "-sn", "-dn"]


def _video_input(builder: CommandBuilder, source: PictureSource, size: tuple[int, int], frames: int) -> str:
    """Add the input of a layer or matte and return its label."""
    if isinstance(source, VideoSource):
        return builder.add_input(_video_options(source, size, frames, builder.plan), source.path) + ":v:0"
    if isinstance(source, SequenceSource):
        path = builder.paths.work_dir / f"sequence-{len(builder.sequences)}.nut"
        builder.sequences.append(SequenceFile(path, source))
        return builder.add_input(["-f", "nut", "-threads", "1"], path) + ":v:0"
    return builder.add_input(["-f", source.demuxer, "-threads", "1"], source.path) + ":v:0"


def _on_canvas(builder: CommandBuilder, layer: Layer, label: str, name: str) -> str:
    """Lay a picture on a clear canvas of the viewport's size, where it is not of that size and place already."""
    spec = builder.plan.output
    viewport = (spec.width, spec.height)
    if (
        layer.painted_size == viewport
        and layer.x.is_constant
        and layer.y.is_constant
        and not (layer.x.first or layer.y.first)
    ):
        return label
    x, y = expression(layer.x, "n"), expression(layer.y, "n")
    builder.statements.append(
        f"{color_source('black@0', viewport, layer.frames, builder.plan.fps)},{TRANSPARENT}[{name}c]"
    )
    builder.statements.append(f"[{name}c][{label}]overlay=x='{x}':y='{y}':format=auto[{name}v]")
    return f"{name}v"


def _overlay(builder: CommandBuilder, layer: Layer, base: str, index: int) -> str:
    """Add one layer over `base` and return the label of the result."""
    plan, name = builder.plan, f"l{index}"
    source = _video_input(builder, layer.source, layer.source_size, layer.frames)
    chain = video_filter_chain(layer, plan.fps, name)
    moved = f"setpts=N+{layer.start}"
    if isinstance(layer.source, SequenceSource) and not is_animated(layer):
        moved = f"setpts=PTS+{layer.start}"
    elif is_decoded_once(layer):
        moved = f"setpts={layer.start}"
    label = f"{name}a"
    x, y = expression(layer.x, f"(n-{layer.start})"), expression(layer.y, f"(n-{layer.start})")
    if not layer.wipes and layer.matte is None:
        builder.statements.append(f"[{source}]{','.join([*chain, moved])}[{label}]")
    else:
        builder.statements.append(f"[{source}]{','.join([*chain, 'setpts=N'])}[{label}0]")
        label = _mask(builder, layer, f"{label}0", name)
        if layer.matte is not None:
            x = y = "0"
        builder.statements.append(f"[{label}]{moved}[{name}a]")
        label = f"{name}a"
    out = f"{name}o"
    last = layer.end - 1
    builder.statements.append(
        f"[{base}][{label}]overlay=x='{x}':y='{y}':format=yuv420:eof_action=repeat"
        f":enable='between(n,{layer.start},{last})'[{out}]"
    )
    return out


def _mask(builder: CommandBuilder, layer: Layer, label: str, name: str) -> str:
    """Apply wipes and matte to a picture and return the label of the result."""
    plan = builder.plan
    for number_, wipe in enumerate(layer.wipes):
        statements, mask = wipe_mask(wipe, layer, plan.fps, f"{name}x{number_}")
        builder.statements += statements
        statements, label = apply_mask(label, mask, has_alpha=True, name=f"{name}y{number_}")
        builder.statements += statements
    if layer.matte is not None:
        label = _on_canvas(builder, layer, label, name)
        source = _video_input(builder, layer.matte.source, layer.matte.source_size, layer.matte.frames)
        viewport = (plan.output.width, plan.output.height)
        statements, mask = matte_mask(layer.matte, source, layer, viewport, plan.fps, f"{name}t")
        builder.statements += statements
        statements, label = apply_mask(label, mask, has_alpha=True, name=f"{name}z")
        builder.statements += statements
    return label


def _add_video(builder: CommandBuilder) -> list[str]:
    """Add the whole picture part and return the output options that use it."""
    plan, spec = builder.plan, builder.plan.output
    base = "base"
    viewport = (spec.width, spec.height)
    # The palette of a GIF waits for the end of the video, so the background must have an end.
    builder.statements.append(
        f"{color_source(color(plan.background), viewport, spec.frames, plan.fps)},{OPAQUE}[{base}]"
    )
    for index, layer in enumerate(plan.layers):
        base = _overlay(builder, layer, base, index)
    width, height = spec.final_size
    if spec.scale_to is not None:
        builder.statements.append(f"[{base}]scale={width}:{height}:flags=lanczos[scaled]")
        base = "scaled"
    stills = _still_outputs(builder)
    if stills:
        names = "".join(f"[still{index}]" for index in range(len(stills)))
        builder.statements.append(f"[{base}]split={len(stills) + 1}[main]{names}")
        base = "main"
    builder.statements.append(final_filters(spec).format(**{"in": base, "out": "v"}))
    options = []
    # FFmpeg asks the output that is furthest behind, and holds the video's pictures until that one has its next.
    # So each still takes one picture in `step`, the last of them the wanted one, and keeps only the last.
    step = max(1, MAX_BUFFERED_BYTES // (width * height * 2))
    for index, (path, frame, scale) in enumerate(stills):
        size = "" if scale == 1 else f"scale={_whole_px(width * scale)}:{_whole_px(height * scale)}:flags=area,"
        some = f"trim=end_frame={frame + 1},select='eq(mod(n,{step}),{frame % step})'"
        builder.statements.append(f"[still{index}]{some},{size}{JPEG_PIXELS}[s{index}]")
        options += ["-map", f"[s{index}]", "-c:v", "mjpeg", "-q:v", "3", "-fps_mode", "passthrough", "-update", "1"]
        options += ["-f", "image2", str(path)]
    return options


def _whole_px(value: float) -> int:
    return max(2, round(value))


def _still_outputs(builder: CommandBuilder) -> list[tuple[Path, int, float]]:
    """Return path, frame and scale of the pictures to keep besides the main output."""
    spec, paths = builder.plan.output, builder.paths
    stills = []
    if paths.poster is not None:
        stills.append((paths.poster, spec.poster_at, 1.0))
    if paths.thumbnail is not None:
        stills.append((paths.thumbnail, spec.thumbnail_at, spec.thumbnail_scale))
    return stills


def _audio_input(builder: CommandBuilder, sound: AudioLayer) -> str:
    """Add the input of a sound; a file that is also seen is opened twice, so that neither waits for the other."""
    options = ["-f", sound.demuxer, "-vn", "-sn", "-dn"]
    if sound.seek_s > 0:
        options += ["-ss", number(sound.seek_s)]
    options += ["-t", number(float(sound.frames / builder.plan.fps) * sound.speed + READ_MARGIN_S)]
    return builder.add_input(options, sound.path) + ":a:0"


def add_audio(builder: CommandBuilder) -> bool:
    """Add the sound part; return whether there is one."""
    plan, spec = builder.plan, builder.plan.output
    if not can_have_audio(spec) or (not plan.sounds and has_video(spec)):
        return False
    labels = []
    for index, sound in enumerate(plan.sounds):
        source = _audio_input(builder, sound)
        builder.statements.append(f"[{source}]{','.join(audio_filter_chain(sound, plan.fps))}[a{index}]")
        labels.append(f"a{index}")
    builder.statements += mix_audio(labels, spec.frames, plan.fps, "a")
    return True


def compile_plan(plan: RenderPlan, paths: RenderPaths) -> FFmpegCommand:
    """Return the one FFmpeg run that writes the main output and, with it, poster and thumbnail."""
    builder = CommandBuilder(plan, paths)
    spec = plan.output
    pictures = has_video(spec)
    stills = _add_video(builder) if pictures else []
    has_audio = add_audio(builder)
    maps = (["-map", "[v]"] if pictures else []) + (["-map", "[a]"] if has_audio else [])
    kept = (paths.poster, paths.thumbnail) if pictures else ()
    return builder.command(
        [*maps, *encoder_options(spec, has_audio), str(paths.output), *stills],
        outputs=(paths.output, *(path for path in kept if path is not None)),
        total_frames=(1 if spec.format in IMAGE_FORMATS else spec.frames) if pictures else 0,
        has_audio=has_audio,
    )
