"""Presets: named sizes and frame rates.

| resolution | 16:9 | frames per second |
|---|---|---|
| preview | 512 x 288 | 15 |
| mobile | 640 x 360 | 25 |
| sd | 1024 x 576 | 25 |
| hd | 1280 x 720 | 25 |
| 1080 | 1920 x 1080 | 25 |
| 4k | 3840 x 2160 | 25 |

9:16 swaps the sides. 1:1, 4:5 and 4:3 keep the height and derive an even width from it.
"""

from __future__ import annotations

from fractions import Fraction

RESOLUTIONS: dict[str, tuple[int, int]] = {
    "preview": (512, 288),
    "mobile": (640, 360),
    "sd": (1024, 576),
    "hd": (1280, 720),
    "1080": (1920, 1080),
    "4k": (3840, 2160),
}
ASPECT_RATIOS: dict[str, Fraction] = {
    "16:9": Fraction(16, 9),
    "9:16": Fraction(9, 16),
    "1:1": Fraction(1),
    "4:5": Fraction(4, 5),
    "4:3": Fraction(4, 3),
}
DEFAULT_RESOLUTION = "hd"
DEFAULT_FPS = 25
PRESET_FPS = {"preview": 15}
MIN_SIDE = 16
MAX_WIDTH = 7680
MAX_HEIGHT = 4320
MAX_DURATION_S = 3600
MAX_CLIPS = 5000

_NTSC = {23.976: Fraction(24000, 1001), 29.97: Fraction(30000, 1001), 59.94: Fraction(60000, 1001)}


def preset_size(resolution: str, aspect_ratio: str) -> tuple[int, int]:
    """Return width and height in pixels of a named resolution."""
    width, height = RESOLUTIONS[resolution]
    if aspect_ratio == "16:9":
        return (width, height)
    if aspect_ratio == "9:16":
        return (height, width)
    return (2 * round(height * ASPECT_RATIOS[aspect_ratio] / 2), height)


def exact_fps(fps: float) -> Fraction:
    """Return a frame rate as a fraction; rates such as 29.97 become their NTSC fractions."""
    for written, exact in _NTSC.items():
        if abs(fps - written) < 0.005:
            return exact
    return Fraction(str(fps)).limit_denominator(1001)
