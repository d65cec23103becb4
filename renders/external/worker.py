"""An external worker: claims a render, makes it with the engine, uploads it. Needs no database."""

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
    """Does one render after the other. terms: how sources may be fetched; what the server itself gives always may."""

    def __init__(
        self, credentials: WorkerCredentials, *, terms: FetchOptions, work_dir: Path, limits: FFmpegLimits
    ) -> None:
        self._credentials = credentials
        self._client = WorkerApiClient(credentials)
        server = urlsplit(credentials.url)
        own = (server.hostname or "", server.port or DEFAULT_PORTS.get(server.scheme))
        self._terms = FetchOptions([*terms.allow_hosts, own], terms.max_bytes, terms.timeout_s)
        self._work_dir = work_dir
        self._limits = limits

    def run(self, stop: threading.Event, *, poll_s: float, once: bool = False) -> int:
        """Work until told to stop; return how many renders were claimed. once: leave after one, or without any.

        Raises WorkerApiError.
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
            logger.info("nobody wants %s from here any more", render_id)
        except (EngineError, UploadRefused) as failure:
            reporter.stop()
            self._report_failure(job_spec, failure)
        finally:
            reporter.stop()

    def _make(self, job_spec: Mapping[str, Any], folder: Path, reporter: ProgressReporter) -> None:
        """Fetch, probe, resolve, render, upload.

        Raises EngineError, UploadRefused, AttemptEnded.
        """
        strict = bool(job_spec["job"].get("strict"))
        parsed = parse_edit(job_spec["edit"])
        sources_folder = folder / "sources"
        sources_folder.mkdir()
        fetch = FolderFetch(sources_folder, self._terms)
        media = gather_media(sources(parsed.edit), fetch, check=reporter.check)
        resolved = resolve(parsed.edit, media)
        timeline = resolved.timeline
        _refuse_findings(resolved.warnings, strict=strict)
        result = render_timeline(
            timeline,
            out=folder / f"output.{timeline.output.format}",
            work_dir=folder / "engine",
            poster=folder / "poster.jpg",
            thumbnail=folder / "thumbnail.jpg",
            on_progress=lambda progress: reporter.note(**_figures(progress)),
            should_cancel=lambda: _is_over(reporter),
            limits=self._limits,
        )
        _refuse_findings(result.warnings, strict=strict)
        for name, path in _files(result).items():
            reporter.check()
            if name in job_spec["upload"]:
                self._client.upload(job_spec["upload"][name], path)

    def _report_failure(self, job_spec: Mapping[str, Any], failure: EngineError | UploadRefused) -> None:
        error = {
            "code": failure.code,
            "message": str(failure)[:1000],
            "retryable": bool(failure.retryable),
        }
        logger.warning("%s failed: %s: %s", job_spec["job"]["render"], error["code"], error["message"])
        try:
            self._client.report(job_spec, {"status": "failed", "error": error}, must_arrive=True)
        except AttemptEnded:
            logger.info("the failure came too late to matter")


def _refuse_findings(findings: tuple[Issue, ...], *, strict: bool) -> None:
    """Raise EditInvalid for what a strict render must not have."""
    if strict and findings:
        raise EditInvalid(findings)


def _files(result: RenderResult) -> dict[str, Path]:
    found = {"output": result.output, "poster": result.poster, "thumbnail": result.thumbnail}
    return {name: path for name, path in found.items() if path is not None}


def _figures(progress: FFmpegProgress) -> dict[str, Any]:
    return {
        "percent": round(progress.percent, 1),
        "frame": progress.frame,
        "total_frames": progress.total_frames or None,
    }


def _is_over(reporter: ProgressReporter) -> bool:
    # What this raises stops FFmpeg and comes out of `render_timeline` as it is.
    reporter.check()
    return False
