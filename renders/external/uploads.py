"""Files that external workers upload: a signed target for each, judged by content before anything counts on them.

A target is `/files/uploads/<token>/<name>`. It is good for one file of one attempt, while that attempt has the render.
Each upload gets a key of its own in the storage; the lease's row says which one counts, so that a repeat never changes
bytes that a success has been recorded for.
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
# As the engine allows itself: an audio frame at either end, and the rounding of containers.
DURATION_SLACK_S = 0.12
FPS_TOLERANCE = 0.02
# Of formats whose files say it exactly.
_TIMED_FORMATS = frozenset({"mp4", "webm"})


class ReadableBody(Protocol):
    """Bytes on their way in."""

    def read(self, size: int, /) -> bytes:
        """Return at most so many bytes, none at the end."""


class UploadName(StrEnum):
    """What a worker may upload; the names of the columns of its lease."""

    OUTPUT = "output"
    POSTER = "poster"
    THUMBNAIL = "thumbnail"


@dataclass(frozen=True, slots=True)
class UploadTarget:
    """One target. path: without host."""

    path: str
    content_type: str
    max_bytes: int


@dataclass(frozen=True, slots=True)
class Upload:
    """A target that somebody has the link of."""

    lease: ExternalLease
    name: UploadName


def upload_target(lease: ExternalLease, name: UploadName, expected: ExpectedOutput) -> UploadTarget:
    """Return the target of a file of an attempt."""
    is_output = name is UploadName.OUTPUT
    suffix = expected.format if is_output else "jpg"
    token = signing.dumps([lease.pk.hex, name.value], salt=SALT)
    path = reverse("file-upload", kwargs={"token": token, "name": f"{name.value}.{suffix}"})
    return UploadTarget(path, expected.content_type if is_output else PICTURE_TYPE, limit_of(name))


def limit_of(name: UploadName) -> int:
    """Return the most bytes that a file may have."""
    limit: int = settings.RENDEROWL_OUTPUT_LIMIT_BYTES
    return limit if name is UploadName.OUTPUT else PICTURE_LIMIT_BYTES


def open_upload(token: str) -> Upload:
    """Return what a link is for.

    Raises LinkInvalid, or LinkExpired where its time or its attempt is over.
    """
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
    """Store a file that is coming in and return what is known of it.

    length: as announced. The attempt's lease is kept alive while the bytes arrive.
    Raises PayloadTooLarge, UploadCutShort, OutputRefused, StaleAttempt; nothing is kept then.
    """
    if length > limit_of(upload.name):
        raise PayloadTooLarge(limit_bytes=limit_of(upload.name))
    alive = _LeaseRenewer(upload.lease)
    alive.renew()
    with temporary_folder() as folder:
        path = folder / "file"
        sha256 = _write(body, path, length, alive.look)
        render = Render.objects.get(pk=upload.lease.render_id)
        facts, suffix = _judge(upload.name, path, expected_output(render))
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
    """Renews the lease of an attempt now and then, and notices when it is over."""

    def __init__(self, lease: ExternalLease) -> None:
        self._lease = lease
        self._renewed_at = 0.0

    def look(self) -> None:
        """Renew where a third of the lease has passed."""
        if time.monotonic() - self._renewed_at >= lease_s() / 3:
            self.renew()

    def renew(self) -> None:
        """Renew now.

        Raises StaleAttempt where the attempt has ended, or is to.
        """
        self._renewed_at = time.monotonic()
        with transaction.atomic():
            hold_attempt(self._lease)


def hold_attempt(lease: ExternalLease) -> None:
    """Renew an attempt's lease, and hold its job's row until the open transaction ends.

    Raises StaleAttempt where the attempt has ended, or is to.
    """
    job = find_running_attempt(job_id=lease.job_id, worker=lease.worker, attempt=lease.attempt)
    try:
        if job is None or renew_lease(job=job, lease_s=lease_s()):
            raise StaleAttempt
    except LeaseLost:
        raise StaleAttempt from None


def _write(body: ReadableBody, path: Path, length: int, look: Callable[[], None]) -> str:
    """Write so many bytes and return their SHA-256."""
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
            look()
    return digest.hexdigest()


def _judge(name: UploadName, path: Path, expected: ExpectedOutput) -> tuple[dict[str, Any], str]:
    """Return what a file is, and its suffix.

    Raises OutputRefused where it is not what it must be.
    """
    try:
        if name is not UploadName.OUTPUT:
            return _judge_picture(path), "jpg"
        if expected.format == "bmp":
            width, height = image_size(path)
            _require_size((width, height), expected)
            return _facts(expected, width, height, None), "bmp"
        return _judge_output(probe_file(path), expected), expected.format
    except MediaUnreadable as error:
        raise OutputRefused(error.reason, str(error)) from error
    except EngineError as error:
        raise OutputRefused(error.code, str(error)) from error


def _judge_picture(path: Path) -> dict[str, Any]:
    info = probe_file(path)
    sides = (info.width or 0, info.height or 0)
    if info.content_type != PICTURE_TYPE or max(sides) > MAX_PICTURE_SIDE_PX:
        raise OutputRefused("wrong_type", f"The picture is {info.content_type}, {sides[0]}x{sides[1]}; not a JPEG.")
    return {"content_type": PICTURE_TYPE, "width": info.width, "height": info.height}


def _judge_output(info: MediaInfo, expected: ExpectedOutput) -> dict[str, Any]:
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
    """Compare with the edit, where that tells how long it is."""
    wanted = expected.estimate
    still = duration_s is None
    if still and wanted.exact and wanted.frames <= 1:
        return
    if duration_s is None or duration_s <= 0:
        raise OutputRefused("no_duration", "How long the output is cannot be told.")
    # A GIF counts in hundredths and repeats; players disagree about its last picture.
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
    """Let a file count; return the key of the one that it replaces.

    Raises StaleAttempt.
    """
    column = upload.name.value
    with transaction.atomic():
        # Holds the job's row, so that success cannot be recorded between the look and the write.
        hold_attempt(upload.lease)
        before = ExternalLease.objects.values_list(column, flat=True).get(pk=upload.lease.pk)
        if not ExternalLease.objects.filter(pk=upload.lease.pk, ended_at=None).update(**{column: facts}):
            raise StaleAttempt
    return None if before is None else str(before["key"])
