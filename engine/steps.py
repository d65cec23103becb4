"""Step hooks: how a caller observes the steps of a render."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

# Records attributes of a running step, by name.
RecordAttributes = Callable[[Mapping[str, str | int | float]], None]


class OnStep(Protocol):
    """Called at the start of each step, in the thread that runs it; the context that it returns spans the step.

    Steps nest: `run` contains one `ffmpeg` per process.
    """

    def __call__(self, name: str, /) -> AbstractContextManager[RecordAttributes]:
        """Return the context manager around the step. It must not suppress the step's exceptions."""


def ignore_steps(name: str, /) -> AbstractContextManager[RecordAttributes]:
    """Observe nothing."""
    return nullcontext(_ignore_attributes)


def _ignore_attributes(attributes: Mapping[str, str | int | float]) -> None:
    pass
