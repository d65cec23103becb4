"""The sample edit of `make demo` and its media, which are generated."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import imageio_ffmpeg
from PIL import Image, ImageDraw

DURATION_S = 10.0
WIDTH, HEIGHT = 1280, 720
_NIGHT = "0x0f172a"


def make_media(folder: Path) -> dict[str, Path]:
    """Generate a video (6 s), an image and a soundtrack (12 s); return their paths by role."""
    folder.mkdir(parents=True, exist_ok=True)
    video, image, music = folder / "dusk.mp4", folder / "owl.png", folder / "music.mp3"
    colours = f"gradients=s={WIDTH}x{HEIGHT}:r=25:d=6:n=4:c0={_NIGHT}:c1=0x4338ca:c2=0xdb2777:c3=0xf59e0b:speed=0.03"
    # A chord of three voices, each with a slow tremolo.
    voices = "+".join(
        f"0.16*sin(2*PI*{tone}*t)*(0.7+0.3*sin(2*PI*{swell}*t))"
        for tone, swell in ((220.0, 0.5), (277.18, 0.4), (329.63, 0.3))
    )
    _ffmpeg("-f", "lavfi", "-i", colours, "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", str(video))
    _ffmpeg("-f", "lavfi", "-i", f"aevalsrc={voices}:s=44100:d=12", "-ac", "2", "-b:a", "128k", str(music))
    _draw_owl(image)
    return {"video": video, "image": image, "music": music}


def make_edit(sources: dict[str, str]) -> dict[str, Any]:
    """Return the edit. sources: URL or `asset:` reference by role, as from `make_media`."""
    caption = {
        "type": "text",
        "text": "Rendered on this machine, from {{ SOURCE }}",
        "font": {"family": "Open Sans", "size": 34, "color": "#ffffff"},
        "background": {"color": "#0f172a", "opacity": 0.6, "borderRadius": 12},
        "alignment": {"horizontal": "center", "vertical": "center"},
        "width": 760,
        "height": 72,
    }
    name = {
        "type": "text",
        "text": "Renderowl",
        "font": {"family": "Montserrat", "size": 120, "weight": 800, "color": "#ffffff"},
        "alignment": {"horizontal": "center", "vertical": "center"},
        "width": 1100,
        "height": 200,
    }
    return {
        "timeline": {
            "background": "#0f172a",
            "soundtrack": {"src": sources["music"], "effect": "fadeInFadeOut", "volume": 0.8},
            "tracks": [
                {"clips": [_clip(name, 0.5, 3.5, {"in": "slideUp", "out": "fade"})]},
                {"clips": [_clip(caption, 4.5, 5, {"in": "slideRight", "out": "fade"}, offset={"x": 0, "y": -0.36})]},
                {
                    "clips": [
                        _clip({"type": "video", "src": sources["video"], "volume": 0}, 0, 5, {"out": "fade"}),
                        _clip({"type": "image", "src": sources["image"]}, 4.5, 5.5, {"in": "fade"}, effect="zoomIn"),
                    ]
                },
            ],
        },
        "output": {"format": "mp4", "resolution": "hd", "fps": 25},
        "merge": [{"find": "SOURCE", "replace": "a JSON edit"}],
    }


def _clip(
    asset: dict[str, Any], start: float, length: float, transition: dict[str, str], **more: Any
) -> dict[str, Any]:
    return {"asset": asset, "start": start, "length": length, "transition": transition, **more}


def _ffmpeg(*arguments: str) -> None:
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", "-y", *arguments], check=True)


def _draw_owl(path: Path) -> None:
    """Draw an owl on a branch in front of the moon, at twice the size and then scaled down for smooth edges."""
    size = 2
    picture = Image.new("RGB", (WIDTH * size, HEIGHT * size), "#1e293b")
    draw = ImageDraw.Draw(picture)

    def disc(x: float, y: float, rx: float, ry: float, colour: str) -> None:
        draw.ellipse([(x - rx) * size, (y - ry) * size, (x + rx) * size, (y + ry) * size], fill=colour)

    def polygon(points: list[tuple[float, float]], colour: str) -> None:
        draw.polygon([(x * size, y * size) for x, y in points], fill=colour)

    for row in range(HEIGHT * size):
        shade = row / (HEIGHT * size)
        draw.line(
            [(0, row), (WIDTH * size, row)], fill=(int(30 + 60 * shade), int(41 + 20 * shade), int(59 + 80 * shade))
        )
    disc(880, 250, 190, 190, "#fde68a")
    polygon([(0, 585), (WIDTH, 545), (WIDTH, 585), (0, 625)], "#3f2d20")
    disc(640, 420, 150, 190, "#7c4a21")
    disc(640, 460, 105, 135, "#d6a46a")
    polygon([(520, 300), (505, 190), (600, 250)], "#7c4a21")
    polygon([(760, 300), (775, 190), (680, 250)], "#7c4a21")
    for x in (575, 705):
        disc(x, 320, 68, 68, "#f8fafc")
        disc(x, 320, 40, 40, "#f59e0b")
        disc(x, 320, 22, 22, "#0f172a")
        disc(x + 10, 310, 8, 8, "#ffffff")
    polygon([(615, 350), (665, 350), (640, 400)], "#fb923c")
    for x in (590, 690):
        disc(x, 598, 32, 16, "#fb923c")
    picture.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS).save(path)
