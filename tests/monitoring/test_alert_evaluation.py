"""Rules, alerts and messages as rows: evaluated by any number of processes, at times that the test says."""

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
    """A metric that says what the test sets: numbers by label, None for no data, an exception to raise."""
    found = SimpleNamespace(values={})

    def read(now: datetime, parameters: Any) -> list[LabeledSample]:
        if isinstance(found.values, Exception):
            raise found.values
        return [
            LabeledSample(None if value is None else MetricSample(value), {"part": part} if part else {})
            for part, value in found.values.items()
        ]

    with alert_metrics.override(AlertMetric("dial", "for tests", read, sample_when_gone=MetricSample(0.0))):
        yield found


def make_rule(**fields: Any) -> AlertRule:
    columns = {"name": "Dial", "summary": "The dial is up", "metric": "dial", "fire_above": 0.5, "clear_below": 0.5}
    return AlertRule.objects.create(**{**columns, "severity": "ticket", **fields})


def run(first: float, last: float, every: float = 15) -> None:
    """Evaluate from one second to another, both included."""
    moment = first
    while moment <= last:
        evaluate(now=at(moment))
        moment += every


def said() -> list[tuple[int, str, str]]:
    rows = AlertMessage.objects.order_by("at", "id").select_related("alert")
    return [(int((row.at - T0).total_seconds()), row.alert.labels.get("part", ""), row.kind) for row in rows]


def test_an_alert_from_pending_to_resolved(dial: Any) -> None:
    make_rule(for_s=60, keep_firing_for_s=30)
    dial.values = {"": 0}
    run(0, 30)
    assert not Alert.objects.exists(), "nothing is written while nothing is wrong"
    dial.values = {"": 1}
    run(45, 90)
    alert = Alert.objects.get()
    assert (alert.state, alert.pending_since, said()) == ("pending", at(45), [])
    run(105, 105)
    alert.refresh_from_db()
    assert (alert.state, alert.firing_since, alert.value, alert.severity) == ("firing", at(105), 1, "ticket")
    dial.values = {"": 0}
    run(120, 180)
    alert.refresh_from_db()
    assert alert.state == "inactive"
    assert said() == [(105, "", "firing"), (150, "", "resolved")]
    ids = [message.message_id for message in AlertMessage.objects.order_by("number")]
    # Pending was its first change, firing the second, resolved the third.
    assert ids == [f"{alert.fingerprint}-2", f"{alert.fingerprint}-3"]


def test_two_evaluators_at_once_say_it_once(dial: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    make_rule()
    dial.values = {"": 1}
    real = evaluation.step

    def step_after_the_other(*args: Any, **fields: Any) -> Any:
        # What this evaluator has read is old by the time it decides: another one has gone through all of it.
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
    # A group of 30 s holds what both have said; each target is told of it once.
    assert Job.objects.filter(type=SEND_JOB).count() == AlertNotification.objects.count()


def test_messages_of_a_rule_leave_together(dial: Any, settings: Any) -> None:
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
    assert AlertNotification.objects.filter(rule__name="Dial").count() == 2, "the first one has left"


def test_alerts_of_a_rule_are_told_apart_by_their_labels(dial: Any) -> None:
    rule = make_rule(labels={"team": "video"})
    dial.values = {"a": 1, "b": 0}
    run(0, 0)
    alert = Alert.objects.get()
    assert alert.labels == {"alertname": "Dial", "team": "video", "part": "a"}
    assert str(alert) == "Dial (part=a, team=video)"
    # What is not in the answer any more has ended, where the metric says so.
    dial.values = {"b": 0}
    run(15, 15)
    assert said() == [(0, "a", "firing"), (15, "a", "resolved")]
    rule.delete()
    assert not Alert.objects.exists()


def test_no_data_keeps_an_alert_and_is_an_alert_of_its_own(dial: Any) -> None:
    make_rule(alerts_on_no_data=True)
    dial.values = {"": 1}
    run(0, 0)
    dial.values = {"": None}
    run(15, 300)
    assert [kind for _, _, kind in said()] == ["firing"]
    run(315, 600)
    gone = Alert.objects.get(labels__no_data="true")
    assert (gone.state, gone.pending_since, gone.firing_since) == ("firing", at(15), at(315))
    assert Alert.objects.exclude(pk=gone.pk).get().state == "firing"
    dial.values = {"": 1}
    run(615, 630)
    gone.refresh_from_db()
    assert gone.state == "inactive"
    assert [kind for _, _, kind in said()] == ["firing", "firing", "resolved"]


def test_a_metric_that_fails_is_no_data(dial: Any) -> None:
    make_rule()
    dial.values = {"a": 1}
    run(0, 0)
    dial.values = DatabaseError("busy")
    run(15, 600)
    assert said() == [(0, "a", "firing")], "not resolved by what could not be asked"
    AlertRule.objects.update(metric="gone")
    run(615, 630)
    assert Alert.objects.get(labels__part="a").state == "firing"


def test_a_rule_that_is_switched_off_calls_off_what_it_said(dial: Any) -> None:
    make_rule(keep_firing_for_s=3600)
    dial.values = {"": 1}
    run(0, 0)
    AlertRule.objects.update(is_enabled=False)
    run(15, 30)
    assert [kind for _, _, kind in said()] == ["firing", "resolved"]
    assert Alert.objects.get().state == "inactive"


def test_silence_and_acknowledgement(dial: Any) -> None:
    make_rule(reminder_s=60)
    alice = make_user("alice")
    Silence.objects.create(labels={"part": "a"}, reason="works", starts_at=at(0), ends_at=at(90))
    dial.values = {"a": 1, "b": 1}
    run(0, 0)
    assert said() == [(0, "b", "firing")]
    loud = Alert.objects.get(labels__part="b")
    assert services.acknowledge_alert(alert_id=loud.pk, user=alice)
    assert not services.acknowledge_alert(alert_id=loud.pk, user=alice)
    run(15, 90)
    assert said()[1:] == [(90, "a", "firing")], (
        "at the end of the silence; and no reminder of what somebody looks after"
    )
    loud.refresh_from_db()
    assert loud.acknowledged_by == alice
    dial.values = {"a": 1, "b": 0}
    run(105, 120)
    dial.values = {"a": 1, "b": 1}
    run(135, 135)
    loud.refresh_from_db()
    assert (loud.state, loud.acknowledged_at, loud.acknowledged_by) == ("firing", None, None)


def test_an_acknowledgement_between_read_and_write_stays(dial: Any, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_severity_rises(dial: Any) -> None:
    make_rule(page_above=10)
    dial.values = {"": 1}
    run(0, 15)
    dial.values = {"": 11}
    run(30, 45)
    rows = AlertMessage.objects.order_by("number").values_list("kind", "severity", "value")
    assert list(rows) == [("firing", "ticket", 1.0), ("worse", "page", 11.0)]


# --- Leadership -------------------------------------------------------------------------------------------------------


def test_one_worker_evaluates() -> None:
    looks = [(moment, worker) for moment in range(0, 61, 5) for worker in ("one", "two")]
    turns = [look for look in looks if leadership.claim_evaluation(holder=look[1], now=at(look[0]))]
    assert turns == [(0, "one"), (15, "one"), (30, "one"), (45, "one"), (60, "one")]


def test_a_leader_killed_during_pending_is_followed_in_time(dial: Any) -> None:
    make_rule(for_s=60)
    dial.values = {"": 1}
    fired = None
    for moment in range(0, 300, 5):
        alive = ("one", "two") if moment < 20 else ("two",)
        for worker in alive:
            if leadership.claim_evaluation(holder=worker, now=at(moment)):
                evaluate(now=at(moment))
        if fired is None and said():
            fired = moment
    assert EvaluatorLease.objects.get().holder == "two"
    assert Alert.objects.get().pending_since == at(0)
    assert fired is not None
    assert 60 <= fired <= 60 + 45
    assert len(said()) == 1


def test_leadership_lost_between_lease_and_turn_is_no_turn() -> None:
    assert leadership.claim_evaluation(holder="one", now=at(0))
    # Paused for longer than its lease: the other one has taken over, and it notices.
    assert leadership.claim_evaluation(holder="two", now=at(31))
    assert not leadership.claim_evaluation(holder="one", now=at(46))


# --- Measures and rules -----------------------------------------------------------------------------------------------


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


def ask(name: str, now: datetime, **parameters: float) -> dict[str, tuple[float, int | None] | None]:
    traffic._sums.clear()
    metric = alert_metrics.get(name)
    assert metric is not None
    found = metric.query(now, parameters)
    return {
        ",".join(one.labels.values()): None if one.sample is None else (one.sample.value, one.sample.samples)
        for one in found
    }


def test_measures_of_requests() -> None:
    assert ask("error_ratio", T0) == {"": None}
    assert ask("p95_ms", T0) == {"": None}
    assert ask("burn_rate", T0) == {"": None}
    serve(at(-120), 2, 90)
    serve(at(-60), 5, 10, took_ms=2000)
    serve(at(-1800), 2, 900)
    serve(at(-7200), 5, 500)
    assert ask("error_ratio", T0) == {"": (0.1, 100)}
    value, samples = ask("p95_ms", T0)[""] or (0, 0)
    assert (value, samples) == (pytest.approx(2000, rel=0.01), 100)
    # 10 of 1,000 over the hour, 10 of 100 over five minutes: ten times the budget of a thousandth.
    assert ask("burn_rate", T0) == {"": (pytest.approx(10), 100)}
    assert ask("burn_rate", at(600)) == {"": (0.0, 1000)}, "nothing is asked any more"


def test_measures_of_the_queue_and_the_machine() -> None:
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
    waits = ask("queue_oldest_s", now)
    assert waits["slow"] == (pytest.approx(90), None)
    assert {waits["later"], waits["default"]} == {(0.0, None)}
    assert ask("dead_letters", now) == {"": (1, None)}
    assert ask("dead_workers", now) == {"": (1, None)}
    (used,) = ask("disk_used_ratio", now).values()
    assert used is not None
    assert 0 < used[0] < 1


def test_health_is_sampled_and_grows_old() -> None:
    class Broken(Check):
        name = "broken"
        critical = True

        def run(self) -> Any:
            raise RuntimeError

    class Unwell(Broken):
        name = "unwell"
        critical = False

    class Well(Check):
        name = "well"

        def run(self) -> Any:
            return []

    assert health_sampling.sample_health(now=T0, chosen=[Broken(), Unwell(), Well()]) == 2
    assert ask("health_level", at(60)) == {"broken": (2, None), "unwell": (1, None), "well": (0, None)}
    assert health_sampling.sample_health(now=at(60), chosen=[Well()]) == 0
    assert ask("health_level", at(200)) == {"broken": None, "unwell": None, "well": (0, None)}


def test_long_windows_are_not_summed_every_time(django_assert_num_queries: Any) -> None:
    day = 86400
    ask("error_ratio", T0, window_s=day)
    metric = alert_metrics.get("error_ratio")
    assert metric is not None
    with django_assert_num_queries(0):
        metric.query(at(300), {"window_s": day})
    with django_assert_num_queries(1):
        metric.query(at(361), {"window_s": day})


def test_rules_of_the_program_are_made_once_and_are_staffs() -> None:
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
    assert evaluation.count_firing() == 0, "it is nobody's trouble"
    assert not Job.objects.filter(type=SEND_JOB).exists(), "nor are people told of it"
