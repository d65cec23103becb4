"""The stored files of renders: where they lie, and how they go."""

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
    """Return the key of a file of the render's current attempt.

    The attempt is part of it: a worker that was thought dead can never write over what its successor saved.
    """
    return f"{FOLDER}/{render.public_id}/{render.attempt}/{name}"


def publish_file(*, source: Path, key: str, content_type: str) -> str:
    """Put a finished file into the storage, whole or not at all; return its key."""
    blob_store().publish(source, key, content_type=content_type)
    return key


def delete_output(*, render: Render, begin: Callable[[], None] = lambda: None) -> None:
    """Delete the files of a finished render; its record stays. Repeating it changes nothing.

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
    # The job is what makes sure of it; done here too, the signed URLs end with this very call.
    discard_files(render_id=render.pk)


def discard_files(*, render_id: UUID) -> int:
    """Remove the stored files that no state of the render calls for; return how many.

    A render with an output keeps the files of the attempt that succeeded, an active one those of its current attempt.
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
    """Return the folders and files of a folder of the storage; nothing for one that is not there."""
    try:
        folders, files = default_storage.listdir(folder)
    except FileNotFoundError:
        return [], []
    return folders, files
