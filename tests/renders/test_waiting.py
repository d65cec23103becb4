"""Event numbers, the watcher, the slots and the stream."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from core.ids import uuid7
from renders.states import TRANSITIONS, RenderStatus
from renders.waiting import shutdown
from renders.waiting.progress import ProgressSnapshot, events_since, read_progress
from renders.waiting.stream import EventStream, TooManyStreams
from renders.waiting.waiter_slots import WaiterSlots
from renders.waiting.watcher import Watcher
from tests.factories import make_render

QUEUED = ProgressSnapshot(uuid7(), "queued", 0, 0.0, 0, 10, None, None, 3, None)


def at(status, attempt=1, percent=0.0, frame=0):
    return replace(QUEUED, status=status, attempt=attempt, percent=percent, frame=frame)


def events_of(seen, now):
    return [
        (event.id, event.kind, event.data["status" if event.kind == "status" else "percent"])
        for event in events_since(seen, now)
    ]


class TestNumbers:
    """Event numbers only grow, and show which events a client missed."""

    def test_every_transition_leads_to_a_greater_number(self):
        for status, targets in TRANSITIONS.items():
            for target in targets:
                before = at(status, attempt=0 if status in {"scheduled", "queued"} else 1, percent=50.0, frame=5)
                attempt = before.attempt + 1 if target == RenderStatus.FETCHING else before.attempt
                assert at(target, attempt).position > before.position, (status, target)

    def test_progress_increases_the_number_within_a_status(self):
        steps = [at("fetching"), at("rendering"), at("rendering", 1, 0.1, 1), at("rendering", 1, 0.1, 2)]
        steps += [at("rendering", 1, 100.0, 999_999), at("saving"), at("queued"), at("fetching", 2), at("failed", 2)]
        numbers = [step.position for step in steps]
        assert numbers == sorted(set(numbers))
        assert numbers[-1] < 2**53  # exact in JavaScript

    def test_a_new_client_gets_the_current_state(self):
        assert [kind for _, kind, _ in events_of(None, at("rendering", 1, 41.7, 5))] == ["status", "progress"]
        assert events_of(None, at("saving", 2))[0][2] == "saving"

    def test_a_reconnecting_client_gets_the_statuses_passed_meanwhile(self):
        seen = events_of(None, QUEUED)[-1][0]
        assert [what for _, _, what in events_of(seen, at("succeeded"))] == [
            "fetching",
            "rendering",
            "saving",
            "succeeded",
        ]
        seen = events_of(None, at("rendering", 1, 40.0, 4))[-1][0]
        assert [what for _, _, what in events_of(seen, at("rendering", 2, 10.0, 1))] == ["fetching", "rendering", 10.0]
        # How far it got before it failed is unknown.
        assert [what for _, _, what in events_of(seen, at("failed"))] == ["failed"]

    def test_no_event_is_sent_twice(self):
        states = [QUEUED, at("fetching"), at("rendering"), at("rendering", 1, 10.0, 1), at("rendering", 1, 60.0, 6)]
        states += [at("saving"), at("succeeded")]
        whole, seen = [], None
        for state in states:
            for event in events_since(seen, state):
                whole.append(event.id)
                seen = event.id
        assert whole == sorted(set(whole))
        for number, state in enumerate(states):
            for last in whole:
                again = [event.id for event in events_since(last, state)]
                assert all(event > last for event in again), (number, last)
        # From any event on, the remaining events end with the same one.
        for last in whole[:-1]:
            rest = [event.id for event in events_since(last, states[-1])]
            assert rest[-1] == whole[-1]
            assert set(rest) <= set(whole)

    @pytest.mark.django_db
    def test_snapshots_of_many_renders_are_read_in_one_query(self, django_assert_num_queries):
        renders = [make_render(status="rendering", percent=12.5, frame=3) for _ in range(3)]
        with django_assert_num_queries(1):
            found = read_progress([render.pk for render in renders])
        assert found == {render.pk: ProgressSnapshot.of(render) for render in renders}


class FakeProbe:
    poll_interval_s = 0.001

    def __init__(self, changed):
        self.changed = changed

    def __call__(self):
        return self.changed.is_set()


@pytest.fixture
def looks():
    """A watcher on fake rows, and the number of its reads."""

    class Looks:
        def __init__(self):
            self.rows, self.count, self.changed = {}, 0, threading.Event()
            self.watcher = Watcher(self.look, lambda: FakeProbe(self.changed))

        def look(self, ids):
            self.count += 1
            return {pk: self.rows[pk] for pk in ids if pk in self.rows}

    return Looks()


class TestWatcher:
    """One read serves all subscriptions."""

    def test_wakes_only_the_subscriptions_whose_render_changed(self, looks):
        other = replace(QUEUED, id=uuid7())
        looks.rows = {QUEUED.id: QUEUED, other.id: other}
        one, two, third = [looks.watcher.subscribe(pk) for pk in (QUEUED.id, QUEUED.id, other.id)]
        assert {subscription.wait(5) for subscription in (one, two, third)} == {QUEUED, other}
        looks.rows[QUEUED.id] = now = at("fetching")
        looks.changed.set()
        assert (one.wait(5), two.wait(5)) == (now, now)
        assert third.wait(0.01) == other
        for subscription in (one, two, third):
            looks.watcher.unsubscribe(subscription)

    def test_reads_once_for_a_new_subscription_and_not_again_without_a_change(self, looks):
        looks.rows = {QUEUED.id: QUEUED}
        with looks.watcher.watching(QUEUED.id) as subscription:
            assert subscription.wait(5) == QUEUED
            before = looks.count
            subscription.wait(0.05)
            assert looks.count == before

    def test_ends_its_thread_without_subscriptions(self, looks):
        looks.rows = {QUEUED.id: QUEUED}
        with looks.watcher.watching(QUEUED.id) as subscription:
            subscription.wait(5)
            thread = looks.watcher._thread
        thread.join(5)
        assert not thread.is_alive()
        with looks.watcher.watching(QUEUED.id) as subscription:
            assert subscription.wait(5) == QUEUED

    def test_wakes_all_subscriptions_when_the_server_stops(self, looks):
        try:
            with looks.watcher.watching(QUEUED.id) as subscription:
                threading.Timer(0.02, shutdown.shut_down).start()
                assert subscription.wait(20) is None
                assert subscription.wait(20) is None
        finally:
            shutdown._shutting_down.clear()


class TestWaiterSlots:
    """Limits in total and for each account."""

    def test_are_limited_by_process_and_account(self):
        slots = WaiterSlots(max_total=3, max_per_account=2)
        assert [slots.acquire("a"), slots.acquire("a"), slots.acquire("a")] == [True, True, False]
        assert [slots.acquire("b"), slots.acquire("c")] == [True, False]
        slots.release("a")
        assert [slots.acquire("c"), slots.in_use] == [True, 3]


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class FakeSubscription:
    """Advances the clock while it waits, and returns the snapshots of `script`."""

    def __init__(self, clock, script):
        self.clock, self.script = clock, list(script)

    def wait(self, timeout_s):
        if not self.script:
            self.clock.now += max(0.0, timeout_s)
            return None
        after_s, snapshot = self.script.pop(0)
        self.clock.now += after_s
        return snapshot


class FakeWatcher:
    def __init__(self, subscription):
        self.subscription, self.left = subscription, 0

    def subscribe(self, render_id):
        return self.subscription

    def unsubscribe(self, subscription):
        self.left += 1


def stream_of(script=(), *, first=QUEUED, seen=None, is_allowed=lambda: True, slots=None):
    clock = Clock()
    watcher = FakeWatcher(FakeSubscription(clock, script))
    slots = slots or WaiterSlots(max_total=5, max_per_account=5)
    stream = EventStream(
        first,
        account_id="alice",
        seen=seen,
        is_allowed=is_allowed,
        end_of=lambda: {"error": None},
        slots=slots,
        watcher=watcher,
        clock=clock,
    )
    return stream, clock, watcher, slots


class TestStream:
    """The bytes of an event stream."""

    def test_starts_at_once_and_ends_with_the_render(self):
        stream, _, watcher, slots = stream_of([(1, at("fetching")), (1, at("fetching")), (1, at("failed"))])
        pieces = list(stream)
        assert pieces[0].startswith(b"retry: 2000\n\nid: ")
        assert b"event: status\ndata: {" in pieces[0]
        assert [b'"fetching"' in pieces[1], b'"failed"' in pieces[2], b'"error":null' in pieces[2]] == [True] * 3
        assert all(piece.endswith(b"\n\n") for piece in pieces)
        assert len(pieces) == 3
        assert (watcher.left, slots.in_use) == (1, 0)

    def test_sends_a_heartbeat_every_fifteen_seconds(self):
        stream, clock, _, _ = stream_of()
        began = clock.now
        assert next(stream)
        assert [next(stream) for _ in range(3)] == [b": still here\n\n"] * 3
        assert clock.now - began == pytest.approx(45)

    def test_checks_the_key_even_while_events_are_sent(self):
        asked = []

        def is_allowed():
            asked.append(1)
            return len(asked) < 3

        script = [(1, at("rendering", 1, float(n), n)) for n in range(1, 90)]
        stream, clock, _, slots = stream_of(script, is_allowed=is_allowed)
        began = clock.now
        list(stream)
        assert clock.now - began == pytest.approx(45, abs=1)
        assert slots.in_use == 0

    def test_ends_after_the_maximum_duration(self):
        stream, clock, _, _ = stream_of()
        began = clock.now
        assert len(list(stream)) == 120
        assert clock.now - began == pytest.approx(1800)

    def test_releases_its_slot_once_however_it_ends(self):
        stream, _, watcher, slots = stream_of()
        next(stream)
        stream.close()
        stream.close()
        assert list(stream) == []
        assert (watcher.left, slots.in_use) == (1, 0)
        stream, _, watcher, slots = stream_of()
        del stream
        assert (watcher.left, slots.in_use) == (1, 0)

    def test_is_refused_without_a_free_slot(self):
        slots = WaiterSlots(max_total=1, max_per_account=1)
        stream, *_ = stream_of(slots=slots)
        with pytest.raises(TooManyStreams):
            stream_of(slots=slots)
        stream.close()
        assert slots.in_use == 0

    def test_an_exception_at_the_start_does_not_leak_a_slot(self):
        slots = WaiterSlots(max_total=1, max_per_account=1)
        with pytest.raises(TypeError):
            stream_of(first=replace(at("failed"), attempt="odd"), slots=slots)
        assert slots.in_use == 0
