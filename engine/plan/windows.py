"""Cut a crowded film into parts that one FFmpeg process each can hold."""

from __future__ import annotations

import itertools

from engine.plan.model import Layer, Plan

# Every input costs threads, file handles and at least one decoded picture from the first frame on.
MAX_INPUTS = 40
PIXELS_OF_ONE_INPUT = 6_000_000
# A part costs a process and a keyframe; shorter ones than this would be mostly that.
MIN_PART_S = 1.0
JOINABLE_FORMATS = ("mp4", "webm")


def input_count(layer: Layer) -> int:
    """Return how many inputs a layer is worth: one for each file it reads, more for large pictures."""
    sizes = [layer.source_size] if layer.matte is None else [layer.source_size, layer.matte.source_size]
    return sum(1 + width * height // PIXELS_OF_ONE_INPUT for width, height in sizes)


def split_windows(plan: Plan, most_inputs: int = MAX_INPUTS) -> list[tuple[int, int]]:
    """Return (first frame, frames) of the parts to render one after another; one part if the film is not crowded.

    A part ends where the next layer would be one input too many, but is never shorter than a second: what is
    visible at the same time cannot be told apart.
    """
    total = plan.output.frames
    layers = sorted(plan.layers, key=lambda layer: layer.start)
    if plan.output.format not in JOINABLE_FORMATS or sum(map(input_count, layers)) <= most_inputs:
        return [(0, total)]
    shortest = max(1, round(MIN_PART_S * float(plan.fps)))
    cuts = [0]
    while cuts[-1] < total:
        first = cuts[-1]
        count = sum(input_count(layer) for layer in layers if layer.start <= first < layer.end)
        end = total
        for layer in layers:
            if layer.start <= first:
                continue
            count += input_count(layer)
            if count > most_inputs:
                end = max(layer.start, first + shortest)
                break
        if total - end < shortest:
            end = total
        cuts.append(end)
    return [(first, end - first) for first, end in itertools.pairwise(cuts)]
