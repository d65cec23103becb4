"""Measure the performance monitor's overhead: each request with and without it, side by side.

    python bench/monitor.py [--rounds N] [--requests N]

Calls the WSGI application in this process, in a database of its own. Rounds with and without alternate, as the
machine's speed drifts; figures are CPU time of the serving thread, and differences of adjacent rounds. The background
thread that writes the aggregates is measured on its own.
"""

from __future__ import annotations

import argparse
import gc
import io
import os
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MAX_US = 25.0
MAX_SHARE = 0.03
ROWS = 25


def call(handler: Any, path: str, key: str) -> dict[str, str]:
    """Serve one GET, read the answer, return its headers."""
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1:8000",
        "HTTP_X_API_KEY": key,
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.url_scheme": "http",
    }
    answers: list[tuple[str, Any]] = []
    response = handler(environ, lambda status, headers: answers.append((status, headers)))
    b"".join(response)
    if hasattr(response, "close"):
        response.close()
    ((status, headers),) = answers
    assert status.startswith("200"), (path, status)
    return dict(headers)


def timed(work: Callable[[], object], count: int) -> float:
    """Return the CPU microseconds of one run."""
    # A garbage collection costs milliseconds, in whichever request it happens.
    gc.collect()
    gc.disable()
    began = time.thread_time()
    for _ in range(count):
        work()
    took = time.thread_time() - began
    gc.enable()
    return took / count * 1e6


def handlers() -> tuple[Any, Any]:
    """Return the whole application without the monitor and with it."""
    from django.conf import settings
    from django.core.handlers.wsgi import WSGIHandler

    whole = list(settings.MIDDLEWARE)
    settings.MIDDLEWARE = [entry for entry in whole if not entry.startswith("monitoring.performance")]
    without = WSGIHandler()
    settings.MIDDLEWARE = whole
    return without, WSGIHandler()


def measure(name: str, path: str, key: str, rounds: int, requests: int, cache: str = "") -> tuple[float, float]:
    """Return the median overhead in microseconds and as a share of the request without the monitor.

    cache: the `X-Cache` that every answer must have.
    """
    from django.db import connections

    from monitoring.performance import sql

    # The connection itself: attributes deleted from the proxy `connection` stay, and commits would be timed twice.
    connection = connections["default"]
    without, with_monitor = handlers()
    differences, plain = [], []
    for handler in (without, with_monitor):
        timed(partial(call, handler, path, key), 50)
        assert call(handler, path, key).get("X-Cache", "") == cache, (name, cache)
    for number in range(rounds):
        took = {}
        for handler in (without, with_monitor) if number % 2 else (with_monitor, without):
            if handler is without:
                connection.execute_wrappers.clear()
                vars(connection).pop("_commit", None)
            else:
                sql.time_connection(connection)
            took[handler] = timed(partial(call, handler, path, key), requests)
        plain.append(took[without])
        differences.append(took[with_monitor] - took[without])
    base, more = statistics.median(plain), statistics.median(differences)
    print(f"{name:28} {base:8.1f} us without   {more:+6.1f} us with   {more / base:+.2%}", flush=True)
    return more, more / base


def measure_writing() -> None:
    """Print the cost of one observation, and of writing a busy minute."""
    from core.request_timings import RequestTimings
    from monitoring.performance.aggregator import RequestObservation
    from monitoring.performance.monitor import Monitor

    mine = Monitor()
    timings = RequestTimings()
    count = 20_000
    seen = [
        RequestObservation(f"/api/v2/route-{n % 50}", "GET", 200, 500 + n % 7919, 900, "", f"request-{n}", timings)
        for n in range(count)
    ]
    began = time.thread_time()
    for each in seen:
        mine.aggregator.observe(each, is_slow=False)
    print(f"{'one observation':28} {(time.thread_time() - began) / count * 1e6:8.2f} us")
    began = time.thread_time()
    assert mine.flush()
    # The first write also registers the process; the second one is typical.
    for each in seen[:5000]:
        mine.aggregator.observe(each, is_slow=False)
    began = time.thread_time()
    assert mine.flush()
    print(f"{'writing 50 routes':28} {(time.thread_time() - began) * 1000:8.1f} ms, every few seconds")


def measure_all(rounds: int, requests: int) -> bool:
    """Measure; return whether the overhead is within its limits."""
    from django.conf import settings

    from tests.factories import make_api_key, make_render, make_user

    alice = make_user("alice")
    key = make_api_key(alice)
    for _ in range(ROWS):
        make_render(alice)
    settings.RENDEROWL_RESPONSE_CACHE = True
    path = "/api/v2/renders"
    found = [
        measure("/live", "/live", key, rounds, requests),
        measure("/api/v2/me", "/api/v2/me", key, rounds, requests, "BYPASS"),
        measure(f"list of {ROWS}, cached", path, key, rounds, requests, "HIT"),
    ]
    settings.RENDEROWL_RESPONSE_CACHE = False
    found.append(measure(f"list of {ROWS}, uncached", path, key, rounds, requests, "BYPASS"))
    return max(more for more, _ in found) <= MAX_US and found[-1][1] <= MAX_SHARE


def main() -> int:
    """Measure; exit 1 if the overhead is above its limits."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument(
        "--requests", type=int, default=64, help="of a round: a multiple of the aggregator's BATCH_SIZE"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="renderowl-bench-") as folder:
        os.environ |= {
            "DATA_DIR": folder,
            "DATABASE_URL": f"sqlite:///{folder}/bench.sqlite3",
            "DJANGO_SETTINGS_MODULE": "renderowl.settings",
            "RATE_LIMITS": "0",
            # As in production: with DEBUG Django logs all statements in memory.
            "DEBUG": "0",
            "SECRET_KEY": secrets.token_urlsafe(64),
            "ALLOWED_HOSTS": "127.0.0.1",
            "SECURE_SSL_REDIRECT": "0",
            # Writing is measured separately.
            "PERFORMANCE_FLUSH_S": "3600",
        }
        import django

        django.setup()
        from django.core.management import call_command

        from monitoring.performance.monitor import monitor

        call_command("migrate", verbosity=0)
        measure_writing()
        is_within = measure_all(options.rounds, options.requests)
        # While the database exists: the rest would be written when the process ends.
        monitor.stop()
    print(f"at most {MAX_US:.0f} us, and {MAX_SHARE:.0%} of an uncached list: {'yes' if is_within else 'NO'}")
    return 0 if is_within else 1


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
