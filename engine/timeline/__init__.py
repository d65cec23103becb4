"""From a validated edit and probed media to whole frames."""

from engine.timeline.output import Estimate, estimate
from engine.timeline.resolve import Resolved, has_sound, resolve

__all__ = ["Estimate", "Resolved", "estimate", "has_sound", "resolve"]
