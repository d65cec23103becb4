"""Events that renders publishes. Subscribers run in the transaction of the change."""

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
    """A render was accepted, either queued at once or scheduled."""


@dataclass(frozen=True, slots=True)
class RenderQueued(RenderEvent):
    """A render waits for a worker."""


@dataclass(frozen=True, slots=True)
class RenderStarted(RenderEvent):
    """A worker began an attempt. waited_s: time in the queue, for the first attempt only."""

    attempt: int
    waited_s: float | None = None


@dataclass(frozen=True, slots=True)
class RenderSucceeded(RenderEvent):
    """The output can be downloaded. credits_charged: hundredths.

    duration_s, size_bytes: of the output. took_s: of the successful attempt, from fetching to saving.
    """

    credits_charged: int
    duration_s: float = 0.0
    size_bytes: int = 0
    took_s: float = 0.0


@dataclass(frozen=True, slots=True)
class RenderFailed(RenderEvent):
    """The render failed and was refunded. code: of its error. credits_refunded: hundredths."""

    code: str
    credits_refunded: int = 0


@dataclass(frozen=True, slots=True)
class RenderCancelled(RenderEvent):
    """The owner or staff cancelled the render, which was refunded. credits_refunded: hundredths."""

    credits_refunded: int = 0


@dataclass(frozen=True, slots=True)
class RenderOutputDeleted(RenderEvent):
    """The owner or staff deleted the output; the row of the render stays."""

    size_bytes: int


@dataclass(frozen=True, slots=True)
class BatchCompleted:
    """The last render of a batch has ended; published once. credits_charged: hundredths, of all its renders."""

    batch_id: UUID
    owner_id: UUID
    project_id: UUID | None
    total: int
    succeeded: int
    failed: int
    cancelled: int
    credits_charged: int
