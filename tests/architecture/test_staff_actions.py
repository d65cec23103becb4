"""Every action of the admin writes an audit entry."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import AuditEntry, SecondFactor
from jobs import services as job_services
from jobs.models import QueueState, Schedule
from monitoring.alerting.models import Alert, AlertRule, Silence
from monitoring.alerting.rules import create_missing_rules
from monitoring.models import ErrorLog
from renders.requests import RenderRequest
from renders.services.submit import submit_render
from tests.factories import (
    make_asset,
    make_automation,
    make_delivery,
    make_edit,
    make_endpoint,
    make_job,
    make_minted_key,
    make_render,
    make_user,
)
from tests.renders.batching import submit_batch

pytestmark = pytest.mark.django_db


def _schedule() -> Schedule:
    job_services.sync_schedules()
    return Schedule.objects.get(name="deprecation-notices")


def _alert() -> Alert:
    create_missing_rules()
    rule, now = AlertRule.objects.get(name="QueueIsLate"), timezone.now()
    common: dict[str, Any] = {"since": now, "firing_since": now, "severity": "page", "state": "firing"}
    return Alert.objects.create(rule=rule, fingerprint="f" * 64, labels={"alertname": rule.name}, **common)


def _silence() -> Silence:
    now = timezone.now()
    return Silence.objects.create(
        labels={"queue": "x"}, reason="works", starts_at=now, ends_at=now + timedelta(hours=1)
    )


def _error() -> ErrorLog:
    now = timezone.now()
    return ErrorLog.objects.create(fingerprint="f" * 64, type="E", first_seen_at=now, last_seen_at=now, count=1)


# "<model>.<action>" -> a row that the action changes.
ROWS: dict[str, Callable[[], Any]] = {
    "accounts.apikey.revoke": lambda: make_minted_key().key,
    "accounts.secondfactor.reset": lambda: SecondFactor.objects.create(user=make_user(is_staff=True), salt="x"),
    "accounts.user.resume": lambda: make_user(is_suspended=True),
    "accounts.user.suspend": make_user,
    "assets.asset.delete_unheld": make_asset,
    "automations.automation.pause": make_automation,
    "automations.automation.resume": lambda: make_automation(is_active=False),
    "automations.automation.run_now": make_automation,
    "jobs.job.cancel_jobs": make_job,
    "jobs.job.retry_jobs": lambda: make_job(status="dead"),
    "jobs.queuestate.pause_queues": lambda: QueueState.objects.create(name="renders"),
    "jobs.queuestate.resume_queues": lambda: QueueState.objects.create(name="renders", paused=True),
    "jobs.schedule.disable_schedules": _schedule,
    "jobs.schedule.enable_schedules": _schedule,
    "jobs.schedule.run_schedules": _schedule,
    "monitoring.alert.acknowledge": _alert,
    "monitoring.alert.silence_day": _alert,
    "monitoring.alert.silence_hour": _alert,
    "monitoring.errorlog.resolve_errors": _error,
    "monitoring.silence.end": _silence,
    "notifications.webhookdelivery.send_again": make_delivery,
    "notifications.webhookendpoint.disable": make_endpoint,
    "notifications.webhookendpoint.enable": lambda: make_endpoint(is_enabled=False),
    "notifications.webhookendpoint.test": make_endpoint,
    "renders.batch.cancel_batches": lambda: submit_batch(make_user(), 2),
    "renders.render.cancel_renders": lambda: submit_render(owner=make_user(), request=RenderRequest(edit=make_edit())),
    "renders.render.delete_outputs": lambda: make_render(status="succeeded"),
    "renders.render.retry_renders": lambda: make_render(status="failed"),
}


def every_action() -> list[str]:
    return sorted(
        f"{model._meta.label_lower}.{action if isinstance(action, str) else action.__name__}"
        for model, screen in admin.site._registry.items()
        for action in screen.actions or ()
    )


def test_there_is_a_row_for_every_action() -> None:
    assert sorted(ROWS) == every_action()


@pytest.mark.parametrize("name", sorted(ROWS))
def test_an_action_is_audited(name: str) -> None:
    root = make_user("root", is_staff=True, is_superuser=True)
    client = Client(REMOTE_ADDR="192.0.2.7")
    client.force_login(root)
    row = ROWS[name]()
    last = AuditEntry.objects.order_by("id").last()
    label, _, action = name.rpartition(".")
    url = reverse(f"admin:{label.replace('.', '_')}_changelist")
    answer = client.post(url, {"action": action, "_selected_action": [str(row.pk)]}, follow=True)
    assert [message.level_tag for message in answer.context["messages"]] == ["success"]
    (entry,) = AuditEntry.objects.filter(id__gt=last.pk) if last else AuditEntry.objects.all()
    assert (entry.actor_name, entry.address) == ("root", "192.0.2.7")
    # Second factors are recorded under their user, silences as new rows, queues and schedules by name.
    owner = getattr(row, "user", None)
    known = [getattr(each, "public_id", "") for each in (row, owner, *Silence.objects.all())] + [
        getattr(row, "name", "")
    ]
    assert entry.subject in known
