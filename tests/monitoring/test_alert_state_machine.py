"""The alert state machine, evaluation by evaluation, with a fake clock."""

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


class Simulation:
    """An alert that is evaluated every 15 s. kinds: (seconds since the start, kind of message)."""

    def __init__(self, thresholds: Thresholds = THRESHOLDS) -> None:
        self.thresholds = thresholds
        self.snapshot = AlertSnapshot()
        self.now = T0
        self.kinds: list[tuple[int, str]] = []

    def run(self, sample: MetricSample | None, seconds: int, *, is_muted: bool = False) -> Simulation:
        for _ in range(seconds // EVERY_S):
            self.snapshot, kind = step(self.snapshot, self.thresholds, sample, now=self.now, is_muted=is_muted)
            if kind is not None:
                self.kinds.append((int((self.now - T0).total_seconds()), str(kind)))
            self.now += timedelta(seconds=EVERY_S)
        return self

    @property
    def sent(self) -> list[str]:
        return [kind for _, kind in self.kinds]


def test_a_spike_shorter_than_for_s_sends_nothing() -> None:
    simulation = Simulation().run(GOOD, 30).run(BAD, 120)
    assert simulation.snapshot.state == AlertState.PENDING
    simulation.run(GOOD, 600)
    assert (simulation.kinds, simulation.snapshot.state, simulation.snapshot.changes) == ([], AlertState.INACTIVE, ())


def test_fires_and_resolves_at_the_first_possible_evaluation() -> None:
    simulation = Simulation().run(GOOD, 30).run(BAD, 300)
    # True from 30 s on; the first evaluation 120 s later is at 150 s.
    assert simulation.kinds == [(150, "firing")]
    assert simulation.snapshot.firing_since == T0 + timedelta(seconds=150)
    simulation.run(GOOD, 300)
    # False from 330 s on, for 60 s.
    assert simulation.kinds == [(150, "firing"), (390, "resolved")]
    assert simulation.snapshot.state == AlertState.INACTIVE


def test_without_for_s_it_fires_at_once() -> None:
    assert Simulation(Thresholds(0.5, 0.5, 0, 0, Severity.PAGE)).run(MetricSample(1), 15).kinds == [(0, "firing")]


def test_between_the_thresholds_nothing_changes() -> None:
    assert Simulation().run(MIDDLE, 600).snapshot.state == AlertState.INACTIVE
    assert Simulation().run(BAD, 150).run(MIDDLE, 3600).snapshot.state == AlertState.FIRING


def test_resolves_only_after_being_clear_for_the_whole_time() -> None:
    simulation = Simulation().run(BAD, 150)
    for _ in range(10):
        simulation.run(GOOD, 60).run(MIDDLE, 15)
    assert (simulation.snapshot.state, simulation.sent) == (AlertState.FIRING, ["firing"])


def test_few_samples_neither_fire_nor_keep_from_resolving() -> None:
    few, enough = MetricSample(0.5, 19), MetricSample(0.5, 20)
    thresholds = Thresholds(0.1, 0.07, 0, 0, Severity.PAGE, minimum_samples=20)
    assert Simulation(thresholds).run(few, 600).kinds == []
    assert Simulation(thresholds).run(enough, 15).run(few, 600).snapshot.state == AlertState.FIRING
    assert Simulation(thresholds).run(enough, 15).run(MetricSample(0.0, 3), 30).sent == ["firing", "resolved"]


def test_no_data_changes_no_state() -> None:
    for before in (Simulation(), Simulation().run(BAD, 60), Simulation().run(BAD, 150)):
        state, sent = before.snapshot.state, list(before.sent)
        before.run(None, 3600)
        assert (before.snapshot.state, before.sent) == (state, sent)
    # After the gap it must be clear for the whole time again.
    simulation = Simulation().run(BAD, 150).run(GOOD, 30).run(None, 600)
    assert simulation.run(GOOD, 60).sent == ["firing"]
    assert simulation.run(GOOD, 15).sent == ["firing", "resolved"]


def test_a_hundred_oscillations_send_four_messages() -> None:
    simulation = Simulation(Thresholds(0.1, 0.07, 0, 0, Severity.PAGE))
    for _ in range(100):
        simulation.run(BAD, 30).run(GOOD, 30)
    assert simulation.sent == ["firing", "resolved", "firing", "flapping"]
    # After 15 stable minutes one message reports the final state.
    simulation.run(GOOD, 3600)
    assert simulation.sent[4:] == ["resolved"]
    assert simulation.snapshot.flapping_since is None
    assert simulation.run(BAD, 60).sent[5:] == ["firing"]


def test_an_alert_that_stops_flapping_while_firing_sends_firing() -> None:
    simulation = Simulation(Thresholds(0.1, 0.07, 0, 0, Severity.PAGE))
    for _ in range(10):
        simulation.run(BAD, 60).run(GOOD, 60)
    simulation.run(BAD, 15 * 60)
    assert simulation.sent[-1] == "flapping"
    simulation.run(BAD, 30)
    assert simulation.sent[-1] == "firing"


def test_slow_changes_are_not_flapping() -> None:
    simulation = Simulation(Thresholds(0.1, 0.07, 0, 0, Severity.PAGE))
    for _ in range(6):
        simulation.run(BAD, 11 * 60).run(GOOD, 11 * 60)
    assert simulation.sent == ["firing", "resolved"] * 6


def test_a_raised_severity_sends_worse_and_clears_the_acknowledgement() -> None:
    simulation = Simulation(Thresholds(0.1, 0.07, 0, 0, Severity.TICKET, page_above=0.5)).run(BAD, 60)
    simulation.snapshot = AlertSnapshot(**{**_columns(simulation.snapshot), "acknowledged_at": T0})
    simulation.run(MetricSample(0.6), 30)
    assert simulation.sent == ["firing", "worse"]
    assert (simulation.snapshot.severity, simulation.snapshot.acknowledged_at) == (Severity.PAGE, None)
    # The severity never drops while it fires.
    simulation.run(BAD, 60).run(MetricSample(0.6), 60)
    assert simulation.sent == ["firing", "worse"]


def test_reminds_every_four_hours_until_acknowledged() -> None:
    simulation = Simulation().run(BAD, 120 + 8 * 3600 + 15)
    assert simulation.kinds == [(120, "firing"), (120 + 4 * 3600, "reminder"), (120 + 8 * 3600, "reminder")]
    simulation.snapshot = AlertSnapshot(**{**_columns(simulation.snapshot), "acknowledged_at": simulation.now})
    simulation.run(BAD, 24 * 3600)
    assert len(simulation.kinds) == 3
    assert simulation.run(GOOD, 120).sent[3:] == ["resolved"]


def test_a_silence_delays_messages_but_not_states() -> None:
    simulation = Simulation().run(BAD, 600, is_muted=True)
    assert (simulation.snapshot.state, simulation.sent) == (AlertState.FIRING, [])
    # An alert that still fires when the silence ends sends its message then.
    assert simulation.run(BAD, 15).sent == ["firing"]
    # An alert that fired and resolved while silenced sends nothing.
    other = Simulation().run(BAD, 600, is_muted=True).run(GOOD, 600, is_muted=True).run(GOOD, 60)
    assert (other.snapshot.state, other.sent, other.snapshot.notified_state) == (
        AlertState.INACTIVE,
        [],
        NotifiedState.NOTHING,
    )
    # The resolution of an alert reported as firing is sent late.
    late = Simulation().run(BAD, 150).run(GOOD, 600, is_muted=True)
    assert (late.sent, late.run(GOOD, 15).sent) == (["firing"], ["firing", "resolved"])


def test_a_gap_in_the_evaluations_keeps_pending_since() -> None:
    simulation = Simulation().run(BAD, 60)
    simulation.now += timedelta(seconds=45)
    simulation.run(BAD, 60)
    assert simulation.kinds == [(120, str(MessageKind.FIRING))]
    assert simulation.snapshot.pending_since == T0


def _columns(snapshot: AlertSnapshot) -> dict:
    return {name: getattr(snapshot, name) for name in AlertSnapshot.__dataclass_fields__}
