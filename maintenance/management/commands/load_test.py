"""`manage.py load_test`: send requests to a running server and say how it did."""

from __future__ import annotations

from maintenance.loadtest.command import LoadTestCommand
from maintenance.loadtest.response_stats import GRADES


class Command(LoadTestCommand):
    """`load_test [--endpoint PATH] [--duration S] [--concurrency N] [--rps N] [--key K] [--json]`."""

    help = (
        "Send requests to a running server for a while; print requests a second, percentiles, statuses, errors and a "
        "rating. By default it asks for the list of renders where a --key is given, and for /live where none is. "
        "Exits with 1 where more than --max-errors failed, with 2 where nobody listens."
    )
    grades = GRADES

    def default_endpoints(self, *, has_key: bool) -> tuple[str, ...]:
        """Return the list that clients ask for most, or what needs no key."""
        return ("/api/v2/renders",) if has_key else ("/live",)
