"""`manage.py run_external_worker`: render for a server elsewhere, over HTTP alone."""

from __future__ import annotations

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
    """Work for a server elsewhere."""

    help = (
        "Claim renders from a server, make them here, upload and report them. Needs no database. The key and the "
        "secret are better given as WORKER_KEY and WORKER_SECRET, or files (WORKER_KEY_FILE, WORKER_SECRET_FILE): "
        "other users of this machine can read command lines. SIGTERM stops it at once; the server gives the render "
        "to another."
    )
    requires_system_checks = ()
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--url", help="the server, e.g. https://render.example.com")
        parser.add_argument("--key", default="", help="API key with workers:report")
        parser.add_argument("--secret", default="", help="whsec_..., one of the pool's in RENDER_WEBHOOK_SECRETS")
        parser.add_argument("--pool", help="whose secret it is; by default the server's only pool")
        parser.add_argument("--name", default=_default_name(), help="how the server's staff will see this worker")
        parser.add_argument(
            "--poll-s", type=float, default=POLL_S, help="how long to wait where there is nothing to do"
        )
        parser.add_argument("--once", action="store_true", help="leave after one render, or where there is none")
        parser.add_argument("--new-secret", action="store_true", help="print a new secret and leave")

    def handle(self, *args: Any, **options: Any) -> None:
        """Work until told to stop."""
        if options["new_secret"]:
            self.stdout.write(new_secret())
            return
        worker = ExternalWorker(
            self._credentials(options),
            terms=FetchOptions(
                settings.RENDEROWL_FETCH_ALLOW_HOSTS,
                settings.RENDEROWL_UPLOAD_LIMIT_BYTES,
                settings.RENDEROWL_FETCH_TIMEOUT_S,
            ),
            work_dir=settings.DATA_DIR / "external",
            limits=FFmpegLimits(
                wall_s=settings.RENDEROWL_RENDER_TIMEOUT_S, niceness=settings.RENDEROWL_RENDER_NICENESS
            ),
        )
        before = signal.signal(signal.SIGTERM, _leave)
        try:
            worker.run(threading.Event(), poll_s=options["poll_s"], once=options["once"])
        except KeyboardInterrupt:
            self.stderr.write("Stopped.")
            sys.exit(130)
        except WorkerApiError as error:
            raise CommandError(f"{error}.") from error
        finally:
            signal.signal(signal.SIGTERM, before)

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
    """Return this machine's name in the letters that a worker's name may have."""
    name = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "._-") else "-" for letter in _host())
    return name[:40] or "worker"


def _host() -> str:
    return socket.gethostname()


def _leave(signum: int, frame: FrameType | None) -> NoReturn:
    """Leave at once; what runs is stopped on the way out, and the lease does the rest."""
    sys.exit(0)
