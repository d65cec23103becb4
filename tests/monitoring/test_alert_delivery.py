"""Alert delivery: one signed webhook whose id survives retries, staff notifications and Slack messages."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from standardwebhooks import Webhook

from jobs.models import Job
from monitoring.alerting.evaluation import evaluate
from monitoring.alerting.metrics import AlertMetric, LabeledSample, alert_metrics
from monitoring.alerting.outbox import QUEUE, SEND_JOB, write_message
from monitoring.alerting.state_machine import MessageKind, MetricSample
from monitoring.checks import check_alert_webhook
from monitoring.models import Alert, AlertMessage, AlertNotification, AlertRule
from notifications.models import Notification
from outbound.signing import new_secret
from tests.factories import make_user
from tests.jobs.inline import run_pending
from tests.notifications.receiver import Receiver

pytestmark = pytest.mark.django_db
LONG_AGO = timezone.now() - timedelta(minutes=10)


@pytest.fixture
def receiver() -> Any:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def secret(settings: Any, receiver: Receiver) -> str:
    text = new_secret()
    settings.RENDEROWL_ALERT_WEBHOOK_URL = receiver.url()
    settings.RENDEROWL_ALERT_WEBHOOK_SECRET = text
    return text


@pytest.fixture
def fire() -> Any:
    """Return a function that fires alerts for the given parts, ten minutes ago, so that their delivery is due."""
    firing: list[str] = []

    def read(now: datetime, parameters: Any) -> list[LabeledSample]:
        return [LabeledSample(MetricSample(1.0), {"part": part}) for part in firing]

    def act(*parts: str, **rule: Any) -> None:
        firing[:] = parts
        columns = {"summary": "The dial is up", "metric": "dial", "fire_above": 0.5, "clear_below": 0.5}
        AlertRule.objects.create(**{"name": "Dial", "severity": "page", **columns, **rule})
        evaluate(now=LONG_AGO)

    with alert_metrics.override(AlertMetric("dial", "for tests", read)):
        yield act


def test_the_webhook_is_signed_and_contains_the_whole_group(fire: Any, receiver: Receiver, secret: str) -> None:
    fire("a", "b")
    run_pending(queues=[QUEUE])
    (request,) = receiver.received
    Webhook(secret).verify(request.body, request.headers)
    first = AlertMessage.objects.order_by("at", "id").first()
    assert first is not None
    assert request.id == f"{first.alert.fingerprint}-1"
    body = request.json
    assert body["type"] == "alert.firing"
    assert body["data"]["rule"] == "Dial"
    assert [(alert["labels"]["part"], alert["event"], alert["severity"]) for alert in body["data"]["alerts"]] == [
        ("a", "firing", "page"),
        ("b", "firing", "page"),
    ]
    assert Job.objects.get(type=SEND_JOB, payload__target="webhook").status == "succeeded"
    assert AlertNotification.objects.get().closed_at is not None


def test_retries_send_the_same_id_and_body(fire: Any, receiver: Receiver, secret: str, settings: Any) -> None:
    fire("a")
    receiver.answer = (503, {}, b"")
    run_pending(queues=[QUEUE])
    job = Job.objects.get(type=SEND_JOB, payload__target="webhook")
    assert (job.status, job.failures, job.error["code"]) == ("scheduled", 1, "http_503")
    Job.objects.filter(pk=job.pk).update(scheduled_at=LONG_AGO)
    # A later message must not change what was sent under this id.
    alert = Alert.objects.get()
    alert.number += 1
    write_message(alert=alert, rule=alert.rule, kind=MessageKind.REMINDER, now=LONG_AGO)
    receiver.answer = (204, {}, b"")
    run_pending(queues=[QUEUE])
    first, second, later = receiver.received
    assert (first.id, first.body) == (second.id, second.body)
    assert later.id == f"{alert.fingerprint}-2"
    assert AlertNotification.objects.count() == 2


def test_a_410_response_ends_the_retries(fire: Any, receiver: Receiver, secret: str) -> None:
    fire("a")
    receiver.answer = (410, {}, b"")
    run_pending(queues=[QUEUE])
    assert Job.objects.get(type=SEND_JOB, payload__target="webhook").status == "dead"


def test_only_active_staff_get_notifications(fire: Any) -> None:
    root = make_user("root", is_staff=True)
    make_user("gone", is_staff=True, is_active=False)
    make_user("alice")
    fire("a")
    run_pending(queues=[QUEUE])
    notification = Notification.objects.get()
    assert (notification.user, notification.title) == (root, "Alert: Dial: The dial is up")
    assert notification.body == "[page] Dial (part=a) firing, value 1"


def test_alerts_without_severity_go_to_the_webhook_only(
    fire: Any, receiver: Receiver, secret: str, settings: Any
) -> None:
    settings.RENDEROWL_ALERT_SLACK_URL = receiver.url("/chat")
    make_user("root", is_staff=True)
    fire("a", severity="none")
    run_pending(queues=[QUEUE])
    assert [request.path for request in receiver.received] == ["/hook"]
    assert not Notification.objects.exists()


def test_slack_gets_plain_text(fire: Any, receiver: Receiver, settings: Any) -> None:
    settings.RENDEROWL_ALERT_SLACK_URL = receiver.url("/chat")
    fire("a")
    run_pending(queues=[QUEUE])
    (request,) = receiver.received
    assert request.json == {"text": "Dial: The dial is up\n[page] Dial (part=a) firing, value 1"}


def test_a_large_group_is_truncated(fire: Any, receiver: Receiver, secret: str) -> None:
    fire(*(f"{number:03d}" for number in range(50)))
    run_pending(queues=[QUEUE])
    (request,) = receiver.received
    assert (len(request.json["data"]["alerts"]), request.json["data"]["more"]) == (20, 30)
    assert len(request.body) < 20_000


def test_jobs_of_a_removed_target_succeed_without_sending(
    fire: Any, receiver: Receiver, secret: str, settings: Any
) -> None:
    fire("a")
    settings.RENDEROWL_ALERT_WEBHOOK_URL = ""
    run_pending(queues=[QUEUE])
    assert set(Job.objects.filter(type=SEND_JOB).values_list("status", flat=True)) == {"succeeded"}
    assert receiver.received == []


def test_startup_check_refuses_an_invalid_secret(settings: Any) -> None:
    assert check_alert_webhook(None) == []
    settings.RENDEROWL_ALERT_WEBHOOK_URL = "https://alerts.example.com"
    settings.RENDEROWL_ALERT_WEBHOOK_SECRET = "short"
    assert [error.id for error in check_alert_webhook(None)] == ["renderowl.E021"]
    settings.RENDEROWL_ALERT_WEBHOOK_SECRET = new_secret()
    assert check_alert_webhook(None) == []
