"""Estimates of duration and credits, made before the sources are fetched.

A clip whose `auto` length depends on a URL that has not been probed counts as 10 s. The worker knows the real length
before it renders: it reserves the difference (or fails and refunds the render if the credits do not suffice), and the
settlement returns what was reserved in excess. So a submit never waits for a slow server, no render runs unpaid, and
an owner pays only for the actual output.
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
    """Size and cost of a render. credits: hundredths. exact: every source has a known length."""

    duration_s: float
    frames: int
    width: int
    height: int
    fps: float
    credits: int
    exact: bool


def estimate_render(edit: Edit, media: Mapping[str, MediaInfo]) -> CreditEstimate:
    """Estimate the output of an edit.

    media: the probed sources, by URL; the others are unknown.
    Raises EditInvalid for impossible timings, as the worker would.
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
