"""External worker: claims renders, runs the engine, uploads the output. Needs no database."""

from __future__ import annotations

import logging
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from engine.errors import EditInvalid, EngineError
from engine.issues import Issue
from engine.language import parse_edit, sources
from engine.pipeline import RenderResult, render_timeline
from engine.run import FFmpegLimits, FFmpegProgress
from engine.timeline import resolve
from renders.external.client import AttemptEnded, ProgressReporter, UploadRefused, WorkerApiClient, WorkerCredentials
from renders.fetching import FetchOptions, FolderFetch
from renders.sources import gather_media

DEFAULT_PORTS = {"http": 80, "https": 443}
logger = logging.getLogger(__name__)


class ExternalWorker:
    """Renders one claim after the other. options: how sources may be fetched; the server is always an allowed host."""

    def __init__(
        self, credentials: WorkerCredentials, *, options: FetchOptions, work_dir: Path, limits: FFmpegLimits
    ) -> None:
        self._credentials = credentials
        self._client = WorkerApiClient(credentials)
        server = urlsplit(credentials.url)
        server_host = (server.hostname or "", server.port or DEFAULT_PORTS.get(server.scheme))
        self._options = FetchOptions([*options.allow_hosts, server_host], options.max_bytes, options.timeout_s)
        self._work_dir = work_dir
        self._limits = limits

    def run(self, stop: threading.Event, *, poll_s: float, once: bool = False) -> int:
        """Claim and render until `stop` is set; return the number of claims. once: stop after one request.

        Raises WorkerApiError if the server refuses this worker.
        """
        claimed = 0
        while not stop.is_set():
            job_spec = self._client.claim()
            if job_spec is not None:
                claimed += 1
                self._work(job_spec)
            if once:
                break
            if job_spec is None:
                stop.wait(poll_s)
        return claimed

    def _work(self, job_spec: Mapping[str, Any]) -> None:
        self._work_dir.mkdir(parents=True, exist_ok=True)
        render_id = job_spec["job"]["render"]
        logger.info("rendering %s", render_id)
        reporter = ProgressReporter(self._credentials, job_spec)
        try:
            with tempfile.TemporaryDirectory(prefix=f"{render_id}-", dir=self._work_dir) as folder:
                reporter.start()
                self._make(job_spec, Path(folder), reporter)
                reporter.stop()
                self._client.report(job_spec, {"status": "succeeded", "percent": 100.0}, must_arrive=True)
            logger.info("rendered %s", render_id)
        except AttemptEnded:
            logger.info("the attempt at %s is over", render_id)
        except (EngineError, UploadRefused) as failure:
            reporter.stop()
            self._report_failure(job_spec, failure)
        finally:
            reporter.stop()

    def _make(self, job_spec: Mapping[str, Any], folder: Path, reporter: ProgressReporter) -> None:
        """Fetch, probe, resolve, render, upload. Raises EngineError, UploadRefused, AttemptEnded."""
        strict = bool(job_spec["job"].get("strict"))
        parsed = parse_edit(job_spec["edit"])
        sources_folder = folder / "sources"
        sources_folder.mkdir()
        fetch = FolderFetch(sources_folder, self._options)
        media = gather_media(sources(parsed.edit), fetch, check=reporter.check)
        resolved = resolve(parsed.edit, media)
        timeline = resolved.timeline
        _refuse_if_strict(resolved.warnings, strict=strict)
        for note in resolved.notes:
            logger.info("note %s: %s (%s)", note.pointer, note.detail, note.code)
        result = render_timeline(
            timeline,
            out=folder / f"output.{timeline.output.format}",
            work_dir=folder / "engine",
            poster=folder / "poster.jpg",
            thumbnail=folder / "thumbnail.jpg",
            on_progress=lambda progress: reporter.set_progress(**_report_members(progress)),
            should_cancel=lambda: _is_over(reporter),
            limits=self._limits,
        )
        _refuse_if_strict(result.warnings, strict=strict)
        for name, path in _files(result).items():
            reporter.check()
            if name in job_spec["upload"]:
                self._client.upload(job_spec["upload"][name], path)

    def _report_failure(self, job_spec: Mapping[str, Any], failure: EngineError | UploadRefused) -> None:
        error = {"code": failure.code, "message": str(failure)[:1000], "retryable": bool(failure.retryable)}
        logger.warning("%s failed: %s: %s", job_spec["job"]["render"], error["code"], error["message"])
        try:
            self._client.report(job_spec, {"status": "failed", "error": error}, must_arrive=True)
        except AttemptEnded:
            logger.info("the attempt had ended before its failure was reported")


def _refuse_if_strict(issues: tuple[Issue, ...], *, strict: bool) -> None:
    if strict and issues:
        raise EditInvalid(issues)


def _files(result: RenderResult) -> dict[str, Path]:
    found = {"output": result.output, "poster": result.poster, "thumbnail": result.thumbnail}
    return {name: path for name, path in found.items() if path is not None}


def _report_members(progress: FFmpegProgress) -> dict[str, Any]:
    return {
        "percent": round(progress.percent, 1),
        "frame": progress.frame,
        "total_frames": progress.total_frames or None,
    }


def _is_over(reporter: ProgressReporter) -> bool:
    # An exception stops FFmpeg and propagates through `render_timeline`.
    reporter.check()
    return False
