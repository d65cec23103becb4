"""What becomes of an alert, evaluation by evaluation, by a clock that the test turns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from monitoring.alerting.state_machine import (
    AlertSnapshot,
    AlertState,
    MessageKind,
    MetricSample,
    NotifiedState,
    Severity,
    Thresholds,
    step,
)

T0 = datetime(2026, 11, 23, 12, tzinfo=UTC)
EVERY_S = 15
THRESHOLDS = Thresholds(fire_above=0.10, clear_below=0.07, for_s=120, keep_firing_for_s=60, severity=Severity.TICKET)
BAD, MIDDLE, GOOD = MetricSample(0.2), MetricSample(0.08), MetricSample(0.01)


class Clock:
    """An alert that is evaluated every 15 s. kinds: (seconds since the start, what was said)."""

    def __init__(self, thresholds: Thresholds = THRESHOLDS) -> None:
        self.thresholds = thresholds
        self.snapshot = AlertSnapshot()
        self.now = T0
        self.kinds: list[tuple[int, str]] = []

    def run(self, sample: MetricSample | None, seconds: int, *, is_muted: bool = False) -> Clock:
        for _ in range(seconds // EVERY_S):
            self.snapshot, kind = step(self.snapshot, self.thresholds, sample, now=self.now, is_muted=is_muted)
            if kind is not None:
                self.kinds.append((int((self.now - T0).total_seconds()), str(kind)))
            self.now += timedelta(seconds=EVERY_S)
        return self

    @property
    def said(self) -> list[str]:
        return [kind for _, kind in self.kinds]


def test_a_spike_shorter_than_the_hold_says_nothing() -> None:
    clock = Clock().run(GOOD, 30).run(BAD, 120)
    assert clock.snapshot.state == AlertState.PENDING
    clock.run(GOOD, 600)
    assert (clock.kinds, clock.snapshot.state, clock.snapshot.changes) == ([], AlertState.INACTIVE, ())


def test_fires_and_resolves_at_the_very_evaluation() -> None:
    clock = Clock().run(GOOD, 30).run(BAD, 300)
    # True from 30 s on; the first evaluation 120 s later is at 150 s.
    assert clock.kinds == [(150, "firing")]
    assert clock.snapshot.firing_since == T0 + timedelta(seconds=150)
    clock.run(GOOD, 300)
    # False from 330 s on, for 60 s.
    assert clock.kinds == [(150, "firing"), (390, "resolved")]
    assert clock.snapshot.state == AlertState.INACTIVE


def test_without_a_hold_it_fires_at_once() -> None:
    assert Clock(Thresholds(0.5, 0.5, 0, 0, Severity.PAGE)).run(MetricSample(1), 15).kinds == [(0, "firing")]


def test_between_the_thresholds_nothing_changes() -> None:
    assert Clock().run(MIDDLE, 600).snapshot.state == AlertState.INACTIVE
    assert Clock().run(BAD, 150).run(MIDDLE, 3600).snapshot.state == AlertState.FIRING


def test_clears_for_the_whole_time_or_not_at_all() -> None:
    clock = Clock().run(BAD, 150)
    for _ in range(10):
        clock.run(GOOD, 60).run(MIDDLE, 15)
    assert (clock.snapshot.state, clock.said) == (AlertState.FIRING, ["firing"])


def test_few_samples_fire_nothing_and_let_what_fires_go_on() -> None:
    few, enough = MetricSample(0.5, 19), MetricSample(0.5, 20)
    thresholds = Thresholds(0.1, 0.07, 0, 0, Severity.PAGE, minimum_samples=20)
    assert Clock(thresholds).run(few, 600).kinds == []
    assert Clock(thresholds).run(enough, 15).run(few, 600).snapshot.state == AlertState.FIRING
    assert Clock(thresholds).run(enough, 15).run(MetricSample(0.0, 3), 30).said == ["firing", "resolved"]


def test_no_data_keeps_every_state() -> None:
    for before in (Clock(), Clock().run(BAD, 60), Clock().run(BAD, 150)):
        state, said = before.snapshot.state, list(before.said)
        before.run(None, 3600)
        assert (before.snapshot.state, before.said) == (state, said)
    # What was clear before the gap must be clear for the whole time after it.
    clock = Clock().run(BAD, 150).run(GOOD, 30).run(None, 600)
    assert clock.run(GOOD, 60).said == ["firing"]
    assert clock.run(GOOD, 15).said == ["firing", "resolved"]


def test_a_hundred_oscillations_say_four_things() -> None:
    clock = Clock(Thresholds(0.1, 0.07, 0, 0, Severity.PAGE))
    for _ in range(100):
        clock.run(BAD, 30).run(GOOD, 30)
    assert clock.said == ["firing", "resolved", "firing", "flapping"]
    # Stable for 15 minutes: how it ended is told, once.
    clock.run(GOOD, 3600)
    assert clock.said[4:] == ["resolved"]
    assert clock.snapshot.flapping_since is None
    assert clock.run(BAD, 60).said[5:] == ["firing"]


def test_what_ends_its_flapping_while_it_fires_is_said_to_fire() -> None:
    clock = Clock(Thresholds(0.1, 0.07, 0, 0, Severity.PAGE))
    for _ in range(10):
        clock.run(BAD, 60).run(GOOD, 60)
    clock.run(BAD, 15 * 60)
    assert clock.said[-1] == "flapping"
    clock.run(BAD, 30)
    assert clock.said[-1] == "firing"


def test_slow_changes_are_not_flapping() -> None:
    clock = Clock(Thresholds(0.1, 0.07, 0, 0, Severity.PAGE))
    for _ in range(6):
        clock.run(BAD, 11 * 60).run(GOOD, 11 * 60)
    assert clock.said == ["firing", "resolved"] * 6


def test_worse_is_said_and_asks_for_another_acknowledgement() -> None:
    clock = Clock(Thresholds(0.1, 0.07, 0, 0, Severity.TICKET, page_above=0.5)).run(BAD, 60)
    clock.snapshot = AlertSnapshot(**{**_columns(clock.snapshot), "acknowledged_at": T0})
    clock.run(MetricSample(0.6), 30)
    assert clock.said == ["firing", "worse"]
    assert (clock.snapshot.severity, clock.snapshot.acknowledged_at) == (Severity.PAGE, None)
    # It does not get better bit by bit: it is resolved, or it is as bad as it was.
    clock.run(BAD, 60).run(MetricSample(0.6), 60)
    assert clock.said == ["firing", "worse"]


def test_reminds_every_four_hours_until_acknowledged() -> None:
    clock = Clock().run(BAD, 120 + 8 * 3600 + 15)
    assert clock.kinds == [(120, "firing"), (120 + 4 * 3600, "reminder"), (120 + 8 * 3600, "reminder")]
    clock.snapshot = AlertSnapshot(**{**_columns(clock.snapshot), "acknowledged_at": clock.now})
    clock.run(BAD, 24 * 3600)
    assert len(clock.kinds) == 3
    assert clock.run(GOOD, 120).said[3:] == ["resolved"]


def test_silence_keeps_messages_and_not_states() -> None:
    clock = Clock().run(BAD, 600, is_muted=True)
    assert (clock.snapshot.state, clock.said) == (AlertState.FIRING, [])
    # What is still true when it ends is said then.
    assert clock.run(BAD, 15).said == ["firing"]
    # What came and went in silence is never spoken of.
    other = Clock().run(BAD, 600, is_muted=True).run(GOOD, 600, is_muted=True).run(GOOD, 60)
    assert (other.snapshot.state, other.said, other.snapshot.notified_state) == (
        AlertState.INACTIVE,
        [],
        NotifiedState.NOTHING,
    )
    # What its readers believe to fire is called off, if late.
    late = Clock().run(BAD, 150).run(GOOD, 600, is_muted=True)
    assert (late.said, late.run(GOOD, 15).said) == (["firing"], ["firing", "resolved"])


def test_a_gap_in_the_evaluations_loses_nothing() -> None:
    clock = Clock().run(BAD, 60)
    clock.now += timedelta(seconds=45)
    clock.run(BAD, 60)
    assert clock.kinds == [(120, str(MessageKind.FIRING))]
    assert clock.snapshot.pending_since == T0


def _columns(snapshot: AlertSnapshot) -> dict:
    return {name: getattr(snapshot, name) for name in AlertSnapshot.__dataclass_fields__}
