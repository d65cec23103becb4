"""POST /webhooks/automations/{id}: signed messages, and the order of checks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from standardwebhooks import Webhook

from automations import services
from automations.models import Automation, AutomationRun
from automations.webhook_secrets import formatted_secret
from core.ids import encode_id, uuid7
from notifications.models import Notification
from tests.factories import make_automation, make_user
from tests.jobs.inline import run_pending

pytestmark = pytest.mark.django_db
HOOK = {"type": "webhook"}


@pytest.fixture
def automation():
    action = {"type": "notify", "title": "Order {{ event.data.order }}"}
    return make_automation(make_user("alice"), trigger=HOOK, action=action)


def sign(secret: str, message_id: str, at: int, body: bytes) -> str:
    """Sign as in the specification, without our own code."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = hmac.new(key, f"{message_id}.{at}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(mac).decode()


def send(row, body=b'{"order": 7}', *, secret=None, message_id="msg_1", at=None, path=None, **headers):
    at = int(time.time()) if at is None else at
    signature = sign(secret or formatted_secret(row), message_id, at, body)
    signed = {"webhook-id": message_id, "webhook-timestamp": str(at), "webhook-signature": signature, **headers}
    signed = {name: value for name, value in signed.items() if value is not None}
    path = path or f"/webhooks/automations/{row.public_id}"
    return Client(raise_request_exception=False).post(path, body, content_type="application/json", headers=signed)


def outcome(answer) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


def test_a_signed_message_starts_one_run(automation) -> None:
    first, again = send(automation), send(automation)
    run = AutomationRun.objects.get()
    assert (first.status_code, first.json()) == (
        202,
        {"object": "automation_hook", "run": run.public_id, "duplicate": False},
    )
    assert (again.status_code, again.json()) == (
        200,
        {"object": "automation_hook", "run": run.public_id, "duplicate": True},
    )
    assert (run.trigger_type, run.trigger_key, run.input["data"]) == ("webhook", "webhook:msg_1", {"order": 7})
    run_pending(queues=["default"])
    assert Notification.objects.get().title == "Order 7"
    assert outcome(send(automation, b'{"order": 8}')) == (409, "invalid_state")
    assert send(automation, message_id="msg_2").status_code == 202
    assert AutomationRun.objects.count() == 2


def test_accepts_signatures_of_the_reference_library(automation) -> None:
    body, now = json.dumps({"order": 7}), timezone.now()
    signature = Webhook(formatted_secret(automation)).sign("msg_ref", now, body)
    headers = {"webhook-id": "msg_ref", "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature}
    path = f"/webhooks/automations/{automation.public_id}"
    assert Client().post(path, body, content_type="application/json", headers=headers).status_code == 202


def test_all_invalid_signatures_get_the_same_answer(automation) -> None:
    other = make_automation(trigger=HOOK)
    manual = make_automation(automation.owner)
    bad = make_user("bad", is_suspended=True)
    now = int(time.time())
    answers = [
        send(automation, secret=formatted_secret(other)),
        send(automation, at=now - 302),
        send(automation, at=now + 302),
        send(automation, **{"webhook-id": None}),
        send(automation, **{"webhook-timestamp": None}),
        send(automation, **{"webhook-signature": None}),
        send(automation, **{"webhook-signature": "v1,AAAA"}),
        send(automation, **{"webhook-id": "msg_other"}),
        send(automation, b"not json", secret=formatted_secret(other)),
        send(automation, path=f"/webhooks/automations/{other.public_id}"),
        send(automation, path=f"/webhooks/automations/{encode_id('aut', uuid7())}"),
        send(automation, path="/webhooks/automations/nonsense"),
        send(automation, path=f"/webhooks/automations/{manual.public_id}"),
        send(make_automation(bad, trigger=HOOK)),
    ]
    bodies = set()
    for answer in answers:
        assert outcome(answer) == (401, "unauthenticated"), answer.content
        assert answer["Content-Type"].startswith("application/problem+json")
        assert answer["WWW-Authenticate"].startswith("Bearer")
        body = answer.json()
        body.pop("instance")
        bodies.add(json.dumps(body, sort_keys=True))
    assert len(bodies) == 1
    assert not AutomationRun.objects.exists()


def test_a_replayed_message_is_refused_later(automation, monkeypatch) -> None:
    at = int(time.time())
    assert send(automation, at=at).status_code == 202
    real = time.time
    monkeypatch.setattr("automations.webhook_view.time.time", lambda: real() + 301)
    assert outcome(send(automation, at=at)) == (401, "unauthenticated")
    assert AutomationRun.objects.count() == 1


def test_any_flipped_bit_is_refused(automation) -> None:
    body, at = b'{"order":7}', int(time.time())
    signature = sign(formatted_secret(automation), "msg_1", at, body)
    client = Client(raise_request_exception=False)
    path = f"/webhooks/automations/{automation.public_id}"

    def post(message_id, timestamp, signature, content):
        headers = {"webhook-id": message_id, "webhook-timestamp": timestamp, "webhook-signature": signature}
        return client.post(path, content, content_type="application/json", headers=headers).status_code

    parts = ["msg_1", str(at), signature, body]
    attempts = 0
    for position, part in enumerate(parts):
        raw = part if isinstance(part, bytes) else part.encode()
        for index in range(len(raw)):
            for bit in range(0, 8, 3):
                flipped = bytearray(raw)
                flipped[index] ^= 1 << bit
                changed = bytes(flipped) if isinstance(part, bytes) else flipped.decode("latin-1")
                attempts += 1
                assert post(*parts[:position], changed, *parts[position + 1 :]) == 401, (position, index, bit)
    assert attempts > 200
    assert not AutomationRun.objects.exists()


def test_checks_are_in_order(automation) -> None:
    wrong_secret = formatted_secret(make_automation(trigger=HOOK))
    big = b"x" * (64 * 1024 + 1)
    assert outcome(send(automation, big, secret=wrong_secret, at=0)) == (413, "payload_too_large")
    assert send(automation, big).json()["limit_bytes"] == 64 * 1024
    assert outcome(send(automation, b"not json")) == (400, "malformed_json")
    assert outcome(send(automation, b"[1]")) == (422, "validation_error")
    assert outcome(send(automation, b'{"a": "\\u0000"}')) == (422, "validation_error")
    assert outcome(send(automation, b'{"a":' * 100 + b"1" + b"}" * 100)) == (422, "validation_error")
    assert not AutomationRun.objects.exists()
    assert send(automation, b'{"a": "%s"}' % (b"x" * (64 * 1024 - 9))).status_code == 202


def test_reports_a_paused_automation_and_a_reached_limit(automation) -> None:
    Automation.objects.update(runs_per_hour=1)
    assert send(automation).status_code == 202
    refused = send(automation, message_id="msg_2")
    assert outcome(refused) == (429, "rate_limited")
    assert int(refused["Retry-After"]) > 3500
    # A repeated message still returns its run.
    assert send(automation).json()["duplicate"] is True
    services.pause_automation(automation_id=automation.pk, reason="")
    assert outcome(send(automation, message_id="msg_3")) == (409, "invalid_state")
    assert AutomationRun.objects.count() == 1


def test_the_old_secret_is_valid_for_a_day(automation) -> None:
    old = formatted_secret(automation)
    new = formatted_secret(services.rotate_webhook_secret(automation=automation))
    assert old != new
    assert send(automation, secret=new, message_id="msg_1").status_code == 202
    assert send(automation, secret=old, message_id="msg_2").status_code == 202
    Automation.objects.update(previous_webhook_salt_until=timezone.now() - timedelta(seconds=1))
    assert outcome(send(automation, secret=old, message_id="msg_3")) == (401, "unauthenticated")
    assert send(automation, secret=new, message_id="msg_4").status_code == 202


def test_allows_only_post_without_a_limit_by_address(automation, rate_limits) -> None:
    path = f"/webhooks/automations/{automation.public_id}"
    assert Client().get(path).status_code == 405
    Automation.objects.update(runs_per_hour=1000)
    statuses = {send(automation, message_id=f"msg_{number}").status_code for number in range(40)}
    assert statuses == {202}
