"""Segment concatenation with the concat demuxer: video is copied, audio is mixed once for the whole output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from engine.graph.compile import CommandBuilder, FFmpegCommand, RenderPaths, add_audio
from engine.graph.outputs import concat_options
from engine.plan.model import RenderPlan


def concat_list(segments: Sequence[Path]) -> str:
    """Return the segments as a list for the concat demuxer; their names are generated and need no quoting."""
    return "ffconcat version 1.0\n" + "".join(f"file {segment.name}\n" for segment in segments)


def compile_concat(plan: RenderPlan, list_path: Path, paths: RenderPaths) -> FFmpegCommand:
    """Return the FFmpeg run that joins the segments listed in `list_path` and adds the audio of the whole plan."""
    builder = CommandBuilder(replace(plan, layers=()), paths)
    video = builder.add_input(["-f", "concat", "-safe", "1"], list_path)
    has_audio = add_audio(builder)
    maps = ["-map", f"{video}:v:0", *(["-map", "[a]"] if has_audio else [])]
    arguments = [*maps, *concat_options(plan.output, has_audio), str(paths.output)]
    return builder.command(arguments, (paths.output,), plan.output.frames, has_audio)
