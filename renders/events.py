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
class RenderQueued(RenderEvent):
    """A render waits for a worker."""


@dataclass(frozen=True, slots=True)
class RenderStarted(RenderEvent):
    """A worker began an attempt."""

    attempt: int


@dataclass(frozen=True, slots=True)
class RenderSucceeded(RenderEvent):
    """The output can be downloaded. credits_charged: hundredths."""

    credits_charged: int


@dataclass(frozen=True, slots=True)
class RenderFailed(RenderEvent):
    """The render ended without an output and was refunded. code: of its error."""

    code: str


@dataclass(frozen=True, slots=True)
class RenderCancelled(RenderEvent):
    """The owner or staff stopped the render; it was refunded."""
