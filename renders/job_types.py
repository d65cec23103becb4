"""Job types of renders, their queue, and the key of the concurrency limit."""

from __future__ import annotations

from uuid import UUID

RENDER_JOB = "renders.render"
DISCARD_JOB = "renders.discard_files"
CANCEL_BATCH_JOB = "renders.cancel_batch"
PICTURES_JOB = "renders.make_pictures"
HOUSEKEEPING_JOB = "renders.housekeeping"
RENDER_QUEUE = "renders"


def limit_key_of(owner_id: UUID) -> str:
    """Return the limit key under which the queue counts the running renders of an account."""
    return f"renders:{owner_id.hex}"
