"""How a caller may watch the steps of a render, without the engine knowing who it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

# Told of a step while it lasts: figures by name.
Note = Callable[[Mapping[str, str | int | float]], None]


class OnStep(Protocol):
    """Called at the beginning of each step, in the thread that does it; what it returns is open as long as the step.

    Steps nest: `run` holds one `ffmpeg` for each process.
    """

    def __call__(self, name: str, /) -> AbstractContextManager[Note]:
        """Return what the step is done in. It must not swallow what the step raises."""


def unwatched(name: str, /) -> AbstractContextManager[Note]:
    """Watch nothing."""
    return nullcontext(_discard)


def _discard(figures: Mapping[str, str | int | float]) -> None:
    pass
