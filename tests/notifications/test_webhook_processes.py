"""Deliveries by a real worker: an outage, a killed slot, and a receiver that hangs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from datetime import datetime

import pytest
from standardwebhooks import Webhook

from tests.commands import ROOT
from tests.jobs.harness import WorkerHarness, wait_until
from tests.notifications.receiver import Receiver

pytestmark = pytest.mark.acceptance


@pytest.fixture
def receivers():
    """Two receivers, the fast one and the slow one."""
    both = Receiver(), Receiver()
    yield both
    for receiver in both:
        receiver.close()


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    harness = WorkerHarness(tmp_path_factory.mktemp("template"))
    yield harness
    harness.close()


@pytest.fixture
def harness(template, tmp_path, receivers):
    retries = ",".join(["0.3"] * 60)
    variables = {"WEBHOOK_ALLOW_HOSTS": "127.0.0.1", "WEBHOOK_RETRY_S": retries, "JOBS_LEASE_S": "600"}
    made = WorkerHarness(tmp_path, template=template, LOG_LEVEL="ERROR", **variables)
    yield made
    made.close()


def call(harness, *arguments):
    command = [sys.executable, "-m", "tests.notifications.webhook_commands", *map(str, arguments)]
    done = subprocess.run(
        command, check=False, cwd=ROOT, env=harness._environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def delivered(harness, resource):
    """Return the number of deliveries of a resource by status."""
    table = "notifications_webhookdelivery"
    return dict(harness.query(f"SELECT status, count(*) FROM {table} WHERE resource = '{resource}' GROUP BY status"))


def test_every_event_arrives_with_one_id_despite_an_outage_and_a_kill(harness, receivers):
    receiver, _ = receivers
    (secret,) = call(harness, "add_endpoints", "alice", receiver.url(), 1)
    call(harness, "fire", "alice", 12)
    receiver.answer = (503, {}, b"down")
    worker = harness.start("work", "--queues", "webhooks,webhooks-slow")
    wait_until(lambda: len(set(receiver.ids())) == 12)
    # Up again, but holding requests: the slot is killed with deliveries received and not recorded.
    held, release = threading.Event(), threading.Event()

    def hold(request):
        held.set()
        release.wait(30)
        return 204, {}, b""

    receiver.answer = hold
    assert held.wait(30)
    (slot,) = harness.children(worker.pid)
    os.kill(slot, signal.SIGKILL)
    before = len(receiver.received)
    receiver.answer = (204, {}, b"")
    release.set()
    wait_until(lambda: delivered(harness, "usr_alice") == {"succeeded": 12})
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(30) == 0
    ids = Counter(receiver.ids())
    assert len(ids) == 12, "each event keeps its id at every attempt"
    assert len({request.id for request in receiver.received[before:]}) == 12
    bodies = {}
    for request in receiver.received:
        Webhook(secret).verify(request.body, request.headers)
        assert bodies.setdefault(request.id, request.body) == request.body
    numbers = sorted(one.json["data"]["n"] for one in {request.id: request for request in receiver.received}.values())
    assert numbers == list(range(12))
    assert harness.value("SELECT max(lost) FROM jobs_job WHERE type = 'notifications.deliver'") >= 1


def test_a_hanging_receiver_delays_others_by_less_than_a_second(harness, receivers):
    quick, slow = receivers
    release = threading.Event()

    def hang(request):
        release.wait(60)
        return 204, {}, b""

    slow.answer = hang
    call(harness, "add_endpoints", "noisy", slow.url(), 5)
    call(harness, "add_endpoints", "quiet", quick.url(), 1)
    worker = harness.start("work", "--queues", "webhooks,webhooks-slow")
    # A worker that has just started is slow.
    call(harness, "fire", "quiet", 1)
    wait_until(lambda: quick.received)
    quick.received.clear()
    call(harness, "neighbours", "noisy", "quiet", 8, 8)
    wait_until(lambda: len(quick.received) == 8)
    assert 12 <= len(slow.received) <= 20, "four at a time for each of five endpoints"
    waits = [request.wall - datetime.fromisoformat(request.json["timestamp"]).timestamp() for request in quick.received]
    release.set()
    assert max(waits) < 1.0, waits
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(40) == 0
