"""State machine of an alert: a pure function of snapshot, thresholds, sample and time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db import models

FLAPPING_CHANGES = 4
FLAPPING_WITHIN = timedelta(minutes=30)
STABLE_AFTER = timedelta(minutes=15)


class Severity(models.TextChoices):
    """How urgently an alert needs attention, in rising order."""

    NONE = "none"  # for programs only
    TICKET = "ticket"  # on the next working day
    PAGE = "page"  # immediately


class AlertState(models.TextChoices):
    """The state of an alert."""

    INACTIVE = "inactive"
    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


class NotifiedState(models.TextChoices):
    """The state that the last message reported."""

    NOTHING = "nothing"
    FIRING = "firing"
    FLAPPING = "flapping"


class MessageKind(models.TextChoices):
    """The kind of a message."""

    FIRING = "firing"
    WORSE = "worse"
    REMINDER = "reminder"
    FLAPPING = "flapping"
    RESOLVED = "resolved"


_RANKS: dict[str, int] = {severity: rank for rank, severity in enumerate(Severity)}
_STATE_AFTER_MESSAGE = {MessageKind.FLAPPING: NotifiedState.FLAPPING, MessageKind.RESOLVED: NotifiedState.NOTHING}


@dataclass(frozen=True, slots=True)
class MetricSample:
    """The value of a metric. samples: the number of observations behind it; None if not counted."""

    value: float
    samples: int | None = None


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The conditions of a rule. page_above: above this value alerts are pages, whatever the rule's severity."""

    fire_above: float
    clear_below: float
    for_s: float
    keep_firing_for_s: float
    severity: str
    page_above: float | None = None
    minimum_samples: int = 0
    reminder_s: float = 4 * 3600

    def is_breached(self, sample: MetricSample) -> bool:
        """Return whether an alert becomes, or stays, pending."""
        is_enough = sample.samples is None or sample.samples >= self.minimum_samples
        return is_enough and sample.value > self.fire_above

    def is_cleared(self, sample: MetricSample) -> bool:
        """Return whether a firing alert may resolve. Between the two thresholds nothing changes."""
        return sample.value < self.clear_below

    def severity_of(self, sample: MetricSample) -> str:
        """Return the rule's severity, or PAGE above `page_above`."""
        if self.page_above is not None and sample.value > self.page_above:
            return worst(self.severity, Severity.PAGE)
        return self.severity


@dataclass(frozen=True, slots=True)
class AlertSnapshot:
    """The stored state of an alert between two evaluations.

    since: of the state; clear_since: firing, but below `clear_below`; changes: recent times of firing and resolving.
    notified_state, notified_severity, notified_at: of the last message, from which the next one follows.
    """

    state: str = AlertState.INACTIVE
    since: datetime | None = None
    pending_since: datetime | None = None
    firing_since: datetime | None = None
    clear_since: datetime | None = None
    severity: str = Severity.NONE
    changes: tuple[datetime, ...] = ()
    flapping_since: datetime | None = None
    acknowledged_at: datetime | None = None
    notified_state: str = NotifiedState.NOTHING
    notified_severity: str = Severity.NONE
    notified_at: datetime | None = None


def worst(one: str, other: str) -> str:
    """Return the higher of two severities."""
    return one if _RANKS[one] >= _RANKS[other] else other


def step(
    snapshot: AlertSnapshot, thresholds: Thresholds, sample: MetricSample | None, *, now: datetime, is_muted: bool
) -> tuple[AlertSnapshot, MessageKind | None]:
    """Return the snapshot after an evaluation, and the kind of message to send, if any.

    sample: None without data, which changes no state. is_muted: send nothing now; messages still due are sent later.
    """
    snapshot = (
        _transition(snapshot, thresholds, sample, now) if sample is not None else replace(snapshot, clear_since=None)
    )
    snapshot = _update_flapping(snapshot, now)
    kind = None if is_muted else _due_message(snapshot, thresholds, now)
    if kind is None:
        return snapshot, None
    notified_state = _STATE_AFTER_MESSAGE.get(kind, NotifiedState.FIRING)
    return replace(snapshot, notified_state=notified_state, notified_severity=snapshot.severity, notified_at=now), kind


def _transition(snapshot: AlertSnapshot, thresholds: Thresholds, sample: MetricSample, now: datetime) -> AlertSnapshot:
    if snapshot.state == AlertState.FIRING:
        return _keep_firing(snapshot, thresholds, sample, now)
    if not thresholds.is_breached(sample):
        if snapshot.state == AlertState.INACTIVE:
            return snapshot
        # An alert that was pending and never fired sends no message.
        return replace(snapshot, state=AlertState.INACTIVE, since=now, pending_since=None)
    if snapshot.state != AlertState.PENDING:
        snapshot = replace(snapshot, state=AlertState.PENDING, since=now, pending_since=now)
    pending_since = snapshot.pending_since or now
    if now - pending_since < timedelta(seconds=thresholds.for_s):
        return snapshot
    return replace(
        snapshot,
        state=AlertState.FIRING,
        since=now,
        firing_since=now,
        clear_since=None,
        severity=thresholds.severity_of(sample),
        changes=(*snapshot.changes, now),
        acknowledged_at=None,
    )


def _keep_firing(snapshot: AlertSnapshot, thresholds: Thresholds, sample: MetricSample, now: datetime) -> AlertSnapshot:
    if not thresholds.is_cleared(sample):
        severity = worst(snapshot.severity, thresholds.severity_of(sample))
        # The acknowledgement of a ticket does not cover a page.
        acknowledged_at = snapshot.acknowledged_at if severity == snapshot.severity else None
        return replace(snapshot, clear_since=None, severity=severity, acknowledged_at=acknowledged_at)
    clear_since = snapshot.clear_since or now
    if now - clear_since < timedelta(seconds=thresholds.keep_firing_for_s):
        return replace(snapshot, clear_since=clear_since)
    return replace(
        snapshot,
        state=AlertState.RESOLVED,
        since=now,
        pending_since=None,
        clear_since=None,
        changes=(*snapshot.changes, now),
    )


def _update_flapping(snapshot: AlertSnapshot, now: datetime) -> AlertSnapshot:
    changes = snapshot.changes
    if snapshot.flapping_since is not None and (not changes or now - changes[-1] >= STABLE_AFTER):
        # Cleared, or the next single change would count as flapping again.
        return replace(snapshot, flapping_since=None, changes=())
    recent = tuple(moment for moment in changes if now - moment < FLAPPING_WITHIN)
    is_flapping = snapshot.flapping_since is not None or len(recent) >= FLAPPING_CHANGES
    flapping_since = (snapshot.flapping_since or now) if is_flapping else None
    if recent == changes and flapping_since == snapshot.flapping_since:
        return snapshot
    return replace(snapshot, changes=recent, flapping_since=flapping_since)


def _due_message(snapshot: AlertSnapshot, thresholds: Thresholds, now: datetime) -> MessageKind | None:
    if snapshot.flapping_since is not None:
        return None if snapshot.notified_state == NotifiedState.FLAPPING else MessageKind.FLAPPING
    if snapshot.state != AlertState.FIRING:
        return None if snapshot.notified_state == NotifiedState.NOTHING else MessageKind.RESOLVED
    if snapshot.notified_state != NotifiedState.FIRING:
        return MessageKind.FIRING
    if _RANKS[snapshot.severity] > _RANKS[snapshot.notified_severity]:
        return MessageKind.WORSE
    is_long_ago = snapshot.notified_at is None or now - snapshot.notified_at >= timedelta(seconds=thresholds.reminder_s)
    return MessageKind.REMINDER if is_long_ago and snapshot.acknowledged_at is None else None
