"""Alerts from a real worker to a real receiver, across a kill of the evaluating worker."""

from __future__ import annotations

import os
import signal
import time
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from outbound.signing import new_secret
from tests.jobs.harness import WorkerHarness, wait_until
from tests.notifications.receiver import Receiver

pytestmark = pytest.mark.acceptance


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()


def test_fires_and_resolves_once_despite_a_killed_worker(tmp_path, receiver):
    secret = new_secret()
    options = {"ALERT_EVALUATE_S": "1", "ALERT_GROUP_S": "1", "LOG_LEVEL": "ERROR"}
    target = {"ALERT_WEBHOOK_URL": receiver.url(), "ALERT_WEBHOOK_SECRET": secret}
    harness = WorkerHarness(tmp_path, **options, **target)
    try:
        _fire_and_resolve(harness, receiver, secret)
    finally:
        harness.close()


def _fire_and_resolve(harness, receiver, secret):
    def received(rule="JobsDied"):
        return [request for request in receiver.received if request.json["data"]["rule"] == rule]

    worker = harness.start("work", "--queues", "default,alerts", "--concurrency", "1")
    wait_until(lambda: received("Watchdog"))
    harness.change("UPDATE monitoring_alertrule SET for_s = 4, keep_firing_for_s = 2 WHERE name = 'JobsDied'")
    harness.enqueue("test.effect", payload={}, queue="nowhere")
    now = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f}" + ("+00:00" if harness.is_postgres else "")
    set_status = f"UPDATE jobs_job SET status = '{{}}', finished_at = '{now}' WHERE queue = 'nowhere'"
    harness.change(set_status.format("dead"))
    condition = "alert.rule_id IN (SELECT id FROM monitoring_alertrule WHERE name = 'JobsDied')"
    state = f"SELECT alert.state FROM monitoring_alert alert WHERE {condition}"
    wait_until(lambda: harness.query(state) == [("pending",)])
    began = time.monotonic()
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait(10)
    worker = harness.start("work", "--queues", "default,alerts", "--concurrency", "1")
    wait_until(received)
    # Pending since before the kill, without a restart; the lease of the killed worker expires after 2 s.
    assert time.monotonic() - began < 4 + 3 + 15
    pending, firing = harness.query(
        f"SELECT pending_since, firing_since FROM monitoring_alert alert WHERE {condition}"
    )[0]
    if not harness.is_postgres:
        pending, firing = datetime.fromisoformat(pending), datetime.fromisoformat(firing)
    assert 4 <= (firing - pending).total_seconds() < 4 + 3 + 12
    harness.change(set_status.format("cancelled"))
    wait_until(lambda: len(received()) == 2)
    wait_until(lambda: harness.query(state) == [("inactive",)])
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(30) == 0
    first, second = received()
    assert [first.json["type"], second.json["type"]] == ["alert.firing", "alert.resolved"]
    for request in (first, second):
        Webhook(secret).verify(request.body, request.headers)
    assert first.id != second.id
    rows = "SELECT m.kind FROM monitoring_alertmessage m JOIN monitoring_alert alert ON alert.id = m.alert_id"
    assert harness.query(f"{rows} WHERE {condition} ORDER BY m.number") == [("firing",), ("resolved",)]
