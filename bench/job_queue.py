"""Measure the queue: throughput, claim latency with many waiting jobs, idle pickup.

    python bench/job_queue.py [--jobs N] [--rounds N] [--million]
    DATABASE_URL=postgres://... python bench/job_queue.py

Works in a database of its own: a file in a temporary directory, or a new PostgreSQL database that is dropped
afterwards. Rounds with one and two workers alternate, as the machine's speed drifts; ratios are of neighbours.
"""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CLAIMS = 400
PICKUPS = 120


@contextmanager
def own_database() -> Iterator[str]:
    """Point DATABASE_URL at a temporary database; yield its kind."""
    url = os.environ.get("DATABASE_URL", "")
    with tempfile.TemporaryDirectory(prefix="renderowl-bench-") as folder:
        os.environ["DATA_DIR"] = folder
        if not url.startswith("postgres"):
            os.environ["DATABASE_URL"] = f"sqlite:///{folder}/bench.sqlite3"
            yield "sqlite"
            return
        import psycopg

        name = f"renderowl_bench_{secrets.token_hex(4)}"
        with psycopg.connect(url, autocommit=True) as server:
            server.execute(f'CREATE DATABASE "{name}"')
            os.environ["DATABASE_URL"] = f"{url.rpartition('/')[0]}/{name}"
            try:
                yield "postgresql"
            finally:
                from django.db import connections

                connections.close_all()
                server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def start_worker(slots: int, *, drain: bool) -> int:
    """Fork a supervisor; return its pid."""
    from django.db import connections

    from jobs.worker.supervisor import Supervisor

    connections.close_all()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        Supervisor(queues=["default"], concurrency=slots, drain=drain).run()
        code = 0
    finally:
        os._exit(code)


def enqueue(count: int) -> float:
    """Enqueue no-op jobs in bulk; return jobs a second."""
    from jobs import services

    began = time.perf_counter()
    services.enqueue_many(jobs=[services.NewJob(type="bench.noop")] * count)
    return count / (time.perf_counter() - began)


def empty() -> None:
    """Delete all jobs."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM jobs_jobattempt")
        cursor.execute("DELETE FROM jobs_job")


def measure_throughput(slots: int, count: int) -> tuple[float, float]:
    """Return jobs a second enqueued, and run: from the first claim to the last finish, start of processes excluded."""
    from django.db.models import Max, Min

    from jobs.models import Job

    empty()
    enqueued = enqueue(count)
    os.waitpid(start_worker(slots, drain=True), 0)
    done = Job.objects.filter(status="succeeded", type="bench.noop")
    if done.count() != count:
        sys.exit(f"only {done.count()} of {count} jobs succeeded")
    span = done.aggregate(first=Min("started_at"), last=Max("finished_at"))
    return enqueued, count / (span["last"] - span["first"]).total_seconds()


def measure_claims(waiting: int) -> float:
    """Return the median milliseconds of a claim with `waiting` jobs queued."""
    from jobs import sql
    from jobs.models import Job

    while (missing := waiting - Job.objects.filter(status="queued").count()) > 0:
        enqueue(min(missing, 20_000))
    took = []
    for _ in range(CLAIMS):
        began = time.perf_counter()
        claimed = sql.claim(queue="default", worker="bench", lease_s=3600)
        took.append(time.perf_counter() - began)
        if claimed is None:
            sys.exit("nothing to claim")
    return statistics.median(took) * 1000


def measure_pickup() -> tuple[float, float]:
    """Return p50 and p99 milliseconds from enqueue to claim with an idle worker."""
    from jobs import services
    from jobs.models import Job

    empty()
    worker = start_worker(1, drain=False)
    try:
        time.sleep(2)
        for number in range(PICKUPS):
            services.enqueue(type="bench.noop")
            time.sleep(0.05 + (number * 7919 % 97) / 1000)
        time.sleep(1.5)
    finally:
        os.kill(worker, signal.SIGTERM)
        os.waitpid(worker, 0)
    pairs = Job.objects.filter(status="succeeded", type="bench.noop").values_list("queued_at", "started_at")
    waits = sorted((started - queued).total_seconds() * 1000 for queued, started in pairs)
    if len(waits) != PICKUPS:
        sys.exit(f"only {len(waits)} of {PICKUPS} jobs were picked up")
    return statistics.median(waits), waits[int(len(waits) * 0.99)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=5000, help="jobs in a round of throughput")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--million", action="store_true", help="also claim with a million waiting")
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "renderowl.settings")
    os.environ.setdefault("DEBUG", "0")
    os.environ.setdefault("SECRET_KEY", secrets.token_hex(32))
    os.environ.setdefault("LOG_LEVEL", "WARNING")
    with own_database() as kind:
        import django
        from django.core.management import call_command

        import renderowl  # noqa: F401 - puts the newer SQLite in place

        django.setup()
        from jobs.registry import handler

        handler("bench.noop")(lambda context: None)
        call_command("migrate", verbosity=0, skip_checks=True)
        print(f"{kind}, {options.jobs} jobs a round, {os.cpu_count()} cores")
        ratios = []
        for number in range(options.rounds):
            enqueued, one = measure_throughput(1, options.jobs)
            _, two = measure_throughput(2, options.jobs)
            ratios.append(two / one)
            print(
                f"round {number + 1}: enqueue in bulk {enqueued:8,.0f}/s | 1 worker {one:8,.0f}/s | "
                f"2 workers {two:8,.0f}/s | ratio {two / one:.2f}"
            )
        print(f"2 workers / 1 worker, median: {statistics.median(ratios):.2f}")
        empty()
        base = None
        for waiting in (10_000, 100_000, *((1_000_000,) if options.million else ())):
            median_ms = measure_claims(waiting)
            base = base or median_ms
            print(f"claim with {waiting:>9,} waiting: {median_ms:.3f} ms | ratio to the first {median_ms / base:.2f}")
        p50, p99 = measure_pickup()
        print(f"idle pickup: p50 {p50:.1f} ms, p99 {p99:.1f} ms")


if __name__ == "__main__":
    main()
