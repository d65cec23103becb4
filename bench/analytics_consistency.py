"""Check that stats equal the events: writers and counting processes run at once, some of the latter are killed.

    python bench/analytics_consistency.py [--events 100000] [--kills 20] [--database sqlite|postgres|both]

Writers commit events in random portions, some of them late: rows with earlier times and ids appear after later ones
were counted. Counting processes are killed with SIGKILL at random moments and restarted. At the end every figure is
compared with a count of the events one by one, and with a rebuild. Prints a verdict for each database; the exit status
is 1 unless all hold. PostgreSQL is the server that DATABASE_URL names, in a database of its own, dropped afterwards.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

ROOT = Path(__file__).resolve().parent.parent
WRITERS = 3
COUNTERS = 2
POSTGRES = "postgres://postgres@127.0.0.1:5432/postgres"


def main() -> int:
    """Run the check on each database."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--database", choices=["sqlite", "postgres", "both", "this"], default="both")
    options = parser.parse_args()
    if options.database == "this":
        return prove(options.events, options.kills)
    names = ["sqlite", "postgres"] if options.database == "both" else [options.database]
    return max([run_on(name, options.events, options.kills) for name in names])


def run_on(name: str, events: int, kills: int) -> int:
    """Run the check in a process and a database of its own."""
    with tempfile.TemporaryDirectory(prefix="renderowl-truth-") as folder:
        url = f"sqlite:///{folder}/truth.sqlite3"
        database = f"truth_{uuid.uuid4().hex[:8]}"
        server = os.environ.get("DATABASE_URL", POSTGRES)
        if name == "postgres":
            _on_server(server, f"CREATE DATABASE {database}")
            url = urlunsplit(urlsplit(server)._replace(path=f"/{database}"))  # noqa: SLF001 - documented
        try:
            environment = {**os.environ, "DATABASE_URL": url, "DATA_DIR": folder, "PYTHONPATH": str(ROOT)}
            command = [sys.executable, __file__, "--database=this", f"--events={events}", f"--kills={kills}"]
            return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
        finally:
            if name == "postgres":
                _on_server(server, f"DROP DATABASE {database} WITH (FORCE)")


def _on_server(server: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement)


def prove(events: int, kills: int) -> int:
    """Run the check in the configured database."""
    _set_up()
    from django.core.management import call_command
    from django.db import connection, connections

    call_command("migrate", verbosity=0, skip_checks=True)
    users, projects = _accounts()
    connections.close_all()
    fork = multiprocessing.get_context("fork")
    began = time.perf_counter()
    writers = [fork.Process(target=write, args=(n, events // WRITERS, users, projects)) for n in range(WRITERS)]
    counters = [fork.Process(target=count_on) for _ in range(COUNTERS)]
    for process in (*writers, *counters):
        process.start()
    rng = random.Random(1)
    killed = 0
    while any(writer.is_alive() for writer in writers) or killed < kills:
        # Short, so that all kills happen while events are written.
        time.sleep(rng.uniform(0.02, max(0.04, events / 100_000)))
        if killed < kills:
            victim = rng.randrange(COUNTERS)
            pid = counters[victim].pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            counters[victim].join()
            counters[victim] = fork.Process(target=count_on)
            counters[victim].start()
            killed += 1
    for writer in writers:
        writer.join()
    for counter in counters:
        counter.terminate()
        counter.join()
    took = time.perf_counter() - began
    return _judge(connection.vendor, killed, took, [writer.exitcode for writer in writers])


def write(number: int, events: int, users: list[Any], projects: list[Any]) -> None:
    """Write events in portions, each in a transaction, some of which commit late."""
    from django.db import OperationalError

    from tests.analytics.helpers import random_event

    rng = random.Random(number)
    left = events
    while left > 0:
        portion = [random_event(rng, users, projects) for _ in range(min(left, rng.choice([1, 1, 2, 5, 50])))]
        is_late = rng.random() < 0.05
        while True:
            try:
                _write_portion(portion, is_late)
                break
            except OperationalError:
                # SQLite's busy timeout ran out, as it may under load: nothing was written.
                time.sleep(rng.uniform(0.01, 0.1))
        left -= len(portion)


def _write_portion(portion: list[Any], is_late: bool) -> None:
    from django.db import connection, transaction

    from analytics.models import AnalyticsEvent

    with transaction.atomic():
        AnalyticsEvent.objects.bulk_create(portion)
        if is_late and connection.vendor == "postgresql":
            # Other transactions commit meanwhile; on SQLite they would wait.
            time.sleep(0.03)


def count_on() -> None:
    """Count until killed."""
    from django.db import OperationalError

    from analytics.services import aggregate_events

    while True:
        try:
            if not aggregate_events(limit=500):
                time.sleep(0.01)
        except OperationalError:
            # SQLite's busy timeout ran out; a worker would run the job again.
            time.sleep(0.01)


def _judge(vendor: str, killed: int, took: float, exits: list[int | None]) -> int:
    from analytics.models import AnalyticsEvent
    from analytics.services import aggregate_events, rebuild_range
    from tests.analytics.helpers import recount, recount_of_rollups, rollups, stats
    from tests.analytics.monthly_helpers import months, recount_of_months

    waiting = AnalyticsEvent.objects.uncounted().count()
    while aggregate_events():
        pass
    truth = {step: recount(step) for step in ("hour", "day")}
    summed = {step: recount_of_rollups(step) for step in truth}
    of_months = recount_of_months()

    def compared() -> dict[str, bool]:
        same = {step: stats(step) == truth[step] and rollups(step) == summed[step] for step in truth}
        return {**same, "month": months() == of_months}

    counted = compared()
    rebuilt = sum(events for _, events in rebuild_range())
    again = compared()
    total = AnalyticsEvent.objects.count()
    good = all(counted.values()) and all(again.values()) and rebuilt == total and not any(exits)
    print(
        f"{vendor}: {total} events by {WRITERS} writers in {took:.1f} s, {killed} counting processes killed, "
        f"{waiting} events left for the last count; {len(truth['hour'])} hourly and {len(truth['day'])} daily stats, "
        f"their rollups and the months equal the recount: {counted}; after a rebuild: {again}; "
        f"{'HOLDS' if good else 'BROKEN'}"
    )
    return 0 if good else 1


def _accounts() -> tuple[list[Any], list[Any]]:
    from analytics.models import AnalyticsEvent
    from core.ids import uuid7
    from tests.factories import make_user

    users = [make_user().pk for _ in range(5)]
    AnalyticsEvent.objects.all()._raw_delete("default")  # noqa: SLF001
    return users, [uuid7() for _ in range(3)]


def _set_up() -> None:
    # Not this script's own folder, where `analytics` is another script and not the app.
    sys.path[0] = str(ROOT)
    from core.sqlite import install_newer_sqlite

    install_newer_sqlite()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "renderowl.settings")
    import django

    django.setup()


if __name__ == "__main__":
    sys.exit(main())
