"""Base command of `load_test` and `load_test_health`."""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from django.core.management.base import BaseCommand, CommandError

from core.progress_bar import ProgressBar
from maintenance.loadtest.launcher import LoadTestFailed, check_listening, check_locust, run_plan
from maintenance.loadtest.plan import METHODS, LoadPlan
from maintenance.loadtest.response_stats import TOO_MANY_REQUESTS, Grade, rate

MAX_DURATION_S = 86_400.0
MAX_USERS = 10_000
MAX_RPS = 1_000_000.0
USAGE_ERROR = 2
# Above these the load generator, not the server, limits the results.
BUSY_SHARE = 0.9
LATE_SHARE = 0.01


class LoadTestCommand(BaseCommand):
    """Run a load test and print its report. Exits with 1 above --max-errors, with 2 on wrong usage."""

    requires_system_checks = ()
    requires_migrations_checks = False
    grades: ClassVar[tuple[Grade, ...]]

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--endpoint", type=_path, metavar="PATH", help="path to request, with its query")
        parser.add_argument("--url", type=_url, default=_own_url(), help="the server (default: %(default)s)")
        parser.add_argument("--duration", type=_duration, default=10.0, metavar="S", help="seconds (default 10)")
        parser.add_argument("--concurrency", type=_users, default=10, metavar="N", help="connections (default 10)")
        parser.add_argument("--rps", type=_rps, metavar="N", help="requests per second in total (default: unlimited)")
        parser.add_argument("--key", default="", metavar="K", help="API key")
        parser.add_argument("--method", choices=METHODS, default="GET", help="default GET")
        parser.add_argument("--body", type=Path, metavar="FILE", help="body of every request")
        parser.add_argument("--content-type", default="application/json", help="body type (default: %(default)s)")
        parser.add_argument(
            "--max-errors", type=_percent, default=1.0, metavar="PERCENT", help="exit with 1 above this (default 1)"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")

    def default_endpoints(self, *, has_key: bool) -> tuple[str, ...]:
        """Return the paths to request if no --endpoint is given."""
        raise NotImplementedError

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the test and print the report."""
        plan = self._plan(options)
        try:
            check_locust()
            check_listening(plan.url)
            report = _run(plan)
        except LoadTestFailed as error:
            raise CommandError(str(error), returncode=USAGE_ERROR) from None
        allowed = options["max_errors"] / 100
        rating = rate(p95_ms=report["p95_ms"], error_share=report["error_share"], grades=self.grades)
        report |= {"rating": rating, "max_error_share": allowed, "hints": _hints(report)}
        self.stdout.write(json.dumps(report) if options["json"] else _as_text(report))
        if report["error_share"] > allowed:
            sys.exit(1)

    def _plan(self, options: dict[str, Any]) -> LoadPlan:
        endpoint = options["endpoint"]
        return LoadPlan(
            url=options["url"],
            endpoints=(endpoint,) if endpoint else self.default_endpoints(has_key=bool(options["key"])),
            duration_s=options["duration"],
            concurrency=options["concurrency"],
            rps=options["rps"],
            method=options["method"],
            key=_header_value(options["key"], "--key"),
            body=_read_body(options["body"], options["method"]),
            content_type=_header_value(options["content_type"], "--content-type"),
        )


def _run(plan: LoadPlan) -> dict[str, Any]:
    progress_bar = ProgressBar(sys.stderr, "seconds")
    try:
        return run_plan(plan, lambda done_s: progress_bar.show(round(done_s), round(plan.duration_s)))
    finally:
        progress_bar.close()


def _hints(report: dict[str, Any]) -> list[str]:
    """Return notes on what may have distorted the results."""
    hints = []
    if limited := report["statuses"].get(str(TOO_MANY_REQUESTS)):
        hints.append(f"{limited} responses were 429: this measured the rate limit of the key's plan.")
    if report["driver_cpu_share"] > BUSY_SHARE:
        hints.append("The load generator used a whole core: the server may be faster than measured.")
    if report["late_share"] > LATE_SHARE:
        hints.append(
            f"{report['late_share']:.1%} of the requests were sent late: all connections were waiting for responses. "
            "Their times do not include that. Raise --concurrency, or lower --rps if the server is the limit."
        )
    if report["interrupted"]:
        hints.append("Stopped early.")
    return hints


def _as_text(report: dict[str, Any]) -> str:
    target = f", target {report['target_rps']:g}" if report["target_rps"] else ""
    lines = [
        f"{report['method']} {report['url']}, {report['concurrency']} connections",
        f"  {report['requests']} requests in {report['duration_s']:.1f} s",
        f"  {report['rps']:.1f} requests/s{target}",
        "",
        f"  {'path':<40} {'requests':>9} {'errors':>7} {'p50 ms':>9} {'p95 ms':>9} {'p99 ms':>9} {'max ms':>9}",
    ]
    rows = report["endpoints"] if len(report["endpoints"]) == 1 else [*report["endpoints"], report]
    for row in rows:
        times = " ".join(f"{_number(row[name]):>9}" for name in ("p50_ms", "p95_ms", "p99_ms", "max_ms"))
        lines.append(f"  {row.get('endpoint', 'all')[:40]:<40} {row['requests']:>9} {row['errors']:>7} {times}")
    lines.append("")
    statuses = ", ".join(f"{count} x {status}" for status, count in report["statuses"].items())
    lines.append(f"  responses: {statuses or 'none'}")
    lines += [f"  failed: {failure['count']} x {failure['reason']}" for failure in report["failures"]]
    lines.append(f"  errors: {report['error_share']:.2%} (allowed {report['max_error_share']:.2%})")
    lines.append(f"  rating: {report['rating']}")
    lines += [f"  note: {hint}" for hint in report["hints"]]
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _own_url() -> str:
    return f"http://127.0.0.1:{os.environ.get('PORT', '8000')}"


def _read_body(path: Path | None, method: str) -> bytes:
    if path is None:
        return b""
    if method in {"GET", "HEAD"}:
        raise CommandError(f"{method} requests have no body; use another --method.", returncode=USAGE_ERROR)
    try:
        return path.read_bytes()
    except OSError as error:
        raise CommandError(f"--body: {path}: {error.strerror}", returncode=USAGE_ERROR) from None


def _header_value(text: str, option: str) -> str:
    if not text.isprintable() or not text.isascii():
        raise CommandError(f"{option} contains characters that are not allowed in a header.", returncode=USAGE_ERROR)
    return text.strip()


def _path(text: str) -> str:
    if not text.startswith("/") or text.startswith("//") or not text.isascii() or not text.isprintable() or " " in text:
        raise ArgumentTypeError("must be a path such as /api/v2/renders?limit=10, percent-encoded")
    return text


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        valid = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        valid = False
    if not valid or parts.path not in {"", "/"} or parts.query or parts.username:
        raise ArgumentTypeError("must be http:// or https:// with a host and an optional port, without a path")
    return text.rstrip("/")


def _bounded(text: str, minimum: float, maximum: float) -> float:
    try:
        number = float(text)
    except ValueError:
        raise ArgumentTypeError(f"{text} is not a number") from None
    if not minimum <= number <= maximum:
        raise ArgumentTypeError(f"must be a number from {minimum:g} to {maximum:g}")
    return number


def _duration(text: str) -> float:
    return _bounded(text, 0.1, MAX_DURATION_S)


def _rps(text: str) -> float:
    return _bounded(text, 0.01, MAX_RPS)


def _percent(text: str) -> float:
    return _bounded(text, 0, 100)


def _users(text: str) -> int:
    number = _bounded(text, 1, MAX_USERS)
    if number != int(number):
        raise ArgumentTypeError("must be a whole number")
    return int(number)
