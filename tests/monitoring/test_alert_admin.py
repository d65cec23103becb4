"""Admin of alerting, and the indexes behind it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import AuditEntry, User
from monitoring.alerting.rules import create_missing_rules
from monitoring.models import Alert, AlertMessage, AlertNotification, AlertRule, EvaluatorLease, HealthSample, Silence
from tests.factories import make_user

pytestmark = pytest.mark.django_db
NAMES = ("alert", "alertrule", "silence", "alertmessage", "alertnotification", "evaluatorlease", "healthsample")


@pytest.fixture
def root() -> User:
    return make_user("root", is_staff=True, is_superuser=True)


@pytest.fixture
def staff(root: User) -> Client:
    client = Client()
    client.force_login(root)
    return client


@pytest.fixture
def alert() -> Alert:
    now = timezone.now()
    create_missing_rules()
    rule = AlertRule.objects.get(name="QueueIsLate")
    labels = {"alertname": rule.name, "queue": "renders"}
    alert = Alert.objects.create(
        rule=rule, fingerprint="f" * 64, labels=labels, state="firing", since=now, firing_since=now, severity="page"
    )
    notification = AlertNotification.objects.create(rule=rule, closes_at=now)
    AlertMessage.objects.create(
        alert=alert, notification=notification, number=1, kind="firing", severity="page", value=9, at=now
    )
    HealthSample.objects.create(check_name="database", level=0, at=now)
    EvaluatorLease.objects.create(name="alerts", holder="host:1", expires_at=now)
    Silence.objects.create(labels={"queue": "x"}, reason="maintenance", starts_at=now, ends_at=now + timedelta(hours=1))
    return alert


def act(client: Client, model: str, action: str, row: Any) -> str:
    url = reverse(f"admin:monitoring_{model}_changelist")
    response = client.post(url, {"action": action, "_selected_action": [str(row.pk)]}, follow=True)
    assert response.status_code == 200
    return response.content.decode()


def test_lists_search_and_detail_pages_load(staff: Client, alert: Alert) -> None:
    rows = (AlertMessage, AlertNotification, AlertRule, EvaluatorLease, HealthSample, Silence, Alert)
    for model in rows:
        name = model._meta.model_name
        page = staff.get(reverse(f"admin:monitoring_{name}_changelist"))
        assert page.status_code == 200
        assert staff.get(reverse(f"admin:monitoring_{name}_changelist"), {"q": "x"}).status_code == 200
        row = model.objects.first()
        assert row is not None
        assert staff.get(reverse(f"admin:monitoring_{name}_change", args=[row.pk])).status_code == 200
    page = staff.get(reverse("admin:monitoring_alert_changelist"), {"state__exact": "firing"})
    assert "QueueIsLate (queue=renders)" in page.content.decode()


def test_staff_acknowledge_silence_and_end_a_silence(staff: Client, alert: Alert, root: User) -> None:
    assert "1 acknowledged." in act(staff, "alert", "acknowledge", alert)
    assert "0 acknowledged." in act(staff, "alert", "acknowledge", alert)
    alert.refresh_from_db()
    assert (alert.acknowledged_by, alert.state, alert.version) == (root, "firing", 1)
    assert "1 silenced." in act(staff, "alert", "silence_day", alert)
    silence = Silence.objects.get(created_by=root)
    assert silence.covers(alert.labels)
    assert silence.ends_at - silence.starts_at == timedelta(days=1)
    assert "1 ended." in act(staff, "silence", "end", silence)
    assert "0 ended." in act(staff, "silence", "end", silence)
    silence.refresh_from_db()
    assert silence.ends_at <= timezone.now()
    actions = AuditEntry.objects.exclude(action__startswith="user.").order_by("id").values_list("action", "actor_name")
    assert list(actions) == [("alert.acknowledged", "root"), ("alert.silenced", "root"), ("silence.ended", "root")]


def test_view_permission_alone_allows_no_actions(alert: Alert) -> None:
    clerk = make_user("clerk", is_staff=True)
    clerk.user_permissions.add(*Permission.objects.filter(codename__in=[f"view_{name}" for name in NAMES]))
    client = Client()
    client.force_login(clerk)
    act(client, "alert", "acknowledge", alert)
    act(client, "alert", "silence_hour", alert)
    alert.refresh_from_db()
    assert (alert.acknowledged_at, Silence.objects.count()) == (None, 1)
    other = Client()
    other.force_login(make_user("outsider", is_staff=True))
    assert other.get(reverse("admin:monitoring_alert_changelist")).status_code == 403


def silence_form(**fields: Any) -> dict[str, Any]:
    now = timezone.now()
    columns: dict[str, Any] = {"labels": '{"alertname": "JobsDied"}', "reason": "maintenance", "hours": 1, **fields}
    ends = now + timedelta(hours=columns.pop("hours"))
    for name, moment in (("starts_at", now), ("ends_at", ends)):
        columns |= {f"{name}_0": f"{moment:%Y-%m-%d}", f"{name}_1": f"{moment:%H:%M:%S}"}
    return columns


@pytest.mark.parametrize(
    ("fields", "is_good"),
    [
        ({}, True),
        ({"hours": 7 * 24}, True),
        ({"hours": 7 * 24 + 1}, False),
        ({"hours": -1}, False),
        ({"labels": "{}"}, False),
        ({"labels": "[1]"}, False),
        ({"labels": '{"queue": 5}'}, False),
        ({"ends_at_0": ""}, False),
    ],
)
def test_a_silence_needs_labels_and_lasts_a_week_at_most(staff: Client, fields: dict[str, Any], is_good: bool) -> None:
    response = staff.post(
        reverse("admin:monitoring_silence_add"),
        {**silence_form(), **silence_form(**fields)}
        | {name: value for name, value in fields.items() if name != "hours"},
    )
    assert (response.status_code == 302, Silence.objects.count()) == (is_good, int(is_good)), response.content
    if is_good:
        assert Silence.objects.get().created_by is not None


RULE = {
    "name": "Mine",
    "summary": "Something",
    "metric": "error_ratio",
    "parameters": '{"window_s": 60}',
    "fire_above": "0.5",
    "clear_below": "0.4",
    "for_s": "0",
    "keep_firing_for_s": "0",
    "severity": "ticket",
    "labels": "{}",
    "minimum_samples": "20",
    "reminder_s": "3600",
    "is_enabled": "on",
}


@pytest.mark.parametrize(
    ("fields", "is_good"),
    [
        ({}, True),
        ({"metric": "1+1"}, False),
        ({"parameters": '{"other": 1}'}, False),
        ({"parameters": '{"window_s": "60"}'}, False),
        ({"parameters": '{"window_s": -1}'}, False),
        ({"clear_below": "0.6"}, False),
        ({"labels": '{"team": 1}'}, False),
        ({"reminder_s": "0"}, False),
    ],
)
def test_rules_that_cannot_be_evaluated_are_refused(staff: Client, fields: dict[str, str], is_good: bool) -> None:
    response = staff.post(reverse("admin:monitoring_alertrule_add"), {**RULE, **fields})
    assert (response.status_code == 302, AlertRule.objects.count()) == (is_good, int(is_good)), response.content
    assert AuditEntry.objects.filter(action="alertrule.added").count() == int(is_good)


def test_built_in_rules_cannot_be_deleted(staff: Client, alert: Alert) -> None:
    own = AlertRule.objects.create(name="Mine", summary="s", metric="always", fire_above=1, clear_below=1)
    assert staff.post(reverse("admin:monitoring_alertrule_delete", args=[alert.rule.pk])).status_code == 403
    assert staff.post(reverse("admin:monitoring_alertrule_delete", args=[own.pk]), {"post": "yes"}).status_code == 302
    assert not AlertRule.objects.filter(pk=own.pk).exists()


def test_the_dashboard_counts_firing_alerts(staff: Client, alert: Alert) -> None:
    page = staff.get(reverse("admin:index")).content.decode()
    assert "Alerts firing" in page


def test_each_index_serves_its_query() -> None:
    now = timezone.now()
    rules = [
        AlertRule(name=f"r{n}", summary="s", metric="always", fire_above=1, clear_below=1, severity="page")
        for n in range(40)
    ]
    AlertRule.objects.bulk_create(rules)
    alerts = [
        Alert(
            rule=rules[n % 40],
            fingerprint=f"{n}",
            state="firing" if n % 100 == 0 else "inactive",
            since=now - timedelta(minutes=n),
        )
        for n in range(1500)
    ]
    Alert.objects.bulk_create(alerts)
    notifications = [
        AlertNotification(
            rule=rules[n % 40], closes_at=now - timedelta(minutes=n), created_at=now - timedelta(minutes=n)
        )
        for n in range(1500)
    ]
    AlertNotification.objects.bulk_create(notifications)
    AlertMessage.objects.bulk_create(
        AlertMessage(
            alert=alerts[n % 1500],
            notification=notifications[n % 1500],
            number=n,
            kind="firing",
            severity="page",
            at=now - timedelta(minutes=n),
        )
        for n in range(3000)
    )
    Silence.objects.bulk_create(
        Silence(labels={"a": "b"}, reason="r", starts_at=now - timedelta(days=n + 1), ends_at=now - timedelta(days=n))
        for n in range(1500)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    queries = {
        "idx_alerts_since": Alert.objects.order_by("-since", "-id")[:50],
        "idx_alerts_state": Alert.objects.filter(state="firing"),
        "idx_alerts_rule": Alert.objects.filter(rule=rules[7]),
        "idx_alert_notifications_rule": AlertNotification.objects.filter(
            rule=rules[7], closes_at__gt=now - timedelta(hours=1)
        ),
        "idx_alert_notifications_created": AlertNotification.objects.filter(
            created_at__lt=now - timedelta(minutes=1490)
        ).order_by("created_at"),
        "idx_alert_messages_notification": AlertMessage.objects.filter(notification=notifications[7]).order_by(
            "at", "id"
        ),
        "idx_alert_messages_time": AlertMessage.objects.order_by("-at", "-id")[:50],
        "idx_silences_end": Silence.objects.filter(ends_at__gt=now - timedelta(days=2)),
    }
    for name, rows in queries.items():
        plan = rows.explain()
        assert name in plan, f"{name} is not used:\n{plan}"
