"""The timeline: a validated edit with its probed media on whole output frames."""

from engine.timeline.output import OutputEstimate, estimate
from engine.timeline.resolve import ResolvedEdit, has_sound, resolve

__all__ = ["OutputEstimate", "ResolvedEdit", "estimate", "has_sound", "resolve"]
