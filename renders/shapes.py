"""Renders without the machinery of serializers: in lists of a hundred, and where clients wait for one, it weighs.

What `RenderSerializer` writes for an instance is written here for the values of its columns, however
they were read; `tests/renders/test_shapes.py` compares them over random rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from django.conf import settings

from core.api.features import is_enabled
from core.api.prepared import PreparedList, named, one_of, reference
from core.api.rawvalues import Values
from core.api.routing import api_path
from core.files.links import LinkMaker
from credits.pricing import format_credits
from renders.models import Priority, Render
from renders.selectors import OUTPUT_TYPES
from renders.states import RenderStatus

_PROGRESS = (
    "percent",
    "status",
    "frame",
    "total_frames",
    "speed_fps",
    "eta_s",
    "attempt",
    "max_attempts",
    "progress_at",
)
_FILES = (
    "output_format",
    "output_width",
    "output_height",
    "output_fps",
    "output_duration_s",
    "output_size_bytes",
    "output_sha256",
    "output_key",
    "poster_key",
    "thumbnail_key",
)
COLUMNS = (
    "id",
    "priority",
    "project_id",
    "template_id",
    "output_deleted_at",
    "credits_reserved",
    "credits_charged",
    "error",
    "warnings",
    "metadata",
    "retry_of_id",
    "batch_id",
    "created_at",
    "queued_at",
    "started_at",
    "finished_at",
    *_PROGRESS,
    *_FILES,
)
_FIRST_OF_FILES = len(COLUMNS) - len(_FILES)
_FIRST_OF_PROGRESS = _FIRST_OF_FILES - len(_PROGRESS)
_ISSUE = ("pointer", "code", "detail")
Row = Sequence[Any]
_NO_FILES = (None, None, None)
_PRIORITIES = {priority.value: str(priority.label) for priority in Priority}


def render_shaper(
    base: str, version: int, values: Values, position: int | None = None
) -> Callable[[Row], dict[str, Any]]:
    """Return what shapes the rows of one list. Rows have the values of COLUMNS, which `values` can read.

    base: scheme and host of links. position: in the queue, worked out for single renders only.
    """
    links = LinkMaker(base)
    at = slice(_FIRST_OF_PROGRESS, _FIRST_OF_FILES)
    renders_url = f"{base}{_renders_path(version, settings.ROOT_URLCONF)}/"
    has_events = is_enabled("render_events", version)
    public_id, document, time = values.public_id, values.document, values.time

    def shape(row: Row) -> dict[str, Any]:
        (pk, priority, project, template, deleted_at, reserved, charged, error, warnings, metadata) = row[:10]
        retry_of, batch, created_at, queued_at, started_at, finished_at, percent, status = row[10:18]
        own_id = public_id("rnd", pk)
        own = renders_url + str(own_id)
        has_output = status == "succeeded" and deleted_at is None
        output, poster, thumbnail = _files(row[_FIRST_OF_FILES:], str(own_id), links) if has_output else _NO_FILES
        return {
            "id": own_id,
            "object": "render",
            "status": status,
            "progress": float(percent) if version == 1 else _progress(row[at], values, position),
            "priority": _PRIORITIES[priority],
            "project": public_id("prj", project),
            "template": public_id("tpl", template),
            "output": output,
            "poster_url": poster,
            "thumbnail_url": thumbnail,
            "credits": {
                "reserved": format_credits(reserved),
                "charged": None if charged is None else format_credits(charged),
            },
            "error": document(error) if status == "failed" else None,
            "warnings": [{name: issue[name] for name in _ISSUE} for issue in document(warnings)],
            "metadata": document(metadata),
            "retry_of": public_id("rnd", retry_of),
            "batch": public_id("bat", batch),
            "created_at": time(created_at),
            "queued_at": time(queued_at),
            "started_at": time(started_at),
            "finished_at": time(finished_at),
            "links": _links(own, has_events=has_events),
        }

    return shape


@lru_cache(maxsize=8)
def _renders_path(version: int, urlconf: str) -> str:
    """Return the path of the list. urlconf: part of the key, as tests have their own."""
    return api_path("render-list", version)


def _links(own: str, *, has_events: bool) -> dict[str, str | None]:
    return {
        "self": own,
        "edit": f"{own}/edit",
        "cancel": f"{own}/cancel",
        "log": f"{own}/log",
        "events": f"{own}/events" if has_events else None,
    }


def _progress(row: Row, values: Values, position: int | None) -> dict[str, Any]:
    percent, status, frame, total_frames, speed_fps, eta_s, attempt, max_attempts, progress_at = row
    return {
        "percent": float(percent),
        "step": status,
        "frame": frame,
        "total_frames": total_frames,
        "fps": speed_fps,
        "eta_s": eta_s,
        "attempt": attempt,
        "max_attempts": max_attempts,
        "queue_position": position,
        "updated_at": values.time(progress_at),
    }


def _files(row: Row, public_id: str, links: LinkMaker) -> tuple[dict[str, Any], str | None, str | None]:
    """Return the output, the poster's address and the thumbnail's."""
    kind, width, height, fps, duration_s, size_bytes, sha256, key, poster_key, thumbnail_key = row
    output = {
        "url": links.url(key, OUTPUT_TYPES[kind], f"{public_id}.{kind}", sha256),
        "url_expires_at": links.expires_text,
        "format": kind,
        "width": width,
        "height": height,
        "fps": fps,
        "duration_s": duration_s,
        "size_bytes": size_bytes,
        "sha256": sha256,
    }
    return (
        output,
        _picture(poster_key, public_id, "poster", links),
        _picture(thumbnail_key, public_id, "thumbnail", links),
    )


def _picture(key: str, public_id: str, name: str, links: LinkMaker) -> str | None:
    return links.url(key, "image/jpeg", f"{public_id}-{name}.jpg") if key else None


RENDER_LIST = PreparedList(
    Render,
    COLUMNS,
    render_shaper,
    filters={
        "status": one_of("status", RenderStatus.values),
        "priority": named("priority", {label: value for value, label in Priority.choices}),
        "project": reference("project_id", "prj"),
        "template": reference("template_id", "tpl"),
        "batch": reference("batch_id", "bat"),
    },
)
