"""Raster jobs as JSON and back, for the pipe to the drawing process."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from engine.raster.job import GradientSpec, RasterJob, RasterLayer, ShadowSpec, StrokeSpec


def job_to_json(job: RasterJob) -> dict[str, Any]:
    """Return a job as JSON-ready data."""
    return {
        "width": job.width,
        "height": job.height,
        "layers": [asdict(layer) for layer in job.layers],
        "fonts": dict(job.fonts),
    }


def job_from_json(data: dict[str, Any]) -> RasterJob:
    """Return the job that `job_to_json` wrote."""
    fonts = tuple((str(name), str(path)) for name, path in data["fonts"].items())
    return RasterJob(data["width"], data["height"], tuple(_layer(layer) for layer in data["layers"]), fonts)


def _layer(data: dict[str, Any]) -> RasterLayer:
    stroke, shadow, gradient = data["stroke"], data["shadow"], data["gradient"]
    return RasterLayer(
        **{
            **data,
            "stroke": StrokeSpec(**stroke) if stroke else None,
            "shadow": ShadowSpec(**shadow) if shadow else None,
            "gradient": _gradient(gradient) if gradient else None,
        }
    )


def _gradient(data: dict[str, Any]) -> GradientSpec:
    return GradientSpec(data["angle_deg"], tuple((float(offset), str(color)) for offset, color in data["stops"]))
