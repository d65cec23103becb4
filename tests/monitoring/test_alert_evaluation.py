"""Evaluation of rules into rows, by one or several processes, with a fake time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import DatabaseError

from jobs.models import Job, Worker
from monitoring.alerting import evaluation, health_sampling, leadership, services, traffic
from monitoring.alerting.evaluation import evaluate
from monitoring.alerting.metrics import AlertMetric, LabeledSample, alert_metrics
from monitoring.alerting.outbox import QUEUE, SEND_JOB
from monitoring.alerting.rules import DEFAULT_RULES, create_missing_rules
from monitoring.alerting.state_machine import MetricSample
from monitoring.health.base import Check
from monitoring.models import Alert, AlertMessage, AlertNotification, AlertRule, EvaluatorLease, RouteMetric, Silence
from monitoring.performance.sketch import bucket_of, encode
from tests.factories import make_job, make_user

pytestmark = pytest.mark.django_db
T0 = datetime(2026, 11, 23, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


@pytest.fixture
def dial() -> Any:
    """A metric with the values that the test sets: numbers by label, None for no data, or an exception to raise."""
    state = SimpleNamespace(values={})

    def read(now: datetime, parameters: Any) -> list[LabeledSample]:
        if isinstance(state.values, Exception):
            raise state.values
        return [
            LabeledSample(None if value is None else MetricSample(value), {"part": part} if part else {})
            for part, value in state.values.items()
        ]

    with alert_metrics.override(AlertMetric("dial", "for tests", read, sample_when_gone=MetricSample(0.0))):
        yield state


def make_rule(**fields: Any) -> AlertRule:
    columns = {"name": "Dial", "summary": "The dial is up", "metric": "dial", "fire_above": 0.5, "clear_below": 0.5}
    return AlertRule.objects.create(**{**columns, "severity": "ticket", **fields})


def run(first: float, last: float, every: float = 15) -> None:
    """Evaluate from the first to the last second, both included."""
    moment = first
    while moment <= last:
        evaluate(now=at(moment))
        moment += every


def messages() -> list[tuple[int, str, str]]:
    rows = AlertMessage.objects.order_by("at", "id").select_related("alert")
    return [(int((row.at - T0).total_seconds()), row.alert.labels.get("part", ""), row.kind) for row in rows]


def test_an_alert_from_pending_to_resolved(dial: Any) -> None:
    make_rule(for_s=60, keep_firing_for_s=30)
    dial.values = {"": 0}
    run(0, 30)
    assert not Alert.objects.exists(), "no rows while the condition is false"
    dial.values = {"": 1}
    run(45, 90)
    alert = Alert.objects.get()
    assert (alert.state, alert.pending_since, messages()) == ("pending", at(45), [])
    run(105, 105)
    alert.refresh_from_db()
    assert (alert.state, alert.firing_since, alert.value, alert.severity) == ("firing", at(105), 1, "ticket")
    dial.values = {"": 0}
    run(120, 180)
    alert.refresh_from_db()
    assert alert.state == "inactive"
    assert messages() == [(105, "", "firing"), (150, "", "resolved")]
    ids = [message.message_id for message in AlertMessage.objects.order_by("number")]
    # Pending was change 1, firing 2, resolved 3.
    assert ids == [f"{alert.fingerprint}-2", f"{alert.fingerprint}-3"]


def test_concurrent_evaluators_send_one_message(dial: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    make_rule()
    dial.values = {"": 1}
    real = evaluation.step

    def step_after_the_other(*args: Any, **fields: Any) -> Any:
        # Another evaluator finishes between this one's read and its decision.
        monkeypatch.setattr(evaluation, "step", real)
        evaluate(now=at(0))
        return real(*args, **fields)

    for moment, value in ((0, 1), (15, 0), (30, 1)):
        dial.values = {"": value}
        monkeypatch.setattr(evaluation, "step", step_after_the_other)
        evaluate(now=at(moment))
    alert = Alert.objects.get()
    assert [message.kind for message in AlertMessage.objects.order_by("number")] == ["firing", "resolved", "firing"]
    assert alert.number == 3
    # The messages of both are grouped for 30 s, and each target has one job.
    assert Job.objects.filter(type=SEND_JOB).count() == AlertNotification.objects.count()


def test_messages_of_a_rule_are_sent_together(dial: Any, settings: Any) -> None:
    settings.RENDEROWL_ALERT_WEBHOOK_URL = "https://alerts.example.com/hook"
    make_rule()
    make_rule(name="Other")
    dial.values = {"a": 1, "b": 1}
    run(0, 0)
    dial.values = {"a": 1, "b": 1, "c": 1}
    run(15, 30)
    notification, other = AlertNotification.objects.order_by("rule__name")
    assert notification.closes_at == other.closes_at == at(30)
    assert sorted(m.alert.labels["part"] for m in notification.messages.select_related("alert")) == ["a", "b", "c"]
    jobs = Job.objects.filter(reference=notification.reference)
    assert {(job.payload["target"], job.queue, job.scheduled_at) for job in jobs} == {
        ("webhook", QUEUE, at(30)),
        ("staff", QUEUE, at(30)),
    }
    dial.values = {"a": 0, "b": 1, "c": 1}
    run(45, 45)
    assert AlertNotification.objects.filter(rule__name="Dial").count() == 2, "the first one is closed"


def test_each_set_of_labels_is_an_alert_of_its_own(dial: Any) -> None:
    rule = make_rule(labels={"team": "video"})
    dial.values = {"a": 1, "b": 0}
    run(0, 0)
    alert = Alert.objects.get()
    assert alert.labels == {"alertname": "Dial", "team": "video", "part": "a"}
    assert str(alert) == "Dial (part=a, team=video)"
    # Labels without a sample resolve, as the metric has sample_when_gone.
    dial.values = {"b": 0}
    run(15, 15)
    assert messages() == [(0, "a", "firing"), (15, "a", "resolved")]
    rule.delete()
    assert not Alert.objects.exists()


def test_no_data_keeps_the_alert_and_fires_a_separate_one(dial: Any) -> None:
    make_rule(alerts_on_no_data=True)
    dial.values = {"": 1}
    run(0, 0)
    dial.values = {"": None}
    run(15, 300)
    assert [kind for _, _, kind in messages()] == ["firing"]
    run(315, 600)
    gone = Alert.objects.get(labels__no_data="true")
    assert (gone.state, gone.pending_since, gone.firing_since) == ("firing", at(15), at(315))
    assert Alert.objects.exclude(pk=gone.pk).get().state == "firing"
    dial.values = {"": 1}
    run(615, 630)
    gone.refresh_from_db()
    assert gone.state == "inactive"
    assert [kind for _, _, kind in messages()] == ["firing", "firing", "resolved"]


def test_a_metric_that_fails_is_no_data(dial: Any) -> None:
    make_rule()
    dial.values = {"a": 1}
    run(0, 0)
    dial.values = DatabaseError("busy")
    run(15, 600)
    assert messages() == [(0, "a", "firing")], "a failing metric does not resolve it"
    AlertRule.objects.update(metric="gone")
    run(615, 630)
    assert Alert.objects.get(labels__part="a").state == "firing"


def test_disabling_a_rule_resolves_its_alerts(dial: Any) -> None:
    make_rule(keep_firing_for_s=3600)
    dial.values = {"": 1}
    run(0, 0)
    AlertRule.objects.update(is_enabled=False)
    run(15, 30)
    assert [kind for _, _, kind in messages()] == ["firing", "resolved"]
    assert Alert.objects.get().state == "inactive"


def test_silence_and_acknowledgement(dial: Any) -> None:
    make_rule(reminder_s=60)
    alice = make_user("alice")
    Silence.objects.create(labels={"part": "a"}, reason="maintenance", starts_at=at(0), ends_at=at(90))
    dial.values = {"a": 1, "b": 1}
    run(0, 0)
    assert messages() == [(0, "b", "firing")]
    loud = Alert.objects.get(labels__part="b")
    assert services.acknowledge_alert(alert_id=loud.pk, user=alice)
    assert not services.acknowledge_alert(alert_id=loud.pk, user=alice)
    run(15, 90)
    assert messages()[1:] == [(90, "a", "firing")], (
        "sent at the end of the silence; no reminder of the acknowledged alert"
    )
    loud.refresh_from_db()
    assert loud.acknowledged_by == alice
    dial.values = {"a": 1, "b": 0}
    run(105, 120)
    dial.values = {"a": 1, "b": 1}
    run(135, 135)
    loud.refresh_from_db()
    assert (loud.state, loud.acknowledged_at, loud.acknowledged_by) == ("firing", None, None)


def test_an_acknowledgement_between_read_and_write_is_kept(dial: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    make_rule()
    dial.values = {"": 1}
    run(0, 0)
    alert, real = Alert.objects.get(), evaluation.step

    def step_after_staff(*args: Any, **fields: Any) -> Any:
        services.acknowledge_alert(alert_id=alert.pk, user=make_user("alice"))
        return real(*args, **fields)

    monkeypatch.setattr(evaluation, "step", step_after_staff)
    dial.values = {"": 2}
    run(15, 15)
    alert.refresh_from_db()
    assert alert.acknowledged_at is not None


def test_a_raised_severity_sends_a_message(dial: Any) -> None:
    make_rule(page_above=10)
    dial.values = {"": 1}
    run(0, 15)
    dial.values = {"": 11}
    run(30, 45)
    rows = AlertMessage.objects.order_by("number").values_list("kind", "severity", "value")
    assert list(rows) == [("firing", "ticket", 1.0), ("worse", "page", 11.0)]


def test_only_one_worker_evaluates() -> None:
    attempts = [(moment, worker) for moment in range(0, 61, 5) for worker in ("one", "two")]
    turns = [each for each in attempts if leadership.claim_evaluation(holder=each[1], now=at(each[0]))]
    assert turns == [(0, "one"), (15, "one"), (30, "one"), (45, "one"), (60, "one")]


def test_another_worker_takes_over_from_a_killed_leader(dial: Any) -> None:
    make_rule(for_s=60)
    dial.values = {"": 1}
    fired = None
    for moment in range(0, 300, 5):
        alive = ("one", "two") if moment < 20 else ("two",)
        for worker in alive:
            if leadership.claim_evaluation(holder=worker, now=at(moment)):
                evaluate(now=at(moment))
        if fired is None and messages():
            fired = moment
    assert EvaluatorLease.objects.get().holder == "two"
    assert Alert.objects.get().pending_since == at(0)
    assert fired is not None
    assert 60 <= fired <= 60 + 45
    assert len(messages()) == 1


def test_a_leader_that_lost_its_lease_does_not_evaluate() -> None:
    assert leadership.claim_evaluation(holder="one", now=at(0))
    # The first worker was paused for longer than its lease.
    assert leadership.claim_evaluation(holder="two", now=at(31))
    assert not leadership.claim_evaluation(holder="one", now=at(46))


def serve(moment: datetime, status_class: int, count: int, took_ms: int = 10) -> None:
    numbers = dict.fromkeys(("total_us", "sql_us", "cache_us", "queries", "size_bytes", "cache_hits"), 0)
    RouteMetric.objects.create(
        started_at=moment,
        process=str(RouteMetric.objects.count()),
        route="/api/v2/renders",
        method="GET",
        status_class=status_class,
        count=count,
        sketch=encode({bucket_of(took_ms * 1000): count}),
        cache_lookups=0,
        slow_count=0,
        max_us=took_ms * 1000,
        **numbers,
    )


def query(name: str, now: datetime, **parameters: float) -> dict[str, tuple[float, int | None] | None]:
    traffic._sums.clear()
    metric = alert_metrics.get(name)
    assert metric is not None
    samples = metric.query(now, parameters)
    return {
        ",".join(found.labels.values()): None if found.sample is None else (found.sample.value, found.sample.samples)
        for found in samples
    }


def test_request_metrics() -> None:
    assert query("error_ratio", T0) == {"": None}
    assert query("p95_ms", T0) == {"": None}
    assert query("burn_rate", T0) == {"": None}
    serve(at(-120), 2, 90)
    serve(at(-60), 5, 10, took_ms=2000)
    serve(at(-1800), 2, 900)
    serve(at(-7200), 5, 500)
    assert query("error_ratio", T0) == {"": (0.1, 100)}
    value, samples = query("p95_ms", T0)[""] or (0, 0)
    assert (value, samples) == (pytest.approx(2000, rel=0.01), 100)
    # 10 of 1,000 over the hour, 10 of 100 over five minutes: ten times the budget of a thousandth.
    assert query("burn_rate", T0) == {"": (pytest.approx(10), 100)}
    assert query("burn_rate", at(600)) == {"": (0.0, 1000)}, "no more requests"


def test_queue_worker_and_disk_metrics() -> None:
    now = datetime.now(UTC)
    make_job(queue="slow", scheduled_at=now - timedelta(seconds=90))
    make_job(queue="later", status="scheduled", scheduled_at=now - timedelta(seconds=900))
    make_job(status="dead", finished_at=now - timedelta(minutes=1))
    make_job(status="dead", finished_at=now - timedelta(hours=2))
    fields = {"hostname": "h", "pid": 1, "concurrency": 1}
    Worker.objects.create(name="alive", last_seen_at=now, **fields)
    Worker.objects.create(name="dead", last_seen_at=now - timedelta(seconds=60), **fields)
    Worker.objects.create(name="left", last_seen_at=now - timedelta(seconds=60), stopped_at=now, **fields)
    Worker.objects.create(name="long dead", last_seen_at=now - timedelta(days=1), **fields)
    waits = query("queue_oldest_s", now)
    assert waits["slow"] == (pytest.approx(90), None)
    assert {waits["later"], waits["default"]} == {(0.0, None)}
    assert query("dead_letters", now) == {"": (1, None)}
    assert query("dead_workers", now) == {"": (1, None)}
    (used,) = query("disk_used_ratio", now).values()
    assert used is not None
    assert 0 < used[0] < 1


def test_health_samples_expire() -> None:
    class Broken(Check):
        name = "broken"
        critical = True

        def run(self) -> Any:
            raise RuntimeError

    class Degraded(Broken):
        name = "degraded"
        critical = False

    class Healthy(Check):
        name = "healthy"

        def run(self) -> Any:
            return []

    assert health_sampling.sample_health(now=T0, chosen=[Broken(), Degraded(), Healthy()]) == 2
    assert query("health_level", at(60)) == {"broken": (2, None), "degraded": (1, None), "healthy": (0, None)}
    assert health_sampling.sample_health(now=at(60), chosen=[Healthy()]) == 0
    assert query("health_level", at(200)) == {"broken": None, "degraded": None, "healthy": (0, None)}


def test_sums_of_long_windows_are_cached(django_assert_num_queries: Any) -> None:
    day = 86400
    query("error_ratio", T0, window_s=day)
    metric = alert_metrics.get("error_ratio")
    assert metric is not None
    with django_assert_num_queries(0):
        metric.query(at(300), {"window_s": day})
    with django_assert_num_queries(1):
        metric.query(at(361), {"window_s": day})


def test_built_in_rules_are_created_once_and_edits_are_kept() -> None:
    assert create_missing_rules() == len(DEFAULT_RULES)
    for rule in AlertRule.objects.all():
        metric = alert_metrics.get(rule.metric)
        assert metric is not None
        assert metric.parameter_error(rule.parameters) == ""
        assert rule.clear_below <= rule.fire_above
    AlertRule.objects.filter(name="JobsDied").update(fire_above=100)
    assert create_missing_rules() == 0
    assert AlertRule.objects.get(name="JobsDied").fire_above == 100


def test_on_a_quiet_installation_only_the_watchdog_fires(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(used=1, free=9))
    traffic._sums.clear()
    evaluation.evaluate_if_due("test")
    assert [str(alert) for alert in Alert.objects.filter(state="firing")] == ["Watchdog"]
    assert evaluation.count_firing() == 0, "the watchdog has no severity"
    assert not Job.objects.filter(type=SEND_JOB).exists(), "and sends nothing to staff"
