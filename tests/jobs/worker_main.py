"""A worker program for tests, with handlers whose effects a test can observe from outside.

    python -m tests.jobs.worker_main enqueue TYPE COUNT PAYLOAD [OPTIONS] | cancel ID | claim | work [options] |
       autoscale [options]

`effects` is a table without constraints, so that a job that runs twice has two rows.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid

import django
from django.core.management import call_command
from django.db import connection, transaction

import renderowl  # noqa: F401 - installs the newer SQLite


def note(job, word):
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO effects VALUES (%s, %s, %s)", [str(job.id), job.attempt, word])


def effect(context):
    """Sleep briefly, then write one row and complete in the same transaction."""
    time.sleep(context.job.payload.get("s", 0.01))
    with transaction.atomic():
        note(context.job, "done")
        context.complete()


def patient(context):
    """Run long, but call `check`."""
    note(context.job, "began")
    end = time.monotonic() + context.job.payload["s"]
    while time.monotonic() < end:
        context.check()
        time.sleep(0.02)
    note(context.job, "done")


def stuck(context):
    """Start a child and hang without calling `check`."""
    subprocess.Popen(["sleep", "600"])
    note(context.job, "began")
    time.sleep(600)


def crash_once(context):
    """Kill the slot in the first attempt."""
    note(context.job, "began")
    if context.job.attempt == 1:
        os.kill(os.getpid(), signal.SIGKILL)


def pause(payload):
    """Sleep, like a request to a slow server."""
    time.sleep(payload["s"])
    return payload


def load_payload(context):
    note(context.job, "began")
    return context.job.payload


def settle_effect(context, payload):
    with transaction.atomic():
        note(context.job, "done")
        context.complete()


def claim_all():
    from jobs import sql

    name = f"claimer:{os.getpid()}"
    while (job := sql.claim(queue="default", worker=name, lease_s=600)) is not None:
        note(job, name)


def main():
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "renderowl.settings")
    django.setup()
    from jobs import services
    from jobs.registry import IoSteps, handler, io_handler

    for run in (effect, patient, stuck, crash_once):
        handler(f"test.{run.__name__}", cron="0 0 1 1 *" if run is effect else "", schedule="test.yearly")(run)
    steps = IoSteps(load=load_payload, perform=pause, record=settle_effect)
    io_handler("test.io", steps, queue="io", more_queues=("io-slow",))
    command, *rest = sys.argv[1:]
    if command == "enqueue":
        options = json.loads(rest[3]) if len(rest) > 3 else {}
        new = services.NewJob(type=rest[0], payload=json.loads(rest[2]), **options)
        for job in services.enqueue_many(jobs=[new] * int(rest[1])):
            print(job.pk)
    elif command == "cancel":
        services.cancel_job(job_id=uuid.UUID(rest[0]))
    elif command == "claim":
        claim_all()
    elif command == "work":
        call_command("run_worker", *rest, skip_checks=True)
    elif command == "autoscale":
        from jobs.autoscaling import fleet

        fleet.PROGRAM[:] = [sys.executable, "-m", "tests.jobs.worker_main", "work"]
        call_command("autoscale_workers", *rest, skip_checks=True)


if __name__ == "__main__":
    main()
