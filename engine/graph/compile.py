"""Plan compiler: turns a plan into one FFmpeg command. Pure: the same plan always gives the same arguments."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from engine.graph.audio_filters import audio_filter_chain, mix_audio
from engine.graph.expressions import color, expression, number
from engine.graph.masks import apply_mask, color_source, matte_mask, wipe_mask
from engine.graph.outputs import IMAGE_FORMATS, JPEG_PIXELS, can_have_audio, encoder_options, final_filters, has_video
from engine.graph.video_filters import OPAQUE, TRANSPARENT, is_animated, is_decoded_once, video_filter_chain
from engine.plan.model import AudioLayer, Layer, PictureSource, RenderPlan, SequenceSource, VideoSource

# A decoder with several threads holds several frames; many such decoders would fill the memory.
MAX_THREADED_VIDEOS = 4
# Input to read beyond what is shown, as the last frame may begin before its time.
READ_MARGIN_S = 0.6
# Bytes of raw video that may queue for the encoder while the poster or thumbnail gets its next frame.
MAX_BUFFERED_BYTES = 128 * 1024 * 1024
# From this height on, frames of unknown colour matrix are treated as BT.709, below as BT.601.
HD_MIN_HEIGHT = 720


@dataclass(frozen=True, slots=True)
class RenderPaths:
    """The files of one render. work_dir: for scratch files; the others are the names that FFmpeg writes to."""

    ffmpeg: Path
    work_dir: Path
    output: Path
    poster: Path | None = None
    thumbnail: Path | None = None


@dataclass(frozen=True, slots=True)
class SequenceFile:
    """An image sequence to write as one stream before FFmpeg runs."""

    path: Path
    source: SequenceSource


@dataclass(frozen=True, slots=True)
class FFmpegCommand:
    """One FFmpeg run. script: the filter graph, to be written to `script_path`; sequences: to be written too.

    total_frames: the frames that the main output must have; 0 without video.
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
        """Add an input and return its index."""
        self.inputs += ["-protocol_whitelist", "file", *options, "-i", f"file:{path}"]
        self.count += 1
        return str(self.count - 1)

    def command(
        self, arguments: list[str], outputs: tuple[Path, ...], total_frames: int, has_audio: bool
    ) -> FFmpegCommand:
        """Return the finished command. arguments: everything after the inputs and the filter graph."""
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
    """Return the input options of a video: a fixed demuxer and a bounded duration."""
    videos = sum(isinstance(layer.source, VideoSource) for layer in plan.layers)
    options = ["-f", source.demuxer]
    if not source.loops:
        # Assume the colour matrix that players assume; decoders override it where the file declares one.
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
    if isinstance(source, VideoSource):
        return builder.add_input(_video_options(source, size, frames, builder.plan), source.path) + ":v:0"
    if isinstance(source, SequenceSource):
        path = builder.paths.work_dir / f"sequence-{len(builder.sequences)}.nut"
        builder.sequences.append(SequenceFile(path, source))
        return builder.add_input(["-f", "nut", "-threads", "1"], path) + ":v:0"
    return builder.add_input(["-f", source.demuxer, "-threads", "1"], source.path) + ":v:0"


def _on_canvas(builder: CommandBuilder, layer: Layer, label: str, name: str) -> str:
    """Overlay a layer on a transparent canvas of the viewport's size, unless it covers exactly that."""
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
    """Overlay one layer on `base` and return the output label."""
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
    plan = builder.plan
    for index, wipe in enumerate(layer.wipes):
        statements, mask = wipe_mask(wipe, layer, plan.fps, f"{name}x{index}")
        builder.statements += statements
        statements, label = apply_mask(label, mask, has_alpha=True, name=f"{name}y{index}")
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
    """Add the video part of the graph and return the output options of poster and thumbnail."""
    plan, spec = builder.plan, builder.plan.output
    base = "base"
    viewport = (spec.width, spec.height)
    # `palettegen` waits for the end of the video, so the background must be finite.
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
    # FFmpeg serves the output that is furthest behind, and queues the video's frames until that one has its next.
    # So each still selects one frame in `step`, the last of them the wanted one, and only the last one stays.
    step = max(1, MAX_BUFFERED_BYTES // (width * height * 2))
    for index, (path, frame, scale) in enumerate(stills):
        size = "" if scale == 1 else f"scale={_whole_px(width * scale)}:{_whole_px(height * scale)}:flags=area,"
        selected = f"trim=end_frame={frame + 1},select='eq(mod(n,{step}),{frame % step})'"
        builder.statements.append(f"[still{index}]{selected},{size}{JPEG_PIXELS}[s{index}]")
        options += ["-map", f"[s{index}]", "-c:v", "mjpeg", "-q:v", "3", "-fps_mode", "passthrough", "-update", "1"]
        options += ["-f", "image2", str(path)]
    return options


def _whole_px(value: float) -> int:
    return max(2, round(value))


def _still_outputs(builder: CommandBuilder) -> list[tuple[Path, int, float]]:
    """Return path, frame and scale of each image to write besides the main output."""
    spec, paths = builder.plan.output, builder.paths
    stills = []
    if paths.poster is not None:
        stills.append((paths.poster, spec.poster_at, 1.0))
    if paths.thumbnail is not None:
        stills.append((paths.thumbnail, spec.thumbnail_at, spec.thumbnail_scale))
    return stills


def _audio_input(builder: CommandBuilder, layer: AudioLayer) -> str:
    """Add the input of an audio layer; a file that is also a video layer is opened twice, so that neither waits."""
    options = ["-f", layer.demuxer, "-vn", "-sn", "-dn"]
    if layer.seek_s > 0:
        options += ["-ss", number(layer.seek_s)]
    options += ["-t", number(float(layer.frames / builder.plan.fps) * layer.speed + READ_MARGIN_S)]
    return builder.add_input(options, layer.path) + ":a:0"


def add_audio(builder: CommandBuilder) -> bool:
    """Add the audio part of the graph; return whether the output has audio."""
    plan, spec = builder.plan, builder.plan.output
    if not can_have_audio(spec) or (not plan.audio_layers and has_video(spec)):
        return False
    labels = []
    for index, layer in enumerate(plan.audio_layers):
        source = _audio_input(builder, layer)
        builder.statements.append(f"[{source}]{','.join(audio_filter_chain(layer, plan.fps))}[a{index}]")
        labels.append(f"a{index}")
    builder.statements += mix_audio(labels, spec.frames, plan.fps, "a")
    return True


def compile_plan(plan: RenderPlan, paths: RenderPaths) -> FFmpegCommand:
    """Return the one FFmpeg run that writes the main output together with poster and thumbnail."""
    builder = CommandBuilder(plan, paths)
    spec = plan.output
    shows_video = has_video(spec)
    stills = _add_video(builder) if shows_video else []
    has_audio = add_audio(builder)
    maps = (["-map", "[v]"] if shows_video else []) + (["-map", "[a]"] if has_audio else [])
    images = (paths.poster, paths.thumbnail) if shows_video else ()
    return builder.command(
        [*maps, *encoder_options(spec, has_audio), str(paths.output), *stills],
        outputs=(paths.output, *(path for path in images if path is not None)),
        total_frames=(1 if spec.format in IMAGE_FORMATS else spec.frames) if shows_video else 0,
        has_audio=has_audio,
    )
