"""`manage.py load_test_health`: send health probes to a running server and rate its responses."""

from __future__ import annotations

from maintenance.loadtest.command import LoadTestCommand
from maintenance.loadtest.response_stats import HEALTH_GRADES


class Command(LoadTestCommand):
    """`load_test_health`, with the flags of `load_test`."""

    help = (
        "Send requests to /live, /ready and /health of a running server, in turn, for a while; print the report of "
        "load_test with a stricter rating."
    )
    grades = HEALTH_GRADES

    def default_endpoints(self, *, has_key: bool) -> tuple[str, ...]:
        """Return the paths of the health probes."""
        return ("/live", "/ready", "/health")
