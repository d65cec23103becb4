"""From a resolved timeline and drawn pictures to a plan: pure data that says what each frame holds."""

from __future__ import annotations

from collections.abc import Mapping

from engine.plan.layers import make_layer
from engine.plan.model import Layer, Plan
from engine.plan.sequences import TrackLayer, join_sequences
from engine.plan.sounds import make_sounds
from engine.raster.model import Raster
from engine.timeline.model import Timeline

__all__ = ["Plan", "make_plan"]


def make_plan(timeline: Timeline, rasters: Mapping[str, Raster]) -> Plan:
    """Return what is painted and heard at each frame.

    rasters: pointer of each drawn clip -> its pictures.
    Raises MediaUnreadable if a file with pictures has no known size.
    """
    layers: tuple[Layer, ...] = ()
    if timeline.output.format not in ("mp3", "wav"):
        items = []
        for clip in timeline.clips:
            raster = rasters.get(clip.pointer)
            layer = make_layer(clip, raster, timeline)
            if layer is not None:
                drawn = raster is not None and layer.size == (raster.width, raster.height)
                items.append(TrackLayer(clip.track, layer, drawn))
        layers = join_sequences(items)
    return Plan(timeline.output, timeline.background, layers, make_sounds(timeline))
