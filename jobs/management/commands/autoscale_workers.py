"""Keep as many workers on this machine as the queue asks for."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from jobs.autoscaling.autoscaler import Autoscaler
from jobs.autoscaling.policy import AutoscalerOptions
from jobs.registry import known_queues

MISUSE = 2


class Command(BaseCommand):
    """`autoscale_workers --min M --max N`."""

    help = (
        "Start and retire run_worker processes on this machine as the queue grows and shrinks, until SIGTERM or "
        "SIGINT. A worker that is one too many takes no more jobs and leaves when those it has are done."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--min", type=int, required=True, metavar="M", help="workers when idle; may be 0")
        parser.add_argument("--max", type=int, required=True, metavar="N", help="worker processes at most")
        parser.add_argument(
            "--concurrency", type=int, default=1, metavar="N", help="jobs at a time of each worker (default 1)"
        )
        parser.add_argument("--queues", default="", help="comma-separated; by default all that handlers use")
        parser.add_argument(
            "--scale-out-after", type=float, default=2.0, metavar="S", help="once a job waited so long (default 2)"
        )
        parser.add_argument(
            "--scale-in-after", type=float, default=60.0, metavar="S", help="once fewer were enough so long (60)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the autoscaler in this process."""
        cores = os.cpu_count() or 1
        _check(options)
        queues = [name.strip() for name in options["queues"].split(",") if name.strip()] or known_queues()
        if unknown := sorted(set(queues) - set(known_queues())):
            known = ", ".join(known_queues())
            raise CommandError(
                f"No job goes into a queue named {', '.join(unknown)}. There are: {known}.", returncode=MISUSE
            )
        scaling = AutoscalerOptions(
            min_workers=options["min"],
            max_workers=options["max"],
            concurrency=options["concurrency"],
            scale_out_after_s=options["scale_out_after"],
            scale_in_after_s=options["scale_in_after"],
        )
        if scaling.max_workers * scaling.concurrency > cores:
            self.stderr.write(
                f"{scaling.max_workers * scaling.concurrency} jobs at a time on {cores} cores: renders will share."
            )
        self._say(
            f"{scaling.min_workers} to {scaling.max_workers} workers with {scaling.concurrency} jobs at a time each"
        )
        Autoscaler(queues=queues, options=scaling, tell=self._say).run()

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def _check(options: dict[str, Any]) -> None:
    """Raise CommandError for numbers that make no sense."""
    if not 0 <= options["min"] <= options["max"] or options["max"] < 1:
        raise CommandError("--min must be 0 or more and --max at least 1 and no less than --min.", returncode=MISUSE)
    if options["concurrency"] < 1:
        raise CommandError("--concurrency must be at least 1.", returncode=MISUSE)
    if not (0 <= options["scale_out_after"] < float("inf") and 0 <= options["scale_in_after"] < float("inf")):
        raise CommandError("Seconds must be 0 or more.", returncode=MISUSE)
