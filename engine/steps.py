"""How a caller may watch the steps of a render, without the engine knowing who it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

# Records attributes of a step while it lasts, by name.
RecordAttributes = Callable[[Mapping[str, str | int | float]], None]


class OnStep(Protocol):
    """Called at the beginning of each step, in the thread that does it; what it returns is open as long as the step.

    Steps nest: `run` holds one `ffmpeg` for each process.
    """

    def __call__(self, name: str, /) -> AbstractContextManager[RecordAttributes]:
        """Return what the step is done in. It must not swallow what the step raises."""


def ignore_steps(name: str, /) -> AbstractContextManager[RecordAttributes]:
    """Watch nothing."""
    return nullcontext(_ignore_attributes)


def _ignore_attributes(attributes: Mapping[str, str | int | float]) -> None:
    pass
