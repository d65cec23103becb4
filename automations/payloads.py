"""Payloads of events, `event.data` in the texts of automations."""

from __future__ import annotations

from typing import Any

from assets.models import Asset
from core.ids import encode_id
from core.times import format_time
from renders.models import Batch, Render


def render_data(render: Render) -> dict[str, Any]:
    """Return the payload of an event of a finished render."""
    template, project = render.template_id, render.project_id
    data: dict[str, Any] = {
        "id": render.public_id,
        "object": "render",
        "status": render.status,
        "project": None if project is None else encode_id("prj", project),
        "template": None if template is None else encode_id("tpl", template),
        "metadata": render.metadata,
        "output": None,
        "error": None,
        "created_at": format_time(render.created_at),
        "finished_at": format_time(render.finished_at),
    }
    if render.has_output:
        data["output"] = {
            "format": render.output_format,
            "width": render.output_width,
            "height": render.output_height,
            "duration_s": render.output_duration_s,
            "size_bytes": render.output_size_bytes,
        }
    if render.error:
        data["error"] = {name: render.error.get(name) for name in ("code", "message")}
    return data


def batch_data(batch: Batch) -> dict[str, Any]:
    """Return the payload of a finished batch, without its counts."""
    return {
        "id": batch.public_id,
        "object": "batch",
        "project": None if batch.project_id is None else encode_id("prj", batch.project_id),
        "template": None if batch.template_id is None else encode_id("tpl", batch.template_id),
        "metadata": batch.metadata,
        "created_at": format_time(batch.created_at),
    }


def asset_data(asset: Asset) -> dict[str, Any]:
    """Return the payload of an event of an asset."""
    return {
        "id": asset.public_id,
        "object": "asset",
        "status": asset.status,
        "kind": asset.kind,
        "name": asset.name,
        "project": None if asset.project_id is None else encode_id("prj", asset.project_id),
        "size_bytes": asset.size_bytes,
        "error": asset.error,
        "created_at": format_time(asset.created_at),
    }
