"""Affine transforms: zoom, drift, rotation and skew as moving corners of a working picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

from engine.plan.geometry import anchored_corner, even
from engine.plan.model import AffineTransform, PiecewiseLinear, Rect
from engine.plan.motion import Pose

# A scale of zero would send the corners to infinity.
MIN_SCALE = 0.004
CORNER_TOLERANCE_PX = 0.03
# A larger working picture costs more than its sharpness is worth.
MAX_REFERENCE_SCALE = 1.0


@dataclass(frozen=True, slots=True)
class FrameTransform:
    """A clip's picture at one frame: its centre in the viewport and the matrix from picture to viewport."""

    centre: tuple[float, float]
    matrix: tuple[float, float, float, float]

    def to_viewport(self, x: float, y: float) -> tuple[float, float]:
        """Map a point of the picture to the viewport; x, y: pixels from the picture's centre at reference size."""
        a, b, c, d = self.matrix
        return self.centre[0] + a * x + b * y, self.centre[1] + c * x + d * y

    def to_picture(self, x: float, y: float) -> tuple[float, float]:
        """Map a point of the viewport to the picture, relative to the picture's centre."""
        a, b, c, d = self.matrix
        determinant = a * d - b * c
        if abs(determinant) < MIN_SCALE**2:
            determinant = math.copysign(MIN_SCALE**2, determinant or 1.0)
        dx, dy = x - self.centre[0], y - self.centre[1]
        return (d * dx - b * dy) / determinant, (a * dy - c * dx) / determinant


def frame_transform(
    pose: Pose, shown: tuple[float, float], reference: float, position: str, viewport: tuple[int, int]
) -> FrameTransform:
    """Return the transform of a clip's picture at a frame.

    shown: its size at scale 1, pixels. reference: the scale of the working picture.
    The picture is skewed, its top to the right and its right side up, then rotated clockwise about its centre.
    """
    size = (shown[0] * pose.scale, shown[1] * pose.scale)
    left, top = anchored_corner(position, size, (pose.offset_x, pose.offset_y), viewport)
    centre = (left + size[0] / 2 + pose.drift_x * viewport[0], top + size[1] / 2 + pose.drift_y * viewport[1])
    factor = max(MIN_SCALE, pose.scale * pose.zoom / reference)
    angle = math.radians(pose.rotate_deg)
    cos, sin = math.cos(angle) * factor, math.sin(angle) * factor
    matrix = (cos + sin * pose.skew_y, -cos * pose.skew_x - sin, sin - cos * pose.skew_y, cos - sin * pose.skew_x)
    return FrameTransform(centre, matrix)


def reference_scale(poses: list[Pose], shown: tuple[float, float], viewport: tuple[int, int]) -> float:
    """Return the scale of the working picture: the largest that is shown, within the viewport's size."""
    largest = max(pose.scale * pose.zoom for pose in poses)
    largest_pose = max(pose.scale for pose in poses)
    viewport_fit = max(viewport[0] / shown[0], viewport[1] / shown[1]) * MAX_REFERENCE_SCALE
    return max(0.02, min(largest, max(viewport_fit, min(largest_pose, 2 * viewport_fit))))


def make_transform(
    transforms: list[FrameTransform], size: tuple[int, int], viewport: tuple[int, int]
) -> AffineTransform | None:
    """Return the transform of a picture of `size` over all frames; None if it is never in the viewport."""
    half_width, half_height = size[0] / 2, size[1] / 2
    quads = [
        [transform.to_viewport(x, y) for x in (-half_width, half_width) for y in (-half_height, half_height)]
        for transform in transforms
    ]
    left = max(0, math.floor(min(x for quad in quads for x, _ in quad)) - 1)
    top = max(0, math.floor(min(y for quad in quads for _, y in quad)) - 1)
    right = min(viewport[0], math.ceil(max(x for quad in quads for x, _ in quad)) + 1)
    bottom = min(viewport[1], math.ceil(max(y for quad in quads for _, y in quad)) + 1)
    left, top = left - left % 2, top - top % 2
    if right <= left or bottom <= top:
        return None
    region = Rect(left, top, even(right - left + 0.9), even(bottom - top + 0.9))
    border = not all(_covers(transform, region, half_width, half_height) for transform in transforms)
    margin = 4 if border else 0
    frame = (even(max(size[0] + margin, region.width) + 0.9), even(max(size[1] + margin, region.height) + 0.9))
    pad = ((frame[0] - size[0]) // 4 * 2, (frame[1] - size[1]) // 4 * 2)
    corners = _corner_paths(transforms, size, frame, pad, region)
    return AffineTransform(frame, pad, corners, region, border)


def _covers(transform: FrameTransform, region: Rect, half_width: float, half_height: float) -> bool:
    slack = 0.51
    for x in (region.x, region.x + region.width):
        for y in (region.y, region.y + region.height):
            px, py = transform.to_picture(x, y)
            if abs(px) > half_width + slack or abs(py) > half_height + slack:
                return False
    return True


def _corner_paths(
    transforms: list[FrameTransform], size: tuple[int, int], frame: tuple[int, int], pad: tuple[int, int], region: Rect
) -> tuple[PiecewiseLinear, ...]:
    """Return, over the frames, the points of the working picture that map to its own four corners."""
    columns: list[list[float]] = [[] for _ in range(8)]
    corners_px = [(x, y) for y in (region.y, region.y + frame[1]) for x in (region.x, region.x + frame[0])]
    for transform in transforms:
        for index, (x, y) in enumerate(corners_px):
            px, py = transform.to_picture(x, y)
            columns[2 * index].append(px + size[0] / 2 + pad[0])
            columns[2 * index + 1].append(py + size[1] / 2 + pad[1])
    return tuple(PiecewiseLinear.fit(column, CORNER_TOLERANCE_PX) for column in columns)
