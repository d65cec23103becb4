"""Uploads of external workers: signed targets, and checks of the content of each file.

A target is `/files/uploads/<token>/<name>`, valid for one file of one attempt while that attempt has the render. Each
upload gets its own key in the storage, and the row of the lease names the current one: a repeated upload never
overwrites a file that a success has been recorded for.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.http import UnreadablePostError
from django.urls import reverse

from assets.staging import temporary_folder
from core.exceptions import PayloadTooLarge
from credits.pricing import cost_of
from engine.errors import EngineError, MediaUnreadable
from engine.media import MediaInfo
from engine.probe.client import probe_file
from engine.run.output_files import image_size
from files.links import LinkExpired, LinkInvalid
from files.storage.blobs import blob_store
from jobs.exceptions import LeaseLost
from jobs.services import find_running_attempt, renew_lease
from renders.exceptions import OutputRefused, StaleAttempt, UploadCutShort
from renders.external.claiming import lease_s
from renders.external.expected_output import ExpectedOutput, expected_output
from renders.models import ExternalLease, Render
from renders.services.storage import publish_file, storage_key

SALT = "renders.external.uploads"
PICTURE_LIMIT_BYTES = 16 * 1024 * 1024
PICTURE_TYPE = "image/jpeg"
MAX_PICTURE_SIDE_PX = 8192
BLOCK_BYTES = 256 * 1024
# The tolerance of the engine's own check: an audio frame at either end, and the rounding of containers.
DURATION_SLACK_S = 0.12
FPS_TOLERANCE = 0.02
# Formats that store the exact frame rate.
_TIMED_FORMATS = frozenset({"mp4", "webm"})


class ReadableBody(Protocol):
    """A request body that is read in blocks."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, empty at the end."""


class UploadName(StrEnum):
    """The files that a worker may upload; each is also a column of its lease."""

    OUTPUT = "output"
    POSTER = "poster"
    THUMBNAIL = "thumbnail"


@dataclass(frozen=True, slots=True)
class UploadTarget:
    """Where to upload a file. path: absolute, without the host."""

    path: str
    content_type: str
    max_bytes: int


@dataclass(frozen=True, slots=True)
class Upload:
    """The file that a verified link is for."""

    lease: ExternalLease
    name: UploadName


def upload_target(lease: ExternalLease, name: UploadName, expected: ExpectedOutput) -> UploadTarget:
    """Return the signed target for a file of an attempt."""
    is_output = name is UploadName.OUTPUT
    suffix = expected.format if is_output else "jpg"
    token = signing.dumps([lease.pk.hex, name.value], salt=SALT)
    path = reverse("file-upload", kwargs={"token": token, "name": f"{name.value}.{suffix}"})
    return UploadTarget(path, expected.content_type if is_output else PICTURE_TYPE, limit_of(name))


def limit_of(name: UploadName) -> int:
    """Return the maximum size of a file in bytes."""
    limit: int = settings.RENDEROWL_OUTPUT_LIMIT_BYTES
    return limit if name is UploadName.OUTPUT else PICTURE_LIMIT_BYTES


def open_upload(token: str) -> Upload:
    """Verify the token of a link. Raises LinkInvalid, or LinkExpired also if the attempt has ended."""
    try:
        lease_hex, name = signing.loads(token, salt=SALT, max_age=settings.RENDEROWL_RENDER_TIMEOUT_S + 600)
    except signing.SignatureExpired:
        raise LinkExpired from None
    except signing.BadSignature:
        raise LinkInvalid from None
    lease = ExternalLease.objects.filter(pk=UUID(lease_hex), ended_at=None).first()
    if lease is None:
        raise LinkExpired
    return Upload(lease, UploadName(name))


def receive_upload(*, upload: Upload, body: ReadableBody, length: int) -> dict[str, Any]:
    """Receive, check and store a file; return the facts about it. Renews the lease while bytes arrive.

    length: the Content-Length.
    Raises PayloadTooLarge, UploadCutShort, OutputRefused, StaleAttempt; the file is then discarded.
    """
    if length > limit_of(upload.name):
        raise PayloadTooLarge(limit_bytes=limit_of(upload.name))
    renewer = _LeaseRenewer(upload.lease)
    renewer.renew()
    with temporary_folder() as folder:
        path = folder / "file"
        sha256 = _write(body, path, length, renewer.renew_if_due)
        render = Render.objects.get(pk=upload.lease.render_id)
        facts, suffix = _inspect(upload.name, path, expected_output(render))
        render.attempt = upload.lease.attempt
        key = storage_key(render, f"{upload.name.value}-{secrets.token_hex(4)}.{suffix}")
        publish_file(source=path, key=key, content_type=facts["content_type"])
        facts |= {"key": key, "sha256": sha256, "size_bytes": length}
        try:
            replaced = _record(upload, facts)
        except StaleAttempt:
            blob_store().delete(key)
            raise
    if replaced is not None:
        blob_store().delete(replaced)
    return facts


class _LeaseRenewer:
    """Renews the lease of an attempt from time to time. Raises StaleAttempt once it has ended."""

    def __init__(self, lease: ExternalLease) -> None:
        self._lease = lease
        self._renewed_at = 0.0

    def renew_if_due(self) -> None:
        """Renew if a third of the lease has passed."""
        if time.monotonic() - self._renewed_at >= lease_s() / 3:
            self.renew()

    def renew(self) -> None:
        """Renew now, in a transaction of its own."""
        self._renewed_at = time.monotonic()
        with transaction.atomic():
            hold_attempt(self._lease)


def hold_attempt(lease: ExternalLease) -> None:
    """Renew the lease of an attempt, which locks the row of its job until the transaction ends.

    Raises StaleAttempt if the attempt has ended, or its cancellation is requested.
    """
    job = find_running_attempt(job_id=lease.job_id, worker=lease.worker, attempt=lease.attempt)
    try:
        if job is None or renew_lease(job=job, lease_s=lease_s()):
            raise StaleAttempt
    except LeaseLost:
        raise StaleAttempt from None


def _write(body: ReadableBody, path: Path, length: int, on_block: Callable[[], None]) -> str:
    """Write `length` bytes and return their SHA-256."""
    digest = hashlib.sha256()
    left = length
    with path.open("wb") as file:
        while left:
            try:
                block = body.read(min(left, BLOCK_BYTES))
            except UnreadablePostError as error:
                raise UploadCutShort from error
            if not block:
                raise UploadCutShort
            digest.update(block)
            file.write(block)
            left -= len(block)
            on_block()
    return digest.hexdigest()


def _inspect(name: UploadName, path: Path, expected: ExpectedOutput) -> tuple[dict[str, Any], str]:
    """Return the facts about a file and its suffix. Raises OutputRefused if it does not match the edit."""
    try:
        if name is not UploadName.OUTPUT:
            return _inspect_picture(path), "jpg"
        if expected.format == "bmp":
            width, height = image_size(path)
            _require_size((width, height), expected)
            return _facts(expected, width, height, None), "bmp"
        return _inspect_output(probe_file(path), expected), expected.format
    except MediaUnreadable as error:
        raise OutputRefused(error.reason, str(error)) from error
    except EngineError as error:
        raise OutputRefused(error.code, str(error)) from error


def _inspect_picture(path: Path) -> dict[str, Any]:
    info = probe_file(path)
    sides = (info.width or 0, info.height or 0)
    if info.content_type != PICTURE_TYPE or max(sides) > MAX_PICTURE_SIDE_PX:
        allowed = f"a JPEG of at most {MAX_PICTURE_SIDE_PX} px a side"
        detail = f"The picture must be {allowed}; this is {info.content_type}, {sides[0]}x{sides[1]}."
        raise OutputRefused("wrong_type", detail)
    return {"content_type": PICTURE_TYPE, "width": info.width, "height": info.height}


def _inspect_output(info: MediaInfo, expected: ExpectedOutput) -> dict[str, Any]:
    if info.content_type != expected.content_type:
        raise OutputRefused("wrong_type", f"The output is {info.content_type} instead of {expected.content_type}.")
    if not expected.has_pictures:
        _require_duration(info.duration_s, expected)
        return _facts(expected, None, None, info.duration_s)
    _require_size((info.width, info.height), expected)
    if expected.estimate.frames > 1 or not expected.estimate.exact:
        _require_duration(info.duration_s, expected)
    fps = expected.estimate.fps
    if expected.format in _TIMED_FORMATS and abs((info.fps or 0) - fps) > fps * FPS_TOLERANCE:
        raise OutputRefused("wrong_rate", f"The output has {info.fps:g} frames a second instead of {fps:g}.")
    return _facts(expected, info.width, info.height, info.duration_s)


def _require_size(size: tuple[int | None, int | None], expected: ExpectedOutput) -> None:
    wanted = (expected.estimate.width, expected.estimate.height)
    if size != wanted:
        raise OutputRefused("wrong_size", f"The output is {size[0]}x{size[1]} instead of {wanted[0]}x{wanted[1]}.")


def _require_duration(duration_s: float | None, expected: ExpectedOutput) -> None:
    wanted = expected.estimate
    if duration_s is None and wanted.exact and wanted.frames <= 1:
        return
    if duration_s is None or duration_s <= 0:
        raise OutputRefused("no_duration", "The output has no duration.")
    # A GIF counts in hundredths and loops; decoders disagree about the duration of its last frame.
    slack = max(DURATION_SLACK_S, 1 / wanted.fps) if expected.format != "gif" else max(0.5, 0.05 * wanted.duration_s)
    if wanted.exact and abs(duration_s - wanted.duration_s) > slack:
        detail = f"The output lasts {duration_s:.2f} s instead of {wanted.duration_s:.2f} s."
        raise OutputRefused("wrong_length", detail)


def _facts(expected: ExpectedOutput, width: int | None, height: int | None, duration_s: float | None) -> dict[str, Any]:
    found = expected.estimate
    length = found.duration_s if found.exact or duration_s is None else duration_s
    return {
        "format": expected.format,
        "content_type": expected.content_type,
        "width": width,
        "height": height,
        "fps": found.fps if expected.has_pictures else None,
        "duration_s": length,
        "frames": found.frames if found.exact else max(1, round(length * found.fps)),
        "cost": cost_of(length, found.width, found.height, found.fps),
    }


def _record(upload: Upload, facts: dict[str, Any]) -> str | None:
    """Make a file the current one of its lease; return the key of the replaced one. Raises StaleAttempt."""
    column = upload.name.value
    with transaction.atomic():
        # Locks the row of the job: no success can be recorded between the read and the write.
        hold_attempt(upload.lease)
        before = ExternalLease.objects.values_list(column, flat=True).get(pk=upload.lease.pk)
        if not ExternalLease.objects.filter(pk=upload.lease.pk, ended_at=None).update(**{column: facts}):
            raise StaleAttempt
    return None if before is None else str(before["key"])
