"""`python -m renderowl.serve`: the application server, with a graceful shutdown.

A parent process supervises the workers. On a signal it creates a file that makes `/ready` fail, keeps serving while
load balancers notice, and then finishes the open requests.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import shutil
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import environ
from granian.constants import Interfaces
from granian.server.mp import MPServer

from renderowl.environment import env, log_format

FINISH_S = 30
MEMORY = Path("/dev/shm")  # noqa: S108 - our folder in it is checked before use
ROOT = Path(__file__).resolve().parent.parent
_STOPPING_FILE_VARIABLE = "RENDEROWL_STOPPING_FILE"
_METRICS_DIR_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


class Server(MPServer):
    """A server that keeps serving for `linger_s` after a signal to stop."""

    def __init__(self, *, stopping_file: Path, linger_s: float, **options: Any) -> None:
        super().__init__(**options)
        self._stopping_file = stopping_file
        self._linger_s = linger_s
        self._is_stopping = False

    def signal_handler_interrupt(self, *args: Any, **kwargs: Any) -> None:
        """Mark the server as stopping and stop it after the delay; ignore further signals."""
        if self._is_stopping:
            return
        self._is_stopping = True
        self._stopping_file.touch()
        timer = threading.Timer(self._linger_s, super().signal_handler_interrupt)
        timer.daemon = True
        timer.start()


def run_folder(data_dir: Path) -> Path:
    """Create the folder of this server, and delete those of dead servers."""
    root = run_root(data_dir)
    for folder in root.glob("server-*"):
        number = folder.name.removeprefix("server-")
        if number.isdigit() and (int(number) == os.getpid() or not _is_alive(int(number))):
            shutil.rmtree(folder, ignore_errors=True)
    own = root / f"server-{os.getpid()}"
    (own / "metrics").mkdir(parents=True)
    return own


def run_root(data_dir: Path) -> Path:
    """Return the parent of the folders of this installation's servers, on a tmpfs if possible.

    The counters of `/metrics` are memory-mapped files: on a full disk, writing to them would kill the process.
    """
    name = f"renderowl-{os.getuid()}-{hashlib.sha256(str(data_dir.resolve()).encode()).hexdigest()[:12]}"
    root = MEMORY / name
    try:
        root.mkdir(mode=0o700, exist_ok=True)
        if root.stat().st_uid == os.getuid() and os.access(root, os.W_OK):
            return root
    except OSError:
        pass  # missing, or owned by another user
    return data_dir / "run"


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal. Returns the exit status."""
    # Existing variables take precedence over .env, as in the settings.
    if (ROOT / ".env").is_file():
        environ.Env.read_env(str(ROOT / ".env"))
    parser = argparse.ArgumentParser(prog="python -m renderowl.serve", description="Serve the API and the admin.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--threads", type=int, default=16, help="threads of each process")
    parser.add_argument("--linger", type=float, default=_linger_default(), metavar="S", help="seconds to keep serving")
    chosen = parser.parse_args(arguments)
    folder = run_folder(ROOT / os.environ.get("DATA_DIR", "var"))
    stopping_file = folder / "stopping"
    # The workers read these when they load the libraries.
    os.environ[_STOPPING_FILE_VARIABLE] = str(stopping_file)
    os.environ[_METRICS_DIR_VARIABLE] = str(folder / "metrics")
    server = Server(
        target="renderowl.wsgi:application",
        address=chosen.host,
        port=chosen.port,
        interface=Interfaces.WSGI,
        workers=chosen.workers,
        blocking_threads=chosen.threads,
        workers_kill_timeout=FINISH_S,
        log_level="error",
        log_dictconfig=_server_logging(log_format(is_debug=env.bool("DEBUG", default=True))),
        stopping_file=stopping_file,
        linger_s=chosen.linger,
    )
    try:
        server.serve()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            # Fails if another server of this installation has its folder there.
            folder.parent.rmdir()
    return 0


def _server_logging(style: str) -> dict[str, Any]:
    if style == "text":
        return {}
    line = {"()": "core.logs.JsonFormatter"}
    return {"formatters": {"generic": line, "access": line}}


def _linger_default() -> float:
    return float(os.environ.get("SHUTDOWN_LINGER_S", "") or 5)


if __name__ == "__main__":
    sys.exit(main())
