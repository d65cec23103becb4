"""Endpoints of deliveries: list, detail, redeliver, replay, test event."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from jobs.models import Job
from notifications.models import DeliveryAttempt, WebhookDelivery
from notifications.services import deliveries
from notifications.services.deliveries import send_test
from tests.factories import make_delivery, make_endpoint
from tests.jobs.inline import run_pending

pytestmark = pytest.mark.django_db


@pytest.fixture
def endpoint(alice, receiver):
    return make_endpoint(alice, url=receiver.url(), events=["render.*"])


def path(row, rest=""):
    family = "deliveries" if isinstance(row, WebhookDelivery) else "webhooks"
    return f"/api/v2/{family}/{row.public_id}{rest}"


def test_sends_a_test_event_regardless_of_the_subscription(client_of_alice, endpoint, receiver):
    response = client_of_alice.post(path(endpoint, "/test"))
    row = WebhookDelivery.objects.get()
    assert (response.status_code, response["Location"]) == (202, path(row))
    assert (response.json()["type"], response.json()["status"], response.json()["attempts"]) == ("ping", "pending", [])
    run_pending()
    read = client_of_alice.get(path(row)).json()
    assert (read["status"], read["last_status_code"], read["url"]) == ("succeeded", 204, receiver.url())
    assert read["body"] == receiver.received[0].body.decode()
    assert read["id"] == receiver.received[0].id


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_lists_deliveries_with_their_attempts(client_of_alice, endpoint, receiver, version):
    receiver.answer = (500, {}, b"x" * 5000)
    send_test(endpoint=endpoint)
    run_pending()
    receiver.answer = (200, {}, b"fine")
    send_test(endpoint=endpoint)
    run_pending()
    make_delivery()
    body = client_of_alice.get(f"/api/{version}/webhooks/{endpoint.public_id}/deliveries").json()
    newest, failed = body["data"]
    assert (newest["status"], failed["status"]) == ("succeeded", "pending")
    (attempt,) = failed["attempts"]
    assert attempt["status_code"] == 500
    assert attempt["error"] == "http_500"
    assert attempt["response_body"] == "x" * 1024
    assert 0 <= attempt["duration_s"] < 10
    assert "body" not in newest
    for query, count in {"status=succeeded": 1, "type=ping": 2, "type=render.failed": 0, "resource=x": 0}.items():
        found = client_of_alice.get(f"/api/{version}/webhooks/{endpoint.public_id}/deliveries?{query}").json()["data"]
        assert len(found) == count, query
    assert client_of_alice.get(path(endpoint, "/deliveries?staus=failed")).status_code == 400


def test_the_number_of_queries_does_not_grow_with_the_rows(client_of_alice, endpoint, django_assert_max_num_queries):
    for number in range(12):
        row = make_delivery(endpoint)
        DeliveryAttempt.objects.create(delivery=row, number=number, duration_s=0.1)
    with django_assert_max_num_queries(6):
        assert len(client_of_alice.get(path(endpoint, "/deliveries")).json()["data"]) == 12


def test_redeliver_sends_again_with_the_same_id(client_of_alice, endpoint, receiver):
    delivery = send_test(endpoint=endpoint)
    run_pending()
    response = client_of_alice.post(path(delivery, "/redeliver"), headers={"Idempotency-Key": "again"})
    assert (response.status_code, response.json()["status"]) == (202, "pending")
    client_of_alice.post(path(delivery, "/redeliver"), headers={"Idempotency-Key": "again"})
    run_pending()
    assert receiver.ids() == [delivery.public_id] * 2
    row = WebhookDelivery.objects.get()
    assert (row.status, row.attempts) == ("succeeded", 2)
    assert list(row.history.values_list("number", flat=True)) == [1, 2]
    # The new job has all attempts left.
    assert Job.objects.latest("created_at").failures == 0


def test_redeliver_runs_a_scheduled_retry_now(client_of_alice, endpoint, receiver):
    receiver.answer = (500, {}, b"")
    delivery = send_test(endpoint=endpoint)
    run_pending()
    receiver.answer = (204, {}, b"")
    assert client_of_alice.post(path(delivery, "/redeliver")).status_code == 202
    assert run_pending() == 1
    assert WebhookDelivery.objects.get().status == "succeeded"
    assert Job.objects.count() == 1, "the existing job is used"


def test_replay_sends_the_failed_deliveries_of_a_time_range(client_of_alice, endpoint, receiver):
    now = timezone.now()
    rows = {}
    for name, status, hours in (
        ("old", "failed", 30),
        ("a", "failed", 20),
        ("ok", "succeeded", 10),
        ("b", "failed", 1),
    ):
        row = rows[name] = make_delivery(endpoint, status=status, body='{"x": 1}')
        WebhookDelivery.objects.filter(pk=row.pk).update(created_at=now - timedelta(hours=hours))
    others = make_delivery(status="failed")
    body = {"since": (now - timedelta(hours=24)).isoformat()}
    response = client_of_alice.post(path(endpoint, "/replay"), body)
    assert (response.status_code, response.json()["replayed"]) == (202, 2)
    run_pending()
    assert set(receiver.ids()) == {rows["a"].public_id, rows["b"].public_id}
    assert WebhookDelivery.objects.get(pk=others.pk).status == "failed"
    assert WebhookDelivery.objects.get(pk=rows["old"].pk).status == "failed"
    assert client_of_alice.post(path(endpoint, "/replay"), body).json()["replayed"] == 0
    assert client_of_alice.post(path(endpoint, "/replay"), {}).status_code == 422


def test_a_long_replay_continues_in_a_job(endpoint, receiver, monkeypatch):
    monkeypatch.setattr(deliveries, "REPLAY_BATCH", 2)
    ids = {make_delivery(endpoint, status="failed").public_id for _ in range(5)}
    since = timezone.now() - timedelta(hours=1)
    assert deliveries.replay_failed(endpoint=endpoint, since=since) == 5
    assert WebhookDelivery.objects.filter(status="pending").count() == 2
    run_pending()
    assert sorted(receiver.ids()) == sorted(ids)


def test_refuses_to_send_to_a_disabled_endpoint(client_of_alice, alice):
    endpoint = make_endpoint(alice, is_enabled=False, disabled_reason="failing")
    delivery = make_delivery(endpoint, status="failed")
    for target, body in (
        (path(endpoint, "/test"), None),
        (path(endpoint, "/replay"), {"since": "2026-01-01T00:00:00Z"}),
        (path(delivery, "/redeliver"), None),
    ):
        response = client_of_alice.post(target, body)
        assert (response.status_code, response.json()["code"]) == (409, "invalid_state")
    assert not Job.objects.exists()


def test_concurrent_redeliveries_create_one_job(endpoint):
    delivery = make_delivery(endpoint, status="failed")
    stale = WebhookDelivery.objects.select_related("endpoint").get()
    deliveries.redeliver(delivery=delivery)
    deliveries.redeliver(delivery=stale)
    assert Job.objects.count() == 1
