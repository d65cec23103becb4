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

from monitoring.alerting.leadership import take_turn
from monitoring.alerting.measures import Series, measures
from monitoring.alerting.models import Alert, AlertRule, Silence, columns_of
from monitoring.alerting.outbox import write_message
from monitoring.alerting.rules import create_missing_rules
from monitoring.alerting.states import AlertState, Memory, Reading, Severity, Terms, step

logger = logging.getLogger(__name__)

NO_DATA = "no_data"
NO_DATA_AFTER_S = 300
_CLEAR = Terms(fire_above=0.5, clear_below=0.5, hold_s=0, keep_firing_s=0, severity=Severity.NONE)
Alerts = dict[str, Alert]
Labels = dict[str, str]


@dataclass(frozen=True, slots=True)
class Subject:
    """One alert that there is, or may be; and what it is judged by now."""

    rule: AlertRule
    labels: Labels
    terms: Terms
    reading: Reading | None

    @property
    def fingerprint(self) -> str:
        """Return the same text for the same rule and labels."""
        text = json.dumps([str(self.rule.pk), sorted(self.labels.items())])
        return hashlib.sha256(text.encode()).hexdigest()


def tick(holder: str) -> None:
    """Evaluate if it is this worker's turn. holder: names the worker."""
    now = timezone.now()
    if take_turn(holder=holder, now=now):
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
        for subject in _subjects_of(rule, known, now):
            changed += _evaluate_one(subject, known.get(subject.fingerprint), silences, now)
    return changed


def _subjects_of(rule: AlertRule, known: Alerts, now: datetime) -> list[Subject]:
    """Return what the rule finds now, and what it has found before and is not in the answer any more."""
    if not rule.is_enabled:
        return [Subject(rule, alert.labels, _CLEAR, Reading(0.0)) for alert in known.values()]
    answer = _ask(rule, now)
    subjects: list[Subject] = []
    for series in [Series(None)] if answer is None else answer:
        subject = Subject(rule, labels_of(rule, series.labels), rule.terms, series.reading)
        subjects += [subject, _silence_of(subject)] if rule.tells_no_data else [subject]
    found = {subject.fingerprint for subject in subjects}
    for fingerprint, alert in known.items():
        if fingerprint not in found:
            subjects.append(_left_out(rule, alert, has_answer=answer is not None))
    return subjects


def _left_out(rule: AlertRule, alert: Alert, *, has_answer: bool) -> Subject:
    """Return what was found before and is not spoken of any more."""
    if not has_answer:
        return Subject(rule, alert.labels, rule.terms, None)
    if NO_DATA in alert.labels:
        return Subject(rule, alert.labels, _CLEAR, Reading(0.0))
    measure = measures.get(rule.measure)
    return Subject(rule, alert.labels, rule.terms, measure.gone if measure is not None else None)


def _silence_of(subject: Subject) -> Subject:
    """Return the alert that nothing is measured: an alert like any other, told apart by its label."""
    terms = Terms(0.5, 0.5, NO_DATA_AFTER_S, 0, subject.rule.severity, reminder_s=subject.rule.reminder_s)
    reading = Reading(float(subject.reading is None))
    return Subject(subject.rule, {**subject.labels, NO_DATA: "true"}, terms, reading)


def _ask(rule: AlertRule, now: datetime) -> Sequence[Series] | None:
    """Return the readings of a rule; None where it cannot be asked."""
    measure = measures.get(rule.measure)
    if measure is None or measure.fault_of(rule.parameters):
        logger.warning("alert rule cannot be evaluated", extra={"rule": rule.name, "measure": rule.measure})
        return None
    try:
        return measure.ask(now, rule.parameters)
    except (Error, OSError):
        logger.exception("measure failed", extra={"rule": rule.name, "measure": rule.measure})
        return None


def labels_of(rule: AlertRule, labels: Mapping[str, str]) -> Labels:
    """Return the labels of an alert: those of the rule, those of what it found, and the rule's name."""
    own = {str(name): str(value) for name, value in rule.labels.items()}
    return {**own, **labels, "alertname": rule.name}


def _evaluate_one(subject: Subject, alert: Alert | None, silences: Sequence[Silence], now: datetime) -> int:
    before = alert.memory if alert is not None else Memory()
    matched = {**subject.labels, "severity": subject.rule.severity}
    is_muted = any(silence.covers(matched) for silence in silences)
    after, word = step(before, subject.terms, subject.reading, now=now, is_muted=is_muted)
    value = alert.value if alert is not None else None
    if subject.reading is not None and after.state != AlertState.INACTIVE:
        value = subject.reading.value
    if after == before and (alert is None or value == alert.value):
        return 0
    has_news = word is not None or after.state != before.state
    with transaction.atomic():
        alert = alert or _create(subject)
        written = _write(alert, after, value=value, number=F("number") + int(has_news))
        if written and word is not None:
            alert.refresh_from_db()
            write_message(alert=alert, rule=subject.rule, word=word, now=now)
    return int(written)


def _create(subject: Subject) -> Alert:
    alert, _ = Alert.objects.get_or_create(
        fingerprint=subject.fingerprint, defaults={"rule": subject.rule, "labels": subject.labels}
    )
    # As it was when nothing was known of it: one that another evaluator has changed since is its to change.
    alert.version = 0
    return alert


def _write(alert: Alert, memory: Memory, **columns: Any) -> bool:
    """Write what is known now, unless somebody else has written since it was read."""
    unchanged = Alert.objects.filter(pk=alert.pk, version=alert.version)
    columns |= columns_of(memory)
    if memory.acknowledged_at is None:
        columns["acknowledged_by"] = None
    return unchanged.update(version=F("version") + 1, **columns) == 1


def count_firing() -> int:
    """Return how many alerts fire that somebody is to be told of, for the dashboard."""
    firing = Alert.objects.filter(state=AlertState.FIRING)
    return firing.exclude(severity=Severity.NONE).count()
