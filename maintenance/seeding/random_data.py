"""Random demo data with realistic distributions, reproducible by seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

SIZES = ((1920, 1080), (1280, 720), (1080, 1920), (640, 360), (1080, 1080))
TITLES = ("Autumn sale", "Weekly recap", "Product tour", "Birthday greeting", "Match highlights", "Recipe of the day")
ERRORS = (
    ("asset_unreachable", "The file could not be fetched.", True, "fetching"),
    ("media_unreadable", "The file is no media.", False, "fetching"),
    ("render_timeout", "The render took too long.", True, "rendering"),
    ("engine_failed", "FFmpeg ended with an error.", True, "rendering"),
)


class RandomData(random.Random):
    """A random generator with helpers for demo data."""

    def moment(self, now: datetime, days: float) -> datetime:
        """Return a time in the last `days` days; recent and daytime hours are more likely."""
        while True:
            at = now - timedelta(days=days * self.random() ** 1.4)
            if self.random() < (1.0 if 7 <= at.hour < 21 else 0.35):
                return at

    def wait_ms(self) -> int:
        """Return a queue wait, log-normal and at most an hour."""
        return min(3_600_000, int(self.lognormvariate(6.5, 1.3)))

    def pick(self, items: Sequence[Any]) -> Any:
        """Return one of the items; earlier ones are more likely."""
        return items[min(len(items) - 1, int(self.expovariate(1.2)))]

    def title(self) -> str:
        """Return a render title."""
        return f"{self.choice(TITLES)} {self.randrange(1, 53)}"


def title_edit(title: str, length_s: float, size: tuple[int, int], fps: int) -> dict[str, Any]:
    """Return an edit that needs no files."""
    clip = {"asset": {"type": "title", "text": title, "style": "minimal"}, "start": 0, "length": length_s}
    return {
        "timeline": {"background": "#0f172a", "tracks": [{"clips": [clip]}]},
        "output": {"format": "mp4", "size": {"width": size[0], "height": size[1]}, "fps": fps},
    }
