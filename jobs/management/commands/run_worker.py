"""The `run_worker` command."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from jobs.registry import known_queues
from jobs.worker.supervisor import Supervisor


class Command(BaseCommand):
    """Runs a worker: a supervisor and its slots."""

    help = "Run jobs until SIGTERM or SIGINT; jobs still running after the grace period are released."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options of the worker."""
        parser.add_argument("--queues", default="", help="comma-separated (default: all queues)")
        parser.add_argument(
            "--concurrency", type=int, default=os.cpu_count() or 1, help="concurrent jobs (default: one per core)"
        )
        parser.add_argument("--drain", action="store_true", help="exit when no job is ready or running")
        parser.add_argument("--engine", metavar="database|celery", default=settings.RENDEROWL_JOBS_ENGINE)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the supervisor in this process until it is stopped."""
        if options["engine"] not in settings.RENDEROWL_JOBS_ENGINES:
            raise CommandError(f"The engine {options['engine']} is not part of this version; choose database.")
        if options["concurrency"] < 1:
            raise CommandError("--concurrency must be at least 1.")
        queues = [name.strip() for name in options["queues"].split(",") if name.strip()] or known_queues()
        if unknown := sorted(set(queues) - set(known_queues())):
            # A worker of a misspelled queue would wait for ever.
            raise CommandError(f"Unknown queue: {', '.join(unknown)}. Known queues: {', '.join(known_queues())}.")
        Supervisor(queues=queues, concurrency=options["concurrency"], drain=options["drain"]).run()
