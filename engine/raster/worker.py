"""The drawing process: `python -m engine.raster.worker`.

Native layout code can crash or loop for ever on hostile markup, so it runs here, under limits, and never in
a process that matters. Reads one JSON object a line, `{"job": ..., "out": path, "timeout_s": seconds}`, and answers
each with one line: `{"blocked": [...]}` or `{"error": sentence}`, with `"again": true` if the job is not at fault,
and with `"last": true` if the process has grown so large that it should be replaced. Exits at the end of its input.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

import plutoprint

from engine.raster.fonts.bundled import fontconfig_xml
from engine.raster.job_json import job_from_json
from engine.raster.paint import load_fonts, paint_job

_MEMORY_BYTES = 3 * 1024**3
_START_S = 25.0
_MAX_RESIDENT_BYTES = 768 * 1024**2
_FILE_BYTES = 1024**3
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})


def main() -> NoReturn:
    """Serve drawing jobs until the input ends."""
    _limit_process()
    # Until the first job sets its own timer: a start that hangs must not block the render for ever.
    signal.setitimer(signal.ITIMER_REAL, _START_S)
    with tempfile.TemporaryDirectory(prefix="renderowl-fonts-") as folder:
        # Fontconfig reads this once, when the first text is laid out; nothing of it stays on disk.
        config = Path(folder) / "fonts.conf"
        config.write_text(fontconfig_xml(), encoding="utf-8")
        os.environ["FONTCONFIG_FILE"] = str(config)
        load_fonts()
    signal.setitimer(signal.ITIMER_REAL, 0)
    for line in sys.stdin:
        answer = _serve(json.loads(line)) | {"last": _resident_bytes() > _MAX_RESIDENT_BYTES}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    # The engine still uses font data while Python frees its objects, and crashes.
    os._exit(0)


def _serve(request: dict[str, object]) -> dict[str, object]:
    # The default action of SIGALRM ends the process even inside native code.
    signal.setitimer(signal.ITIMER_REAL, float(str(request["timeout_s"])))
    job = request["job"]
    if not isinstance(job, dict):
        return {"error": "the request has no job"}
    try:
        return {"blocked": paint_job(job_from_json(job), Path(str(request["out"])))}
    except (plutoprint.Error, ValueError, OSError, MemoryError) as error:
        if isinstance(error, OSError) and error.errno in _NO_SPACE:
            return {"error": "the disk of the service is full", "again": True}
        return {"error": f"{type(error).__name__}: {error}"}
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _resident_bytes() -> int:
    """Return the resident memory of the process; 0 where the system does not report it."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    except OSError:
        return 0


def _limit_process() -> None:
    for limit, value in (
        (resource.RLIMIT_AS, _MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, _FILE_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))


if __name__ == "__main__":
    main()
