"""What becomes of an alert at one evaluation. Pure: the clock, the reading and the rule come in, the rest comes out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db import models

FLAPPING_CHANGES = 4
FLAPPING_WITHIN = timedelta(minutes=30)
STABLE_AFTER = timedelta(minutes=15)


class Severity(models.TextChoices):
    """Who is to be bothered; in rising order."""

    NONE = "none"  # nobody: for programs
    TICKET = "ticket"  # somebody, tomorrow
    PAGE = "page"  # somebody, now


class AlertState(models.TextChoices):
    """Where an alert stands."""

    INACTIVE = "inactive"
    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


class Told(models.TextChoices):
    """What its readers believe of an alert."""

    NOTHING = "nothing"
    FIRING = "firing"
    FLAPPING = "flapping"


class Word(models.TextChoices):
    """What a message says."""

    FIRING = "firing"
    WORSE = "worse"
    REMINDER = "reminder"
    FLAPPING = "flapping"
    RESOLVED = "resolved"


_RANKS: dict[str, int] = {severity: rank for rank, severity in enumerate(Severity)}
_BELIEFS = {Word.FLAPPING: Told.FLAPPING, Word.RESOLVED: Told.NOTHING}


@dataclass(frozen=True, slots=True)
class Reading:
    """What a measure says. samples: how many things it was made of; None where it does not count any."""

    value: float
    samples: int | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What a rule asks for. worse_above: from where on its alerts are pages, whatever its severity."""

    fire_above: float
    clear_below: float
    hold_s: float
    keep_firing_s: float
    severity: str
    worse_above: float | None = None
    minimum_samples: int = 0
    reminder_s: float = 4 * 3600

    def is_met(self, reading: Reading) -> bool:
        """Return whether an alert begins, or goes on to wait."""
        is_enough = reading.samples is None or reading.samples >= self.minimum_samples
        return is_enough and reading.value > self.fire_above

    def is_over(self, reading: Reading) -> bool:
        """Return whether a firing alert has its cause no longer. Between the two thresholds nothing changes."""
        return reading.value < self.clear_below

    def severity_of(self, reading: Reading) -> str:
        """Return how bad it is."""
        if self.worse_above is not None and reading.value > self.worse_above:
            return worst(self.severity, Severity.PAGE)
        return self.severity


@dataclass(frozen=True, slots=True)
class Memory:
    """What is known of an alert between two evaluations.

    since: in this state; clear_since: firing, with its cause gone; changes: when it last began to fire or resolved.
    told, told_severity, told_at: the last message. What is owed to its readers follows from that and the state.
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
    told: str = Told.NOTHING
    told_severity: str = Severity.NONE
    told_at: datetime | None = None


def worst(one: str, other: str) -> str:
    """Return the higher of two severities."""
    return one if _RANKS[one] >= _RANKS[other] else other


def step(
    memory: Memory, terms: Terms, reading: Reading | None, *, now: datetime, is_muted: bool
) -> tuple[Memory, Word | None]:
    """Return what is known after an evaluation, and what is to be said.

    reading: None where there is nothing to go by, which changes no state. is_muted: say nothing now; what is then still
    true is said later.
    """
    memory = _move(memory, terms, reading, now) if reading is not None else replace(memory, clear_since=None)
    memory = _note_flapping(memory, now)
    word = None if is_muted else _word_due(memory, terms, now)
    if word is None:
        return memory, None
    told = _BELIEFS.get(word, Told.FIRING)
    return replace(memory, told=told, told_severity=memory.severity, told_at=now), word


def _move(memory: Memory, terms: Terms, reading: Reading, now: datetime) -> Memory:
    if memory.state == AlertState.FIRING:
        return _go_on_firing(memory, terms, reading, now)
    if not terms.is_met(reading):
        if memory.state == AlertState.INACTIVE:
            return memory
        # Also from pending: what never fired goes without a word.
        return replace(memory, state=AlertState.INACTIVE, since=now, pending_since=None)
    if memory.state != AlertState.PENDING:
        memory = replace(memory, state=AlertState.PENDING, since=now, pending_since=now)
    pending_since = memory.pending_since or now
    if now - pending_since < timedelta(seconds=terms.hold_s):
        return memory
    return replace(
        memory,
        state=AlertState.FIRING,
        since=now,
        firing_since=now,
        clear_since=None,
        severity=terms.severity_of(reading),
        changes=(*memory.changes, now),
        acknowledged_at=None,
    )


def _go_on_firing(memory: Memory, terms: Terms, reading: Reading, now: datetime) -> Memory:
    if not terms.is_over(reading):
        severity = worst(memory.severity, terms.severity_of(reading))
        # Who took note of a ticket has not taken note of a page.
        acknowledged_at = memory.acknowledged_at if severity == memory.severity else None
        return replace(memory, clear_since=None, severity=severity, acknowledged_at=acknowledged_at)
    clear_since = memory.clear_since or now
    if now - clear_since < timedelta(seconds=terms.keep_firing_s):
        return replace(memory, clear_since=clear_since)
    return replace(
        memory,
        state=AlertState.RESOLVED,
        since=now,
        pending_since=None,
        clear_since=None,
        changes=(*memory.changes, now),
    )


def _note_flapping(memory: Memory, now: datetime) -> Memory:
    changes = memory.changes
    if memory.flapping_since is not None and (not changes or now - changes[-1] >= STABLE_AFTER):
        # What made it flap is forgotten, or the next single change would make it flap again.
        return replace(memory, flapping_since=None, changes=())
    recent = tuple(moment for moment in changes if now - moment < FLAPPING_WITHIN)
    is_flapping = memory.flapping_since is not None or len(recent) >= FLAPPING_CHANGES
    flapping_since = (memory.flapping_since or now) if is_flapping else None
    if recent == changes and flapping_since == memory.flapping_since:
        return memory
    return replace(memory, changes=recent, flapping_since=flapping_since)


def _word_due(memory: Memory, terms: Terms, now: datetime) -> Word | None:
    if memory.flapping_since is not None:
        return None if memory.told == Told.FLAPPING else Word.FLAPPING
    if memory.state != AlertState.FIRING:
        return None if memory.told == Told.NOTHING else Word.RESOLVED
    if memory.told != Told.FIRING:
        return Word.FIRING
    if _RANKS[memory.severity] > _RANKS[memory.told_severity]:
        return Word.WORSE
    is_long_ago = memory.told_at is None or now - memory.told_at >= timedelta(seconds=terms.reminder_s)
    return Word.REMINDER if is_long_ago and memory.acknowledged_at is None else None
