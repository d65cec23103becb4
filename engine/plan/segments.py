"""Segments: parts of an output with too many inputs, each small enough for one FFmpeg process."""

from __future__ import annotations

import itertools

from engine.plan.model import Layer, RenderPlan

# Every input costs threads, file handles and at least one decoded frame from the start.
MAX_INPUTS = 40
PIXELS_PER_INPUT = 6_000_000
# A segment costs a process and a keyframe; shorter ones would be mostly overhead.
MIN_SEGMENT_S = 1.0
CONCAT_FORMATS = ("mp4", "webm")


def input_count(layer: Layer) -> int:
    """Return the input cost of a layer: one for each file it reads, more for large frames."""
    sizes = [layer.source_size] if layer.matte is None else [layer.source_size, layer.matte.source_size]
    return sum(1 + width * height // PIXELS_PER_INPUT for width, height in sizes)


def split_segments(plan: RenderPlan, max_inputs: int = MAX_INPUTS) -> list[tuple[int, int]]:
    """Return (first frame, frames) of the segments in order; a single one if all inputs fit one process.

    A segment ends where the next layer would exceed `max_inputs`, but is at least a second long: layers that are
    visible at the same time cannot be split.
    """
    total = plan.output.frames
    layers = sorted(plan.layers, key=lambda layer: layer.start)
    if plan.output.format not in CONCAT_FORMATS or sum(map(input_count, layers)) <= max_inputs:
        return [(0, total)]
    min_frames = max(1, round(MIN_SEGMENT_S * float(plan.fps)))
    cuts = [0]
    while cuts[-1] < total:
        first = cuts[-1]
        count = sum(input_count(layer) for layer in layers if layer.start <= first < layer.end)
        end = total
        for layer in layers:
            if layer.start <= first:
                continue
            count += input_count(layer)
            if count > max_inputs:
                end = max(layer.start, first + min_frames)
                break
        if total - end < min_frames:
            end = total
        cuts.append(end)
    return [(first, end - first) for first, end in itertools.pairwise(cuts)]
