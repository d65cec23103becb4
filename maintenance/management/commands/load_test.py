"""`manage.py load_test`: send requests to a running server and rate its responses."""

from __future__ import annotations

from maintenance.loadtest.command import LoadTestCommand
from maintenance.loadtest.response_stats import GRADES


class Command(LoadTestCommand):
    """`load_test [--endpoint PATH] [--duration S] [--concurrency N] [--rps N] [--key K] [--json]`."""

    help = (
        "Send requests to a running server for a while; print requests per second, percentiles, statuses, errors and a "
        "rating. By default it requests the list of renders if a --key is given, and /live otherwise. "
        "Exits with 1 if more than --max-errors failed, with 2 if the server cannot be reached."
    )
    grades = GRADES

    def default_endpoints(self, *, has_key: bool) -> tuple[str, ...]:
        """Return the list of renders, or a path that needs no key."""
        return ("/api/v2/renders",) if has_key else ("/live",)
