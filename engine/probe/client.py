"""Probe client: probes files in a separate process, which may crash, hang or run out of memory without harm."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import engine
from engine.errors import EngineError, MediaUnreadable
from engine.media import MediaInfo, MediaKind
from engine.probe.sniff import sniff
from engine.subtitles import read_subtitles

TIMEOUT_S = 10
START_TIMEOUT_S = 30
_ROOT = Path(engine.__file__).resolve().parent.parent
_FIELDS = frozenset(field.name for field in fields(MediaInfo))
_ANSWER_BYTES = 65_536


def probe_file(path: Path, *, timeout_s: int = TIMEOUT_S) -> MediaInfo:
    """Probe one file. Raises the MediaUnreadable that `probe_files` would return."""
    (result,) = probe_files([path], timeout_s=timeout_s)
    if isinstance(result, MediaUnreadable):
        raise result
    return result


def probe_files(paths: Sequence[Path], *, timeout_s: int = TIMEOUT_S) -> list[MediaInfo | MediaUnreadable]:
    """Return the media info of each path, in order, or the reason why the file cannot be used.

    timeout_s: per file. One process probes all files; it is restarted after a file that kills it.
    Reasons: `not_found`, `empty_file`, `unsupported_type`, `damaged`, `truncated`, `too_many_pixels`,
    `too_large`, `no_streams`, `bad_timing`, `probe_timeout`, `probe_crashed`.
    Raises EngineError if the process cannot be started.
    """
    results: list[MediaInfo | MediaUnreadable] = []
    with _ProbeProcess() as worker:
        for path in paths:
            try:
                results.append(_probe(worker, path.absolute(), timeout_s))
            except MediaUnreadable as error:
                results.append(error)
    return results


def _probe(worker: _ProbeProcess, path: Path, timeout_s: int) -> MediaInfo:
    """Probe one file; subtitles are parsed here, all other types in the worker."""
    file_type = sniff(path)
    size = path.stat().st_size
    if file_type.kind is MediaKind.SUBTITLE:
        try:
            subtitles = read_subtitles(path)
        except ValueError as error:
            raise MediaUnreadable("damaged", f"The subtitles cannot be used: {error}.") from error
        return MediaInfo(
            path,
            MediaKind.SUBTITLE,
            file_type.content_type,
            size,
            duration_s=max(cue.end_s for cue in subtitles.cues),
            guessed_encoding=subtitles.guessed_encoding,
        )
    info = worker.ask(path, timeout_s)
    known = {name: value for name, value in info.items() if name in _FIELDS and name != "kind"}
    return MediaInfo(path=path, size_bytes=size, kind=MediaKind(info["kind"]), **known)


class _ProbeProcess:
    """The probe process, started on first use and again after a crash."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> _ProbeProcess:
        return self

    def __exit__(self, *error: object) -> None:
        self._stop()

    def ask(self, path: Path, timeout_s: int) -> dict[str, Any]:
        """Return the fields found in a file. Raises MediaUnreadable."""
        process = self._started()
        request = json.dumps({"path": str(path), "timeout_s": timeout_s}) + "\n"
        try:
            if process.stdin is not None:
                process.stdin.write(request.encode())
            answer = self._answer(process, time.monotonic() + timeout_s)
        except (BrokenPipeError, TimeoutError, EOFError, ValueError) as error:
            status = self._stop()
            if isinstance(error, TimeoutError) or status in (-signal.SIGALRM, -signal.SIGXCPU):
                detail = f"The file could not be examined within {timeout_s} s."
                raise MediaUnreadable("probe_timeout", detail) from error
            raise MediaUnreadable("probe_crashed", "The file could not be examined: it crashes the decoder.") from error
        if "info" in answer:
            return dict(answer["info"])
        raise MediaUnreadable(answer["reason"], answer["detail"])

    def _started(self) -> subprocess.Popen[bytes]:
        """Return the running process; it inherits no environment variables, and so no secrets."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "engine.probe.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=_ROOT,
                env={"PYTHONPATH": str(_ROOT), "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"},
                start_new_session=True,
                bufsize=0,
            )
            try:
                self._answer(self._process, time.monotonic() + START_TIMEOUT_S)
            except (TimeoutError, EOFError, ValueError) as error:
                status = self._stop()
                raise EngineError(f"The probe process does not start (status {status}).") from error
        return self._process

    @staticmethod
    def _answer(process: subprocess.Popen[bytes], deadline: float) -> dict[str, Any]:
        """Return the next line, a JSON object. Raises TimeoutError, EOFError or ValueError without one."""
        if process.stdout is None:
            raise EOFError
        received = bytearray()
        poller = select.poll()
        poller.register(process.stdout, select.POLLIN)
        while not received.endswith(b"\n"):
            if not poller.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise TimeoutError
            chunk = process.stdout.read(_ANSWER_BYTES)
            if not chunk:
                raise EOFError
            received += chunk
        answer = json.loads(received)
        if not isinstance(answer, dict):
            raise ValueError("the probe process sent an invalid answer")  # noqa: TRY004 - as for invalid JSON
        return answer

    def _stop(self) -> int | None:
        """End the process and its group, and return its exit status."""
        process, self._process = self._process, None
        if process is None:
            return None
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(timeout=0.2)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        status = process.wait()
        if process.stdout is not None:
            process.stdout.close()
        return status
