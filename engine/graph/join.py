"""Put rendered parts together: their pictures are copied, the sound is made for the whole film at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from engine.graph.compile import Build, Command, Paths, add_sounds
from engine.graph.outputs import joiner
from engine.plan.model import Plan


def part_list(parts: Sequence[Path]) -> str:
    """Return the list of parts as the concat demuxer reads it; their names are ours and plain."""
    return "ffconcat version 1.0\n" + "".join(f"file {part.name}\n" for part in parts)


def compile_join(plan: Plan, list_path: Path, paths: Paths) -> Command:
    """Return the FFmpeg run that joins the parts named in `list_path` and adds the sound of the whole plan."""
    build = Build(replace(plan, layers=()), paths)
    pictures = build.add_input(["-f", "concat", "-safe", "1"], list_path)
    sounding = add_sounds(build)
    maps = ["-map", f"{pictures}:v:0", *(["-map", "[a]"] if sounding else [])]
    arguments = [*maps, *joiner(plan.output, sounding), str(paths.output)]
    return build.command(arguments, (paths.output,), plan.output.frames, sounding)
