"""The `autoscale_workers` command."""

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
    """Runs the autoscaler: `autoscale_workers --min M --max N`."""

    help = (
        "Start and retire run_worker processes on this machine as the load grows and shrinks, until SIGTERM or "
        "SIGINT. A surplus worker claims no more jobs and exits when its running jobs have finished."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options of the autoscaler."""
        parser.add_argument("--min", type=int, required=True, metavar="M", help="minimum number of workers; may be 0")
        parser.add_argument("--max", type=int, required=True, metavar="N", help="maximum number of worker processes")
        parser.add_argument("--concurrency", type=int, default=1, metavar="N", help="jobs per worker (default 1)")
        parser.add_argument("--queues", default="", help="comma-separated (default: all queues)")
        parser.add_argument(
            "--scale-out-after", type=float, default=2.0, metavar="S", help="add workers when a job has waited S s"
        )
        parser.add_argument(
            "--scale-in-after", type=float, default=60.0, metavar="S", help="retire workers unneeded for S s"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the autoscaler in this process until it is stopped."""
        cores = os.cpu_count() or 1
        _check(options)
        queues = [name.strip() for name in options["queues"].split(",") if name.strip()] or known_queues()
        if unknown := sorted(set(queues) - set(known_queues())):
            names = f"{', '.join(unknown)}. Known queues: {', '.join(known_queues())}"
            raise CommandError(f"Unknown queue: {names}.", returncode=MISUSE)
        scaling = AutoscalerOptions(
            min_workers=options["min"],
            max_workers=options["max"],
            concurrency=options["concurrency"],
            scale_out_after_s=options["scale_out_after"],
            scale_in_after_s=options["scale_in_after"],
        )
        slots = scaling.max_workers * scaling.concurrency
        if slots > cores:
            self.stderr.write(f"Up to {slots} concurrent jobs on {cores} cores: renders will share cores.")
        self._report(f"{scaling.min_workers} to {scaling.max_workers} workers with concurrency {scaling.concurrency}")
        Autoscaler(queues=queues, options=scaling, report=self._report).run()

    def _report(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def _check(options: dict[str, Any]) -> None:
    """Raise CommandError for numbers out of range."""
    if not 0 <= options["min"] <= options["max"] or options["max"] < 1:
        raise CommandError("--min must be at least 0, and --max at least 1 and at least --min.", returncode=MISUSE)
    if options["concurrency"] < 1:
        raise CommandError("--concurrency must be at least 1.", returncode=MISUSE)
    if not (0 <= options["scale_out_after"] < float("inf") and 0 <= options["scale_in_after"] < float("inf")):
        raise CommandError("--scale-out-after and --scale-in-after must be at least 0.", returncode=MISUSE)
