"""Evaluation of alert rules. Several processes may evaluate at once: each change is written only once."""

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
    """An existing or possible alert, with its present thresholds and sample."""

    rule: AlertRule
    labels: Labels
    thresholds: Thresholds
    sample: MetricSample | None

    @property
    def fingerprint(self) -> str:
        """Return the SHA-256 of the rule's id and the labels."""
        text = json.dumps([str(self.rule.pk), sorted(self.labels.items())])
        return hashlib.sha256(text.encode()).hexdigest()


def evaluate_if_due(holder: str) -> None:
    """Evaluate all rules if this worker holds the lease and an evaluation is due. holder: the worker's name."""
    now = timezone.now()
    if claim_evaluation(holder=holder, now=now):
        create_missing_rules()
        evaluate(now=now)


def evaluate(*, now: datetime) -> int:
    """Evaluate all rules; return the number of changed alerts."""
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
    """Return the alerts of the rule's present samples, and the known alerts that have no sample any more."""
    if not rule.is_enabled:
        return [AlertCandidate(rule, alert.labels, _CLEAR, MetricSample(0.0)) for alert in known.values()]
    samples = _query_metric(rule, now)
    candidates: list[AlertCandidate] = []
    for labeled in [LabeledSample(None)] if samples is None else samples:
        candidate = AlertCandidate(rule, labels_of(rule, labeled.labels), rule.thresholds, labeled.sample)
        candidates += [candidate, _no_data_candidate(candidate)] if rule.alerts_on_no_data else [candidate]
    found = {candidate.fingerprint for candidate in candidates}
    for fingerprint, alert in known.items():
        if fingerprint not in found:
            candidates.append(_missing_candidate(rule, alert, has_samples=samples is not None))
    return candidates


def _missing_candidate(rule: AlertRule, alert: Alert, *, has_samples: bool) -> AlertCandidate:
    if not has_samples:
        return AlertCandidate(rule, alert.labels, rule.thresholds, None)
    if NO_DATA in alert.labels:
        return AlertCandidate(rule, alert.labels, _CLEAR, MetricSample(0.0))
    metric = alert_metrics.get(rule.metric)
    return AlertCandidate(rule, alert.labels, rule.thresholds, metric.sample_when_gone if metric is not None else None)


def _no_data_candidate(candidate: AlertCandidate) -> AlertCandidate:
    """Return the candidate that fires when there are no samples: an ordinary alert with a label of its own."""
    thresholds = Thresholds(0.5, 0.5, NO_DATA_AFTER_S, 0, candidate.rule.severity, reminder_s=candidate.rule.reminder_s)
    sample = MetricSample(float(candidate.sample is None))
    return AlertCandidate(candidate.rule, {**candidate.labels, NO_DATA: "true"}, thresholds, sample)


def _query_metric(rule: AlertRule, now: datetime) -> Sequence[LabeledSample] | None:
    """Return the samples of a rule; None if its metric is unknown or fails."""
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
    """Return the labels of an alert: those of the rule, those of the sample, and `alertname`."""
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
    # Version 0 makes the write below fail if another evaluator has changed the alert since.
    alert.version = 0
    return alert


def _write(alert: Alert, snapshot: AlertSnapshot, **columns: Any) -> bool:
    """Write the snapshot, unless the row has changed since it was read; return whether it was written."""
    unchanged = Alert.objects.filter(pk=alert.pk, version=alert.version)
    columns |= columns_of(snapshot)
    if snapshot.acknowledged_at is None:
        columns["acknowledged_by"] = None
    return unchanged.update(version=F("version") + 1, **columns) == 1


def count_firing() -> int:
    """Return the number of firing alerts with a severity, for the dashboard."""
    return Alert.objects.filter(state=AlertState.FIRING).exclude(severity=Severity.NONE).count()
