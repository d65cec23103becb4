"""Names that renders shares with the queue and with edits."""

from __future__ import annotations

RENDER_JOB = "renders.render"
DISCARD_JOB = "renders.discard_files"
UPKEEP_JOB = "renders.upkeep"
RENDER_QUEUE = "renders"
# `asset:ast_...` in an edit names a file of the owner's library.
ASSET_SCHEME = "asset:"
