"""Job handlers of assets."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings

from assets import job_types, services
from assets.housekeeping import delete_old_files
from assets.local_files import fetch_cache, file_cache
from assets.models import Asset, AssetStatus
from assets.staging import delete_stored, stage_file, store_file, temporary_folder
from engine.errors import MediaUnreadable
from engine.probe.client import probe_file
from jobs.context import JobContext
from jobs.exceptions import TransientFailure
from jobs.registry import handler
from jobs.snapshot import DeadJob
from outbound.exceptions import FetchError
from outbound.fetch import fetch_to_file

MAX_IMPORT_ATTEMPTS = 4
IMPORT_RETRY_DELAYS_S = (2.0, 15.0, 60.0)
FETCH_TIMEOUT_S = 240.0
IMPORT_TIMEOUT_S = 300
TEMPORARY_FILE_TTL = timedelta(days=1)
IMPORT_FAILED = ("import_failed", "The import was aborted. Start it again.")


def fail_dead_import(dead: DeadJob) -> None:
    """Fail the asset of a dead job, without the reason, which only staff see."""
    code, detail = IMPORT_FAILED
    services.fail_import(asset_id=UUID(dead.payload["asset"]), code=code, detail=detail)


@handler(
    job_types.IMPORT_JOB,
    on_dead=fail_dead_import,
    max_attempts=MAX_IMPORT_ATTEMPTS,
    timeout_s=IMPORT_TIMEOUT_S,
    retry_delays_s=IMPORT_RETRY_DELAYS_S,
)
def run_import(context: JobContext) -> None:
    """Fetch, probe and store the file of a pending asset. An unusable file fails the asset, not the job."""
    asset_id = UUID(context.job.payload["asset"])
    asset = Asset.objects.filter(pk=asset_id, status=AssetStatus.PENDING).first()
    if asset is None:
        return
    with temporary_folder() as folder:
        try:
            _import_into(context, asset, folder)
        except FetchError as error:
            if error.retryable and context.job.failures + 1 < context.job.max_attempts:
                raise TransientFailure(error.reason, error.detail) from error
            _fail(context, asset_id, error.reason, error.detail)
        except MediaUnreadable as error:
            _fail(context, asset_id, error.reason, str(error))


def _import_into(context: JobContext, asset: Asset, folder: Path) -> None:
    path = folder / "file"
    fetched = fetch_to_file(
        asset.source_url,
        path,
        allow_hosts=settings.RENDEROWL_FETCH_ALLOW_HOSTS,
        max_bytes=settings.RENDEROWL_UPLOAD_LIMIT_BYTES,
        total_timeout_s=FETCH_TIMEOUT_S,
    )
    context.check()
    staged = stage_file(path, fetched.sha256, probe_file)
    context.check()
    # The attempt is part of the key, so that a worker whose lease expired does not touch files of the next attempt.
    keys = store_file(staged, asset.pk, attempt=context.job.attempt)
    try:
        used = services.finish_import(asset_id=asset.pk, staged=staged, keys=keys, complete=context.complete)
    except BaseException:
        delete_stored(keys)
        raise
    if not used:
        delete_stored(keys)


def _fail(context: JobContext, asset_id: UUID, code: str, detail: str) -> None:
    services.fail_import(asset_id=asset_id, code=code, detail=detail, complete=context.complete)


@handler(job_types.REMOVE_FILES_JOB)
def run_remove_files(context: JobContext) -> dict[str, Any]:
    """Delete the files of a deleted asset."""
    payload = context.job.payload
    return {"removed": services.remove_unused_files(file=payload["file"], poster=payload["poster"])}


@handler(job_types.HOUSEKEEPING_JOB, cron="17 * * * *")
def run_housekeeping(context: JobContext) -> dict[str, Any]:
    """Delete temporary files left by killed processes, and trim the caches."""
    before = time.time() - TEMPORARY_FILE_TTL.total_seconds()
    deleted = delete_old_files(settings.DATA_DIR / "tmp", before=before)
    return {"deleted": deleted, "dropped": file_cache().trim() + fetch_cache().trim()}
