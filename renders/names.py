"""Names that renders shares with the queue and with edits."""

from __future__ import annotations

from uuid import UUID

RENDER_JOB = "renders.render"
DISCARD_JOB = "renders.discard_files"
CANCEL_BATCH_JOB = "renders.cancel_batch"
PICTURES_JOB = "renders.make_pictures"
UPKEEP_JOB = "renders.upkeep"
RENDER_QUEUE = "renders"
# `asset:ast_...` in an edit names a file of the owner's library.
ASSET_SCHEME = "asset:"


def limit_key_of(owner_id: UUID) -> str:
    """Return the key under which the queue counts the renders of an account that run."""
    return f"renders:{owner_id.hex}"
