"""Names under which renders is known to the queue."""

from __future__ import annotations

RENDER_JOB = "renders.render"
DISCARD_JOB = "renders.discard_files"
UPKEEP_JOB = "renders.upkeep"
RENDER_QUEUE = "renders"
