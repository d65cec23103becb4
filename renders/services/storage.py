"""Stored files of renders: keys, publication and deletion."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone

from core.events import publish
from core.ids import encode_id
from files.storage.blobs import blob_store
from jobs.services import enqueue
from renders.events import RenderOutputDeleted
from renders.exceptions import RenderHasNoOutput
from renders.job_types import DISCARD_JOB
from renders.models import Render
from renders.services.transitions import event_fields
from renders.states import RenderStatus

FOLDER = "renders"


def storage_key(render: Render, name: str) -> str:
    """Return the storage key of a file of the render's current attempt.

    The key contains the attempt, so that a worker presumed dead cannot overwrite the files of its successor.
    """
    return f"{FOLDER}/{render.public_id}/{render.attempt}/{name}"


def publish_file(*, source: Path, key: str, content_type: str) -> str:
    """Store a finished file atomically; return its key."""
    blob_store().publish(source, key, content_type=content_type)
    return key


def delete_output(*, render: Render, begin: Callable[[], None] = lambda: None) -> None:
    """Delete the files of a successful render; its row stays. Safe to repeat.

    begin: called first in the transaction.
    Raises RenderHasNoOutput unless the render succeeded.
    """
    if render.status != RenderStatus.SUCCEEDED:
        raise RenderHasNoOutput
    with transaction.atomic():
        begin()
        rows = Render.objects.filter(pk=render.pk, output_deleted_at__isnull=True)
        if not rows.update(output_deleted_at=timezone.now()):
            return
        enqueue(type=DISCARD_JOB, payload={"render": str(render.pk)}, user_id=render.owner_id)
        publish(RenderOutputDeleted(**event_fields(render), size_bytes=render.output_size_bytes or 0))
    # The job guarantees the removal; doing it here too invalidates signed URLs at once.
    discard_files(render_id=render.pk)


def discard_files(*, render_id: UUID) -> int:
    """Remove the stored files that the render no longer needs; return how many.

    Files of the successful attempt stay until the output is deleted, those of the current attempt while it runs.
    """
    render = Render.objects.without_large_columns().filter(pk=render_id).first()
    keep = None
    if render is not None and (render.has_output or not render.is_terminal):
        keep = str(render.attempt)
    root = f"{FOLDER}/{encode_id(Render.ID_PREFIX, render_id)}"
    removed = 0
    for attempt in _list(root)[0]:
        if attempt == keep:
            continue
        for name in _list(f"{root}/{attempt}")[1]:
            blob_store().delete(f"{root}/{attempt}/{name}")
            removed += 1
    return removed


def _list(folder: str) -> tuple[list[str], list[str]]:
    """Return the folders and files in a folder of the storage, empty if it does not exist."""
    try:
        folders, files = default_storage.listdir(folder)
    except FileNotFoundError:
        return [], []
    return folders, files
