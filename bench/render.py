"""The engine's overhead over plain FFmpeg: the sample edit through the pipeline and as a bare command, in turn.

Usage: python bench/render.py [--rounds N] [--seconds S]

The pipeline reads the edit, resolves it from probed media, draws, plans, compiles, runs, verifies and publishes
video, poster and thumbnail. The bare command is the same FFmpeg command at the same priority, without any of that.
Exit status 1 if the median of the pipeline is above 1.25 times that of the command.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from PIL import Image, ImageDraw

from engine.graph import FFmpegCommand, RenderPaths, compile_plan
from engine.language import parse_edit, sources
from engine.media import MediaInfo
from engine.pipeline import draw_clips, render_timeline
from engine.plan import make_plan
from engine.probe.client import probe_file
from engine.run import FFmpegLimits
from engine.run.binary import ffmpeg_path
from engine.run.image_sequences import write_sequence
from engine.timeline import resolve

MAX_RATIO = 1.25
SITE = "https://media.invalid/"


def make_media(folder: Path, seconds: int) -> None:
    """Write a video, a picture and a soundtrack."""
    base = [str(ffmpeg_path()), "-nostdin", "-v", "error", "-y"]
    video = ["-f", "lavfi", "-i", f"testsrc2=s=1280x720:r=25:d={seconds}", "-f", "lavfi", "-i", f"sine=330:d={seconds}"]
    subprocess.run([*base, *video, "-preset", "veryfast", str(folder / "video.mp4")], check=True)
    subprocess.run([*base, "-f", "lavfi", "-i", f"sine=220:d={seconds}", str(folder / "music.mp3")], check=True)
    image = Image.radial_gradient("L").resize((1600, 900)).convert("RGB")
    ImageDraw.Draw(image).rectangle((500, 300, 1100, 600), fill=(200, 80, 40))
    image.save(folder / "image.jpg", quality=90)


def sample_edit(seconds: int) -> dict[str, Any]:
    """Return the sample edit: video, image with motion, text, soundtrack, transitions."""
    half = seconds / 2
    fade = {"in": "fade", "out": "fade"}
    words = {"type": "text", "text": "A self-hosted render", "font": {"size": 64, "color": "#ffffff"}}
    return {
        "timeline": {
            "background": "#101820",
            "soundtrack": {"src": f"{SITE}music.mp3", "effect": "fadeInFadeOut", "volume": 0.6},
            "tracks": [
                {"clips": [{"asset": words, "start": 1, "length": seconds - 2, "transition": fade}]},
                {
                    "clips": [
                        {
                            "asset": {"type": "video", "src": f"{SITE}video.mp4", "volume": 0.8},
                            "start": 0,
                            "length": half,
                        },
                        {
                            "asset": {"type": "image", "src": f"{SITE}image.jpg"},
                            "start": half,
                            "length": half,
                            "effect": "zoomIn",
                            "transition": {"in": "slideLeft"},
                        },
                    ]
                },
            ],
        },
        "output": {"format": "mp4", "size": {"width": 1280, "height": 720}, "fps": 25, "poster": {"capture": 2}},
    }


def through_pipeline(edit: dict[str, Any], media: dict[str, MediaInfo], folder: Path) -> float:
    """Render the edit, from its JSON to the files, and return the seconds it took."""
    began = time.perf_counter()
    timeline = resolve(parse_edit(edit).edit, media).timeline
    render_timeline(
        timeline,
        out=folder / "out.mp4",
        work_dir=folder / "work",
        poster=folder / "poster.jpg",
        thumbnail=folder / "thumbnail.jpg",
    )
    return time.perf_counter() - began


def command_by_hand(edit: dict[str, Any], media: dict[str, MediaInfo], folder: Path) -> FFmpegCommand:
    """Return the command of the same render, with all its inputs written."""
    timeline = resolve(parse_edit(edit).edit, media).timeline
    scratch = folder / "hand"
    scratch.mkdir()
    plan = make_plan(timeline, draw_clips(timeline, scratch, lambda: False))
    names = (scratch / "out.mp4", scratch / "poster.jpg", scratch / "thumbnail.jpg")
    command = compile_plan(plan, RenderPaths(ffmpeg_path(), scratch, *names))
    command.script_path.write_text(command.script, encoding="utf-8")
    for sequence in command.sequences:
        write_sequence(sequence.path, sequence.source, timeline.output.fps)
    return command


def by_hand(command: FFmpegCommand) -> float:
    """Run the command and return the seconds it took."""
    began = time.perf_counter()
    polite = ["nice", "-n", str(FFmpegLimits().niceness)]
    subprocess.run([*polite, *command.argv], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> int:
    """Measure, print, and return 1 if the overhead is above its limit."""
    parser = argparse.ArgumentParser(description="Compare the pipeline with the bare FFmpeg command.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_media(folder, options.seconds)
        edit = sample_edit(options.seconds)
        media = {ref.url: probe_file(folder / ref.url.removeprefix(SITE)) for ref in sources(parse_edit(edit).edit)}
        command = command_by_hand(edit, media, folder)
        through_pipeline(edit, media, folder)  # starts the drawing processes, as a worker has them running
        ours, bare = [], []
        for number in range(options.rounds):
            ours.append(through_pipeline(edit, media, folder))
            bare.append(by_hand(command))
            print(f"round {number + 1}: pipeline {ours[-1]:.2f} s, ffmpeg by hand {bare[-1]:.2f} s")
    pipeline, plain = statistics.median(ours), statistics.median(bare)
    ratio = pipeline / plain
    print(f"medians: pipeline {pipeline:.2f} s, ffmpeg by hand {plain:.2f} s, ratio {ratio:.3f} (at most {MAX_RATIO})")
    cores = os.cpu_count()
    print(f"throughput: {options.seconds / pipeline:.1f} x real time at 1280x720, 25 fps, {cores} cores")
    return 0 if ratio <= MAX_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
