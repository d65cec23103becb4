"""Ask what the rules ask, and write what follows. Any number of processes may do so: what changes, changes once."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import Error, transaction
from django.db.models import F
from django.utils import timezone

from monitoring.alerting.leadership import claim_evaluation
from monitoring.alerting.metrics import LabeledSample, alert_metrics
from monitoring.alerting.models import Alert, AlertRule, Silence, columns_of
from monitoring.alerting.outbox import write_message
from monitoring.alerting.rules import create_missing_rules
from monitoring.alerting.state_machine import AlertSnapshot, AlertState, MetricSample, Severity, Thresholds, step

logger = logging.getLogger(__name__)

NO_DATA = "no_data"
NO_DATA_AFTER_S = 300
_CLEAR = Thresholds(fire_above=0.5, clear_below=0.5, for_s=0, keep_firing_for_s=0, severity=Severity.NONE)
Alerts = dict[str, Alert]
Labels = dict[str, str]


@dataclass(frozen=True, slots=True)
class AlertCandidate:
    """One alert that there is, or may be; and what it is judged by now."""

    rule: AlertRule
    labels: Labels
    thresholds: Thresholds
    sample: MetricSample | None

    @property
    def fingerprint(self) -> str:
        """Return the same text for the same rule and labels."""
        text = json.dumps([str(self.rule.pk), sorted(self.labels.items())])
        return hashlib.sha256(text.encode()).hexdigest()


def evaluate_if_due(holder: str) -> None:
    """Evaluate if it is this worker's turn. holder: names the worker."""
    now = timezone.now()
    if claim_evaluation(holder=holder, now=now):
        create_missing_rules()
        evaluate(now=now)


def evaluate(*, now: datetime) -> int:
    """Evaluate all rules; return how many alerts have changed."""
    silences = list(Silence.objects.filter(starts_at__lte=now, ends_at__gt=now))
    alerts: dict[UUID, Alerts] = {}
    for alert in Alert.objects.all():
        alerts.setdefault(alert.rule_id, {})[alert.fingerprint] = alert
    changed = 0
    for rule in AlertRule.objects.order_by("name"):
        known = alerts.get(rule.pk, {})
        for candidate in _candidates_of(rule, known, now):
            changed += _evaluate_one(candidate, known.get(candidate.fingerprint), silences, now)
    return changed


def _candidates_of(rule: AlertRule, known: Alerts, now: datetime) -> list[AlertCandidate]:
    """Return what the rule finds now, and what it has found before and is not in the answer any more."""
    if not rule.is_enabled:
        return [AlertCandidate(rule, alert.labels, _CLEAR, MetricSample(0.0)) for alert in known.values()]
    answer = _query_metric(rule, now)
    candidates: list[AlertCandidate] = []
    for labeled in [LabeledSample(None)] if answer is None else answer:
        candidate = AlertCandidate(rule, labels_of(rule, labeled.labels), rule.thresholds, labeled.sample)
        candidates += [candidate, _no_data_candidate(candidate)] if rule.alerts_on_no_data else [candidate]
    found = {candidate.fingerprint for candidate in candidates}
    for fingerprint, alert in known.items():
        if fingerprint not in found:
            candidates.append(_missing_candidate(rule, alert, has_answer=answer is not None))
    return candidates


def _missing_candidate(rule: AlertRule, alert: Alert, *, has_answer: bool) -> AlertCandidate:
    """Return what was found before and is not spoken of any more."""
    if not has_answer:
        return AlertCandidate(rule, alert.labels, rule.thresholds, None)
    if NO_DATA in alert.labels:
        return AlertCandidate(rule, alert.labels, _CLEAR, MetricSample(0.0))
    metric = alert_metrics.get(rule.metric)
    return AlertCandidate(rule, alert.labels, rule.thresholds, metric.sample_when_gone if metric is not None else None)


def _no_data_candidate(candidate: AlertCandidate) -> AlertCandidate:
    """Return the alert that nothing is measured: an alert like any other, told apart by its label."""
    thresholds = Thresholds(0.5, 0.5, NO_DATA_AFTER_S, 0, candidate.rule.severity, reminder_s=candidate.rule.reminder_s)
    sample = MetricSample(float(candidate.sample is None))
    return AlertCandidate(candidate.rule, {**candidate.labels, NO_DATA: "true"}, thresholds, sample)


def _query_metric(rule: AlertRule, now: datetime) -> Sequence[LabeledSample] | None:
    """Return the samples of a rule; None where it cannot be asked."""
    metric = alert_metrics.get(rule.metric)
    if metric is None or metric.parameter_error(rule.parameters):
        logger.warning("alert rule cannot be evaluated", extra={"rule": rule.name, "metric": rule.metric})
        return None
    try:
        return metric.query(now, rule.parameters)
    except (Error, OSError):
        logger.exception("metric failed", extra={"rule": rule.name, "metric": rule.metric})
        return None


def labels_of(rule: AlertRule, labels: Mapping[str, str]) -> Labels:
    """Return the labels of an alert: those of the rule, those of what it found, and the rule's name."""
    own = {str(name): str(value) for name, value in rule.labels.items()}
    return {**own, **labels, "alertname": rule.name}


def _evaluate_one(candidate: AlertCandidate, alert: Alert | None, silences: Sequence[Silence], now: datetime) -> int:
    before = alert.snapshot if alert is not None else AlertSnapshot()
    matched = {**candidate.labels, "severity": candidate.rule.severity}
    is_muted = any(silence.covers(matched) for silence in silences)
    after, kind = step(before, candidate.thresholds, candidate.sample, now=now, is_muted=is_muted)
    value = alert.value if alert is not None else None
    if candidate.sample is not None and after.state != AlertState.INACTIVE:
        value = candidate.sample.value
    if after == before and (alert is None or value == alert.value):
        return 0
    has_changed = kind is not None or after.state != before.state
    with transaction.atomic():
        alert = alert or _create(candidate)
        written = _write(alert, after, value=value, number=F("number") + int(has_changed))
        if written and kind is not None:
            alert.refresh_from_db()
            write_message(alert=alert, rule=candidate.rule, kind=kind, now=now)
    return int(written)


def _create(candidate: AlertCandidate) -> Alert:
    alert, _ = Alert.objects.get_or_create(
        fingerprint=candidate.fingerprint, defaults={"rule": candidate.rule, "labels": candidate.labels}
    )
    # As it was when nothing was known of it: one that another evaluator has changed since is its to change.
    alert.version = 0
    return alert


def _write(alert: Alert, snapshot: AlertSnapshot, **columns: Any) -> bool:
    """Write what is known now, unless somebody else has written since it was read."""
    unchanged = Alert.objects.filter(pk=alert.pk, version=alert.version)
    columns |= columns_of(snapshot)
    if snapshot.acknowledged_at is None:
        columns["acknowledged_by"] = None
    return unchanged.update(version=F("version") + 1, **columns) == 1


def count_firing() -> int:
    """Return how many alerts fire that somebody is to be told of, for the dashboard."""
    firing = Alert.objects.filter(state=AlertState.FIRING)
    return firing.exclude(severity=Severity.NONE).count()
