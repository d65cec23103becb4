"""What renders publishes. Subscribers run in the transaction that made the change."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class RenderEvent:
    """A change of one render. owner_id, project_id: for subscribers that write rows of their own."""

    render_id: UUID
    owner_id: UUID
    project_id: UUID | None


@dataclass(frozen=True, slots=True)
class RenderSubmitted(RenderEvent):
    """A render was accepted, to be queued at once or at its time."""


@dataclass(frozen=True, slots=True)
class RenderQueued(RenderEvent):
    """A render waits for a worker."""


@dataclass(frozen=True, slots=True)
class RenderStarted(RenderEvent):
    """A worker began an attempt. waited_s: in the queue, for the attempt that is the render's first; else None."""

    attempt: int
    waited_s: float | None = None


@dataclass(frozen=True, slots=True)
class RenderSucceeded(RenderEvent):
    """The output can be downloaded. credits_charged: hundredths.

    duration_s, size_bytes: of the output. took_s: what the attempt that succeeded spent, from fetching to saving.
    """

    credits_charged: int
    duration_s: float = 0.0
    size_bytes: int = 0
    took_s: float = 0.0


@dataclass(frozen=True, slots=True)
class RenderFailed(RenderEvent):
    """The render ended without an output and was refunded. code: of its error. credits_refunded: hundredths."""

    code: str
    credits_refunded: int = 0


@dataclass(frozen=True, slots=True)
class RenderCancelled(RenderEvent):
    """The owner or staff stopped the render; it was refunded. credits_refunded: hundredths."""

    credits_refunded: int = 0


@dataclass(frozen=True, slots=True)
class RenderOutputDeleted(RenderEvent):
    """The owner or staff deleted the output; the record of the render stays."""

    size_bytes: int


@dataclass(frozen=True, slots=True)
class BatchCompleted:
    """The last render of a batch has ended; told once. credits_charged: hundredths, of all its renders."""

    batch_id: UUID
    owner_id: UUID
    project_id: UUID | None
    total: int
    succeeded: int
    failed: int
    cancelled: int
    credits_charged: int
