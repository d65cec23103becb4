"""Image sequences: merge drawn pictures that follow one another on a track into one input.

An edit may have thousands of titles. One FFmpeg input each would cost a thread, a file handle and a decoded
frame; one sequence costs a single decoded frame at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.plan.model import Layer, PiecewiseLinear, SequencePicture, SequenceSource, StillSource

# Up to this many layers of different sizes stay separate: repainting their pictures costs more than inputs.
MAX_SEPARATE_IMAGES = 16


@dataclass(frozen=True, slots=True)
class TrackLayer:
    """A layer with its track; drawn: it shows a rasterized picture at its own size, with straight alpha."""

    track: int
    layer: Layer
    drawn: bool


def _is_mergeable(item: TrackLayer) -> bool:
    """Return whether a layer is a drawn picture without motion, transparency or filters."""
    layer = item.layer
    return (
        item.drawn
        and isinstance(layer.source, StillSource | SequenceSource)
        and layer.crop is None
        and layer.transform is None
        and layer.x.is_constant
        and layer.y.is_constant
        and layer.opacity >= 1
        and layer.alpha is None
        and not (layer.fade_in or layer.fade_out or layer.wipes or layer.flip_horizontal or layer.flip_vertical)
        and layer.matte is None
        and layer.filter is None
        and layer.chroma_key is None
    )


def _lanes(items: Sequence[TrackLayer]) -> list[list[TrackLayer]]:
    """Split one track's layers into lanes, bottom first, in which no two are visible at once."""
    lanes: list[list[TrackLayer]] = []
    for item in items:
        lowest = 0
        for index, lane in enumerate(lanes):
            if any(
                other.layer.start < item.layer.end and item.layer.start < other.layer.end
                for other in lane[-MAX_SEPARATE_IMAGES:]
            ):
                lowest = index + 1
        if lowest == len(lanes):
            lanes.append([])
        lanes[lowest].append(item)
    return lanes


def _merged(run: Sequence[Layer]) -> Layer:
    """Return one layer for a run of mergeable layers in time order."""
    left = min(int(layer.x.first) for layer in run)
    top = min(int(layer.y.first) for layer in run)
    right = max(int(layer.x.first) + layer.size[0] for layer in run)
    bottom = max(int(layer.y.first) + layer.size[1] for layer in run)
    start = run[0].start
    pictures: list[SequencePicture] = []
    at = 0
    for layer in run:
        begin = layer.start - start
        if begin > at:
            pictures.append(SequencePicture(None, at, begin - at))
        x, y = int(layer.x.first) - left, int(layer.y.first) - top
        if isinstance(layer.source, SequenceSource):
            pictures += [
                SequencePicture(p.path, begin + p.start, p.frames, x + p.x, y + p.y) for p in layer.source.pictures
            ]
        elif isinstance(layer.source, StillSource):
            pictures.append(SequencePicture(layer.source.path, begin, layer.frames, x, y))
        at = begin + layer.frames
    source = SequenceSource(tuple(pictures), right - left, bottom - top)
    return replace(
        run[0],
        frames=at,
        source=source,
        source_size=(source.width, source.height),
        size=(source.width, source.height),
        x=PiecewiseLinear.constant(left),
        y=PiecewiseLinear.constant(top),
    )


def _merge_lane(lane: Sequence[TrackLayer], crowded: bool) -> list[Layer]:
    """Return a lane's layers with runs of mergeable ones merged; crowded: even if their sizes differ."""
    result: list[Layer] = []
    run: list[Layer] = []

    def close() -> None:
        if len(run) > 1:
            result.append(_merged(run))
        else:
            result.extend(run)
        run.clear()

    for item in lane:
        if not _is_mergeable(item):
            close()
            result.append(item.layer)
            continue
        geometry = (item.layer.size, item.layer.x, item.layer.y)
        if run and not crowded and (run[0].size, run[0].x, run[0].y) != geometry:
            close()
        run.append(item.layer)
    close()
    return result


def merge_sequences(items: Sequence[TrackLayer]) -> tuple[Layer, ...]:
    """Return the layers in painting order with runs of drawn pictures merged. items: bottom first."""
    tracks: dict[int, list[TrackLayer]] = {}
    for item in items:
        tracks.setdefault(item.track, []).append(item)
    crowded = sum(_is_mergeable(item) for item in items) > MAX_SEPARATE_IMAGES
    result: list[Layer] = []
    for track in tracks.values():
        for lane in _lanes(track):
            result += _merge_lane(lane, crowded)
    return tuple(result)
