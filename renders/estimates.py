"""What a render will be and cost, as far as it can be told before its sources are fetched.

A clip whose `auto` length rests on a URL that nobody has looked at yet counts as 10 s here. The worker learns the
truth before it begins to render: it reserves what is missing (or fails the render for want of credits, refunding all
of it), and the settlement gives back what was reserved too much. So nobody waits for a slow server to submit, nothing
is rendered that is not paid for, and nobody pays for more than the output.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from credits.pricing import cost_of
from engine.language import Edit
from engine.media import MediaInfo
from engine.timeline import estimate

UNKNOWN_CLIP_S = 10.0


@dataclass(frozen=True, slots=True)
class CreditEstimate:
    """credits: hundredths. exact: nothing had to be guessed."""

    duration_s: float
    frames: int
    width: int
    height: int
    fps: float
    credits: int
    exact: bool


def estimate_render(edit: Edit, media: Mapping[str, MediaInfo]) -> CreditEstimate:
    """Return the estimate of an edit.

    media: what is known of its sources, by URL.
    Raises EditInvalid for times that cannot be, as the worker would.
    """
    found = estimate(edit, media, unknown_s=UNKNOWN_CLIP_S)
    return CreditEstimate(
        duration_s=round(found.duration_s, 6),
        frames=found.frames,
        width=found.width,
        height=found.height,
        fps=found.fps,
        credits=cost_of(found.duration_s, found.width, found.height, found.fps),
        exact=found.is_exact,
    )
