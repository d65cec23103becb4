"""Render planner: turns a resolved timeline and drawn pictures into pure data that describes every frame."""

from __future__ import annotations

from collections.abc import Mapping

from engine.plan.audio import make_audio_layers
from engine.plan.image_sequences import TrackLayer, merge_sequences
from engine.plan.layers import make_layer
from engine.plan.model import Layer, RenderPlan
from engine.raster.model import Raster
from engine.timeline.model import Timeline

__all__ = ["RenderPlan", "make_plan"]


def make_plan(timeline: Timeline, rasters: Mapping[str, Raster]) -> RenderPlan:
    """Return the layers and the audio of the output.

    rasters: pointer of each drawn clip -> its pictures.
    Raises MediaUnreadable if a file with video has no known size.
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
        layers = merge_sequences(items)
    return RenderPlan(timeline.output, timeline.background, layers, make_audio_layers(timeline))
