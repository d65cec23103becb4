"""The steps of the engine as spans."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from core import tracing
from engine.steps import Note


@contextmanager
def watch_step(name: str, /) -> Iterator[Note]:
    """Give a span for one step; its figures become attributes, as `renderowl.ffmpeg.frames`."""
    with tracing.span(name) as span:
        yield lambda figures: tracing.note(span, {f"renderowl.{name}.{key}": value for key, value in figures.items()})
