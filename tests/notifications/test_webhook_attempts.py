"""Delivery attempts: signatures, retries, and their effect on the health of the endpoint."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone
from standardwebhooks import Webhook, WebhookVerificationError

from core.retention import retentions
from jobs import services as jobs
from jobs import sql
from jobs.context import JobContext
from jobs.exceptions import LeaseLost
from jobs.models import Job, KeyLimit
from notifications.models import DeliveryAttempt, Notification, WebhookDelivery, WebhookEndpoint, WebhookEndpointHealth
from notifications.services import attempts, deliveries, endpoints
from notifications.services.deliveries import publish_event, send_test
from notifications.webhooks.sending import DeliveryResult
from outbound.signing import new_secret
from tests.factories import make_endpoint, make_user
from tests.jobs.inline import run_pending

pytestmark = pytest.mark.django_db


@pytest.fixture
def endpoint(alice, receiver):
    return make_endpoint(alice, url=receiver.url())


def reload(row):
    return type(row).objects.get(pk=row.pk)


def make_due(delivery):
    """Make the next attempt due now."""
    assert jobs.run_now(job_id=reload(delivery).job_id)


def test_the_reference_library_verifies_the_signature(alice, receiver):
    made = endpoints.create_endpoint(owner=alice, url=receiver.url(), events=["ping"])
    delivery = send_test(endpoint=made.endpoint)
    assert run_pending() == 1
    (request,) = receiver.received
    assert Webhook(made.secret).verify(request.body, request.headers)["type"] == "ping"
    assert request.id == delivery.public_id
    assert request.headers["content-type"] == "application/json"
    assert request.json["data"]["id"] == made.endpoint.public_id
    row = reload(delivery)
    assert (row.status, row.attempts, row.last_status_code, row.next_attempt_at) == ("succeeded", 1, 204, None)
    attempt = DeliveryAttempt.objects.get()
    assert (attempt.number, attempt.status_code, attempt.error) == (1, 204, "")
    assert Job.objects.get().status == "succeeded"
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(request.body, request.headers)


def test_both_secrets_sign_for_a_day_after_a_rotation(alice, receiver):
    made = endpoints.create_endpoint(owner=alice, url=receiver.url(), events=["ping"])
    rotated = endpoints.rotate_secret(endpoint=made.endpoint)
    send_test(endpoint=rotated.endpoint)
    run_pending()
    (request,) = receiver.received
    assert len(request.headers["webhook-signature"].split(" ")) == 2
    for secret in (made.secret, rotated.secret):
        Webhook(secret).verify(request.body, request.headers)
    WebhookEndpoint.objects.update(previous_secret_until=timezone.now())
    send_test(endpoint=rotated.endpoint)
    run_pending()
    late = receiver.received[1]
    Webhook(rotated.secret).verify(late.body, late.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(made.secret).verify(late.body, late.headers)
    assert endpoints.clear_expired_secrets() == 1
    assert reload(made.endpoint).previous_secret == ""


def test_secrets_are_not_stored_in_plain_text(alice):
    made = endpoints.create_endpoint(owner=alice, url="https://receiver.test/", events=["*"])
    assert made.secret.removeprefix("whsec_") not in json.dumps(list(WebhookEndpoint.objects.values()), default=str)


def test_failures_are_retried_on_schedule_with_the_same_id_until_the_last_attempt(endpoint, receiver, settings):
    receiver.answer = (500, {}, b"no")
    delivery = send_test(endpoint=endpoint)
    for number, wait_s in enumerate(settings.RENDEROWL_WEBHOOK_RETRY_S, start=1):
        before = timezone.now()
        assert run_pending() == 1
        row, job = reload(delivery), Job.objects.get()
        assert (row.status, row.attempts, job.status, job.failures) == ("pending", number, "scheduled", number)
        for due in (row.next_attempt_at, job.scheduled_at):
            assert 0.9 * wait_s - 1 <= (due - before).total_seconds() <= 1.1 * wait_s + 1
        make_due(delivery)
    assert run_pending() == 1
    row = reload(delivery)
    assert (row.status, row.attempts, row.last_error, row.next_attempt_at) == ("failed", 10, "http_500", None)
    assert Job.objects.get().status == "dead"
    assert receiver.ids() == [delivery.public_id] * 10
    assert list(row.history.values_list("number", "status_code", "response_body")) == [
        (number, 500, "no") for number in range(1, 11)
    ]
    assert {request.body for request in receiver.received} == {delivery.body.encode()}


def test_retry_after_delays_the_next_attempt_by_up_to_a_day(endpoint, receiver):
    for asked, least in (("900", 900), ("9999999", 24 * 3600)):
        receiver.answer = (503, {"Retry-After": asked}, b"")
        before = timezone.now()
        delivery = send_test(endpoint=endpoint)
        run_pending()
        wait_s = (reload(delivery).next_attempt_at - before).total_seconds()
        assert least <= wait_s < least + 5


def test_redirects_are_not_followed(endpoint, receiver):
    receiver.answer = (302, {"Location": receiver.url("/elsewhere")}, b"")
    delivery = send_test(endpoint=endpoint)
    run_pending()
    assert [request.path for request in receiver.received] == ["/hook"]
    assert reload(delivery).last_error == "http_302"


def test_gone_disables_at_once_and_notifies_the_owner_and_the_other_endpoints(alice, endpoint, receiver):
    other = make_endpoint(alice, url=receiver.url("/other"), events=["webhook.*"])
    receiver.answer = lambda request: (410 if request.path == "/hook" else 204, {}, b"")
    delivery, waiting = send_test(endpoint=endpoint), send_test(endpoint=endpoint)
    run_pending()
    row = reload(endpoint)
    assert (row.is_enabled, row.disabled_reason, row.disabled_at is not None) == (False, "gone", True)
    assert reload(delivery).status == "failed"
    # A pending delivery is not sent; it fails, so that a replay can send it again.
    assert (reload(waiting).status, reload(waiting).last_error) == ("failed", "endpoint_disabled")
    assert [request.path for request in receiver.received] == ["/hook", "/other"]
    assert receiver.received[1].json["type"] == "webhook.disabled"
    assert receiver.received[1].json["data"]["reason"] == "gone"
    notification = Notification.objects.get()
    assert (notification.user_id, notification.kind, notification.resource) == (
        alice.pk,
        "webhook.disabled",
        endpoint.public_id,
    )
    assert reload(other).is_enabled


@pytest.mark.parametrize(("status", "limit"), [(429, 2), (502, 2), (504, 2), (500, 4)])
def test_an_overloaded_receiver_halves_the_limit(endpoint, receiver, status, limit):
    receiver.answer = (status, {}, b"")
    send_test(endpoint=endpoint)
    run_pending()
    assert WebhookEndpointHealth.objects.get().limit_running == limit
    assert list(KeyLimit.objects.values_list("limit_key", "limit_running")) == (
        [(endpoint.limit_key, 2)] if limit == 2 else []
    )


def test_the_limit_falls_to_one_and_recovers_by_one_per_success(endpoint, receiver):
    def attempt(status):
        WebhookEndpointHealth.objects.update(limit_changed_at=timezone.now() - timedelta(seconds=11))
        receiver.answer = (status, {}, b"")
        send_test(endpoint=endpoint)
        run_pending()
        return WebhookEndpointHealth.objects.get().limit_running

    assert [attempt(429) for _ in range(3)] == [2, 1, 1]
    assert [attempt(204) for _ in range(4)] == [2, 3, 4, 4]
    assert not KeyLimit.objects.exists()
    # At most one change in ten seconds: several failures in flight count as one.
    receiver.answer = (429, {}, b"")
    WebhookEndpointHealth.objects.update(limit_changed_at=None)
    for _ in range(3):
        send_test(endpoint=endpoint)
    run_pending()
    assert WebhookEndpointHealth.objects.get().limit_running == 2


def test_at_most_four_deliveries_of_an_endpoint_run_at_a_time(endpoint):
    for _ in range(7):
        send_test(endpoint=endpoint)
    other = send_test(endpoint=make_endpoint(events=["*"]))
    claimed = [sql.claim(queue="webhooks", worker="w", lease_s=30) for _ in range(6)]
    references = [job.reference for job in claimed if job]
    assert len(references) == 5
    assert other.reference in references


def test_days_without_a_success_disable_an_endpoint(endpoint, receiver):
    receiver.answer = (500, {}, b"")
    now = timezone.now()

    def fail(*, failing_for, last_before):
        WebhookEndpointHealth.objects.update(failing_since=now - failing_for, last_attempt_at=now - last_before)
        send_test(endpoint=endpoint)
        run_pending()
        return not reload(endpoint).is_enabled

    assert not fail(failing_for=timedelta(days=4, hours=23), last_before=timedelta(hours=20))
    # Nothing was due for longer than any retry delay, so this failure counts as the first.
    assert not fail(failing_for=timedelta(days=9), last_before=timedelta(days=3))
    assert WebhookEndpointHealth.objects.get().failing_since > now
    assert fail(failing_for=timedelta(days=5), last_before=timedelta(hours=20))
    assert reload(endpoint).disabled_reason == "failing"
    assert Notification.objects.get().kind == "webhook.disabled"


def test_a_success_resets_the_failures(endpoint, receiver):
    WebhookEndpointHealth.objects.update(failing_since=timezone.now() - timedelta(days=4))
    version = endpoint.row_version
    send_test(endpoint=endpoint)
    run_pending()
    assert WebhookEndpointHealth.objects.get().failing_since is None
    assert reload(endpoint).row_version == version, "a delivery must not change the ETag"


def test_enabling_resets_the_health(endpoint):
    past = timezone.now() - timedelta(days=6)
    WebhookEndpointHealth.objects.update(failing_since=past, limit_running=1, is_slow=True)
    assert endpoints.disable_endpoint(endpoint=endpoint, reason="owner")
    assert not endpoints.disable_endpoint(endpoint=endpoint, reason="staff")
    assert endpoints.enable_endpoint(endpoint=endpoint)
    health = WebhookEndpointHealth.objects.get()
    assert (health.failing_since, health.limit_running, health.is_slow) == (None, 4, False)
    row = reload(endpoint)
    assert (row.is_enabled, row.disabled_at, row.disabled_reason) == (True, None, "")
    assert not Notification.objects.exists(), "the owner disabled it"


def run_one(result):
    """Run the next delivery with a given result."""
    job = sql.claim(queue="webhooks", worker="w", lease_s=30) or sql.claim(
        queue="webhooks-slow", worker="w", lease_s=30
    )
    context = JobContext(job)
    attempts.record_result(context=context, attempt=attempts.prepare_attempt(context), result=result)
    return job


def test_a_slow_receiver_uses_the_slow_queue_until_it_is_fast(endpoint):
    for _ in range(6):
        send_test(endpoint=endpoint)
    first = run_one(DeliveryResult(14.9, None, "timeout", "Too late."))
    assert WebhookEndpointHealth.objects.get().is_slow
    assert set(Job.objects.values_list("queue", flat=True)) == {"webhooks-slow"}
    assert Job.objects.get(pk=first.id).status == "scheduled"
    send_test(endpoint=reload(endpoint))
    assert Job.objects.latest("created_at").queue == "webhooks-slow"
    run_one(DeliveryResult(0.05, 204))
    assert not WebhookEndpointHealth.objects.get().is_slow
    waiting = Job.objects.exclude(status__in=["scheduled", "succeeded"])
    assert set(waiting.values_list("queue", flat=True)) == {"webhooks"}


def test_an_attempt_that_lost_its_lease_writes_nothing(endpoint):
    delivery = send_test(endpoint=endpoint)
    job = sql.claim(queue="webhooks", worker="w", lease_s=30)
    context = JobContext(job)
    attempt = attempts.prepare_attempt(context)
    Job.objects.update(attempts=2)
    for result in (DeliveryResult(0.1, 204), DeliveryResult(0.1, 500, "http_500")):
        with pytest.raises(LeaseLost):
            attempts.record_result(context=context, attempt=attempt, result=result)
    row = reload(delivery)
    assert (row.status, row.attempts, DeliveryAttempt.objects.count()) == ("pending", 0, 0)


def test_deleted_and_cancelled_deliveries_are_not_sent(alice, receiver, endpoint):
    gone = send_test(endpoint=endpoint)
    endpoints.delete_endpoint(endpoint=endpoint)
    other = make_endpoint(alice, url=receiver.url())
    cancelled = send_test(endpoint=other)
    jobs.cancel_job(job_id=cancelled.job_id)
    run_pending()
    assert receiver.received == []
    assert (reload(cancelled).status, reload(cancelled).last_error) == ("failed", "cancelled")
    assert Job.objects.get(pk=gone.job_id).status == "succeeded"
    assert deliveries.purge_deleted_endpoints() > 0
    assert not WebhookEndpoint.objects.filter(pk=endpoint.pk).exists()
    assert not WebhookDelivery.objects.filter(pk=gone.pk).exists()


def test_an_undecryptable_secret_fails_the_delivery_without_retries(endpoint, receiver, settings):
    delivery = send_test(endpoint=endpoint)
    old = settings.SECRET_KEY
    settings.SECRET_KEY = "another" * 9
    run_pending()
    assert (reload(delivery).status, reload(delivery).last_error) == ("failed", "secret_unreadable")
    settings.SECRET_KEY_FALLBACKS = [old]
    deliveries.redeliver(delivery=reload(delivery))
    run_pending()
    assert reload(delivery).status == "succeeded"


def test_deliveries_are_rolled_back_with_their_transaction(endpoint, alice):
    with transaction.atomic():
        assert publish_event(owner_id=alice.pk, event="credits.low", resource="usr_x", describe=dict) == 1
        transaction.set_rollback(True)
    assert not WebhookDelivery.objects.exists()
    assert not Job.objects.exists()


def test_the_sequence_of_a_resource_increases_even_if_the_clock_goes_back(alice, endpoint, monkeypatch):
    now = timezone.now()
    for shift in (0, -5, -3600):
        moment = now + timedelta(seconds=shift)
        monkeypatch.setattr(deliveries.timezone, "now", lambda moment=moment: moment)
        publish_event(owner_id=alice.pk, event="credits.low", resource="usr_x", describe=dict)
    sequences = [json.loads(row.body)["data"]["sequence"] for row in WebhookDelivery.objects.order_by("id")]
    assert len(sequences) == 3
    assert sequences == sorted(set(sequences))


def test_retention_deletes_old_deliveries_with_attempts_except_pending_ones(endpoint, receiver):
    done, pending = send_test(endpoint=endpoint), None
    run_pending()
    pending = send_test(endpoint=endpoint)
    WebhookDelivery.objects.update(created_at=timezone.now() - timedelta(days=31))
    assert retentions["webhook deliveries"].delete_batch(timezone.now(), keep=timedelta(days=30)) == 1
    assert list(WebhookDelivery.objects.values_list("pk", flat=True)) == [pending.pk]
    assert not DeliveryAttempt.objects.filter(delivery_id=done.pk).exists()


def test_another_account_without_endpoints_gets_no_deliveries(endpoint):
    assert publish_event(owner_id=make_user().pk, event="ping", resource="x", describe=dict) == 0
