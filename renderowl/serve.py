"""`python -m renderowl.serve`: the application server, stopped gently.

One process looks after those that serve. Told to stop it says so at once, in a file that `/ready` looks for, lets
everything go on for a while, so that balancers notice and send nobody any more, and only then has requests finished.
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
MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of ours in it, looked at before use
ROOT = Path(__file__).resolve().parent.parent
_STOPPING_FILE_VARIABLE = "RENDEROWL_STOPPING_FILE"
_METRICS_DIR_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


class Server(MPServer):
    """A server that goes on for `linger_s` after it was told to stop."""

    def __init__(self, *, stopping_file: Path, linger_s: float, **options: Any) -> None:
        super().__init__(**options)
        self._stopping_file = stopping_file
        self._linger_s = linger_s
        self._is_stopping = False

    def signal_handler_interrupt(self, *args: Any, **kwargs: Any) -> None:
        """Begin to stop. A second signal changes nothing."""
        if self._is_stopping:
            return
        self._is_stopping = True
        self._stopping_file.touch()
        later = threading.Timer(self._linger_s, super().signal_handler_interrupt)
        later.daemon = True
        later.start()


def run_folder(data_dir: Path) -> Path:
    """Make a folder for this server, and take away those of servers that are gone."""
    root = run_root(data_dir)
    for folder in root.glob("server-*"):
        number = folder.name.removeprefix("server-")
        if number.isdigit() and (int(number) == os.getpid() or not _is_alive(int(number))):
            shutil.rmtree(folder, ignore_errors=True)
    mine = root / f"server-{os.getpid()}"
    (mine / "metrics").mkdir(parents=True)
    return mine


def run_root(data_dir: Path) -> Path:
    """Return where the folders of this installation's servers are: in memory, where there is a file system for that.

    The counters of `/metrics` are mapped files: a page of them that a full disk has no room for kills the process.
    """
    name = f"renderowl-{os.getuid()}-{hashlib.sha256(str(data_dir.resolve()).encode()).hexdigest()[:12]}"
    root = MEMORY / name
    try:
        root.mkdir(mode=0o700, exist_ok=True)
        if root.stat().st_uid == os.getuid() and os.access(root, os.W_OK):
            return root
    except OSError:
        # None there, or not for us.
        pass
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
    # What the environment says wins, as in the settings.
    if (ROOT / ".env").is_file():
        environ.Env.read_env(str(ROOT / ".env"))
    parser = argparse.ArgumentParser(prog="python -m renderowl.serve", description="Serve the API and the admin.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--threads", type=int, default=16, help="threads of each process")
    parser.add_argument("--linger", type=float, default=_linger_default(), metavar="S", help="serve on for so long")
    chosen = parser.parse_args(arguments)
    folder = run_folder(ROOT / os.environ.get("DATA_DIR", "var"))
    stopping_file = folder / "stopping"
    # Read where the libraries are loaded, in the processes that serve.
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
            # Unless another server of this installation has its own in it.
            folder.parent.rmdir()
    return 0


def _server_logging(style: str) -> dict[str, Any]:
    """Return what the server's own lines look like: as those of the application, where machines read them."""
    if style == "text":
        return {}
    line = {"()": "core.logs.JsonFormatter"}
    return {"formatters": {"generic": line, "access": line}}


def _linger_default() -> float:
    return float(os.environ.get("SHUTDOWN_LINGER_S", "") or 5)


if __name__ == "__main__":
    sys.exit(main())
