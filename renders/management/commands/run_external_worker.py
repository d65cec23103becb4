"""`manage.py run_external_worker`: render for a remote server, over HTTP only."""

from __future__ import annotations

import re
import signal
import socket
import sys
import threading
from argparse import ArgumentParser
from types import FrameType
from typing import Any, NoReturn

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from engine.run import FFmpegLimits
from outbound.signing import new_secret, parse_secret
from renders.external.client import WorkerApiError, WorkerCredentials
from renders.external.worker import ExternalWorker
from renders.fetching import FetchOptions

POLL_S = 2.0


class Command(BaseCommand):
    """Run an external worker."""

    help = (
        "Claim renders from a server, render them here, upload and report the outputs. Needs no database. Prefer "
        "WORKER_KEY and WORKER_SECRET, or files (WORKER_KEY_FILE, WORKER_SECRET_FILE), over --key and --secret: other "
        "users of this machine can read command lines. SIGTERM stops it at once; the render goes to another worker."
    )
    requires_system_checks = ()
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--url", help="the server, e.g. https://render.example.com")
        parser.add_argument("--key", default="", help="API key with workers:report")
        parser.add_argument("--secret", default="", help="whsec_..., one of the pool's in RENDER_WEBHOOK_SECRETS")
        parser.add_argument("--pool", help="the pool of the secret; by default the server's only pool")
        parser.add_argument("--name", default=_default_name(), help="the name of this worker in the server's admin")
        parser.add_argument("--poll-s", type=float, default=POLL_S, help="seconds between claims while none waits")
        parser.add_argument("--once", action="store_true", help="exit after one render, or if none is waiting")
        parser.add_argument("--new-secret", action="store_true", help="print a new secret and exit")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until SIGTERM or SIGINT."""
        if options["new_secret"]:
            self.stdout.write(new_secret())
            return
        worker = ExternalWorker(
            self._credentials(options),
            options=FetchOptions(
                settings.RENDEROWL_FETCH_ALLOW_HOSTS,
                settings.RENDEROWL_UPLOAD_LIMIT_BYTES,
                settings.RENDEROWL_FETCH_TIMEOUT_S,
            ),
            work_dir=settings.DATA_DIR / "external",
            limits=FFmpegLimits(
                wall_s=settings.RENDEROWL_RENDER_TIMEOUT_S, niceness=settings.RENDEROWL_RENDER_NICENESS
            ),
        )
        handler = signal.signal(signal.SIGTERM, _exit)
        try:
            worker.run(threading.Event(), poll_s=options["poll_s"], once=options["once"])
        except KeyboardInterrupt:
            self.stderr.write("Stopped.")
            sys.exit(130)
        except WorkerApiError as error:
            raise CommandError(f"{error}.") from error
        finally:
            signal.signal(signal.SIGTERM, handler)

    def _credentials(self, options: dict[str, Any]) -> WorkerCredentials:
        key = options["key"] or settings.RENDEROWL_WORKER_KEY
        secret = options["secret"] or settings.RENDEROWL_WORKER_SECRET
        url = options["url"] or ""
        if not url.startswith(("http://", "https://")):
            raise CommandError("--url must begin with https:// (or http://).")
        if not key or not secret:
            raise CommandError("Give the key and the secret: WORKER_KEY and WORKER_SECRET.")
        try:
            parsed = parse_secret(secret)
        except ValueError as error:
            raise CommandError(f"The secret cannot be used: {error}.") from None
        return WorkerCredentials(url, key, parsed, options["name"], options["pool"])


def _default_name() -> str:
    """Return the host name, with a dash for each character that a worker's name must not have."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname())[:40] or "worker"


def _exit(signum: int, frame: FrameType | None) -> NoReturn:
    """Exit at once: SystemExit stops FFmpeg, and the lease of the render expires."""
    sys.exit(0)
