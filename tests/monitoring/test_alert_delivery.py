"""What leaves: one signed message, under one id however often it is tried; notices to staff; a line for a chat."""

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
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def secret(settings: Any, receiver: Receiver) -> str:
    text = new_secret()
    settings.RENDEROWL_ALERT_WEBHOOK_URL = receiver.url()
    settings.RENDEROWL_ALERT_WEBHOOK_SECRET = text
    return text


@pytest.fixture
def fire() -> Any:
    """A function: alerts of these parts fire, ten minutes ago, so that what they say has left."""
    wanted: list[str] = []

    def read(now: datetime, parameters: Any) -> list[LabeledSample]:
        return [LabeledSample(MetricSample(1.0), {"part": part}) for part in wanted]

    def act(*parts: str, **rule: Any) -> None:
        wanted[:] = parts
        columns = {"summary": "The dial is up", "metric": "dial", "fire_above": 0.5, "clear_below": 0.5}
        AlertRule.objects.create(**{"name": "Dial", "severity": "page", **columns, **rule})
        evaluate(now=LONG_AGO)

    with alert_metrics.override(AlertMetric("dial", "for tests", read)):
        yield act


def test_a_signed_message_with_all_of_a_group(fire: Any, receiver: Receiver, secret: str) -> None:
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
    assert [(one["labels"]["part"], one["event"], one["severity"]) for one in body["data"]["alerts"]] == [
        ("a", "firing", "page"),
        ("b", "firing", "page"),
    ]
    assert Job.objects.get(type=SEND_JOB, payload__target="webhook").status == "succeeded"
    assert AlertNotification.objects.get().closed_at is not None


def test_what_fails_is_tried_again_under_its_id(fire: Any, receiver: Receiver, secret: str, settings: Any) -> None:
    fire("a")
    receiver.answer = (503, {}, b"")
    run_pending(queues=[QUEUE])
    job = Job.objects.get(type=SEND_JOB, payload__target="webhook")
    assert (job.status, job.failures, job.error["code"]) == ("scheduled", 1, "http_503")
    Job.objects.filter(pk=job.pk).update(scheduled_at=LONG_AGO)
    # What comes in later must not change what has been sent under this id.
    alert = Alert.objects.get()
    alert.number += 1
    write_message(alert=alert, rule=alert.rule, kind=MessageKind.REMINDER, now=LONG_AGO)
    receiver.answer = (204, {}, b"")
    run_pending(queues=[QUEUE])
    first, second, later = receiver.received
    assert (first.id, first.body) == (second.id, second.body)
    assert later.id == f"{alert.fingerprint}-2"
    assert AlertNotification.objects.count() == 2


def test_a_receiver_that_is_gone_is_not_asked_again(fire: Any, receiver: Receiver, secret: str) -> None:
    fire("a")
    receiver.answer = (410, {}, b"")
    run_pending(queues=[QUEUE])
    assert Job.objects.get(type=SEND_JOB, payload__target="webhook").status == "dead"


def test_only_staff_get_notifications(fire: Any) -> None:
    root = make_user("root", is_staff=True)
    make_user("gone", is_staff=True, is_active=False)
    make_user("alice")
    fire("a")
    run_pending(queues=[QUEUE])
    notification = Notification.objects.get()
    assert (notification.user, notification.title) == (root, "Alert: Dial: The dial is up")
    assert notification.body == "[page] Dial (part=a) firing, value 1"


def test_heartbeats_go_to_programs_only(fire: Any, receiver: Receiver, secret: str, settings: Any) -> None:
    settings.RENDEROWL_ALERT_SLACK_URL = receiver.url("/chat")
    make_user("root", is_staff=True)
    fire("a", severity="none")
    run_pending(queues=[QUEUE])
    assert [request.path for request in receiver.received] == ["/hook"]
    assert not Notification.objects.exists()


def test_a_chat_gets_a_text(fire: Any, receiver: Receiver, settings: Any) -> None:
    settings.RENDEROWL_ALERT_SLACK_URL = receiver.url("/chat")
    fire("a")
    run_pending(queues=[QUEUE])
    (request,) = receiver.received
    assert request.json == {"text": "Dial: The dial is up\n[page] Dial (part=a) firing, value 1"}


def test_a_large_group_is_cut(fire: Any, receiver: Receiver, secret: str) -> None:
    fire(*(f"{number:03d}" for number in range(50)))
    run_pending(queues=[QUEUE])
    (request,) = receiver.received
    assert (len(request.json["data"]["alerts"]), request.json["data"]["more"]) == (20, 30)
    assert len(request.body) < 20_000


def test_a_target_that_was_taken_away_ends_its_jobs(fire: Any, receiver: Receiver, secret: str, settings: Any) -> None:
    fire("a")
    settings.RENDEROWL_ALERT_WEBHOOK_URL = ""
    run_pending(queues=[QUEUE])
    assert set(Job.objects.filter(type=SEND_JOB).values_list("status", flat=True)) == {"succeeded"}
    assert receiver.received == []


def test_refuses_to_boot_where_nothing_could_be_signed(settings: Any) -> None:
    assert check_alert_webhook(None) == []
    settings.RENDEROWL_ALERT_WEBHOOK_URL = "https://alerts.example.com"
    settings.RENDEROWL_ALERT_WEBHOOK_SECRET = "short"
    assert [error.id for error in check_alert_webhook(None)] == ["renderowl.E021"]
    settings.RENDEROWL_ALERT_WEBHOOK_SECRET = new_secret()
    assert check_alert_webhook(None) == []
