"""Event numbers, the watcher, the places, `?wait=` and `Prefer`."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import services
from accounts.models import ApiKey
from core.ids import uuid7
from renders.models import Render
from renders.states import TRANSITIONS, RenderStatus
from renders.views.events import RenderEventsViewSet
from renders.waiting import polling, stopping
from renders.waiting.places import Places
from renders.waiting.polling import preferred_wait_s
from renders.waiting.standings import Standing, events_since, read_standings
from renders.waiting.stream import EventStream, TooManyStreams
from renders.waiting.watcher import Watcher
from tests.factories import make_api_key, make_edit, make_render, make_user

RENDERS = "/api/v2/renders"
QUEUED = Standing(uuid7(), "queued", 0, 0.0, 0, 10, None, None, 3, None)


def at(status, attempt=1, percent=0.0, frame=0):
    return replace(QUEUED, status=status, attempt=attempt, percent=percent, frame=frame)


def told(seen, now):
    return [
        (event.id, event.kind, event.data["status" if event.kind == "status" else "percent"])
        for event in events_since(seen, now)
    ]


class TestNumbers:
    """They only grow, and say what was missed."""

    def test_every_way_between_states_leads_to_a_greater_number(self):
        for status, targets in TRANSITIONS.items():
            for target in targets:
                before = at(status, attempt=0 if status in {"scheduled", "queued"} else 1, percent=50.0, frame=5)
                attempt = before.attempt + 1 if target == RenderStatus.FETCHING else before.attempt
                assert at(target, attempt).position > before.position, (status, target)

    def test_progress_counts_up_within_its_status(self):
        steps = [at("fetching"), at("rendering"), at("rendering", 1, 0.1, 1), at("rendering", 1, 0.1, 2)]
        steps += [at("rendering", 1, 100.0, 999_999), at("saving"), at("queued"), at("fetching", 2), at("failed", 2)]
        numbers = [step.position for step in steps]
        assert numbers == sorted(set(numbers))
        assert numbers[-1] < 2**53  # exact in JavaScript

    def test_a_newcomer_hears_of_the_present(self):
        assert [kind for _, kind, _ in told(None, at("rendering", 1, 41.7, 5))] == ["status", "progress"]
        assert told(None, at("saving", 2))[0][2] == "saving"

    def test_who_comes_back_hears_what_was_passed_meanwhile(self):
        seen = told(None, QUEUED)[-1][0]
        assert [what for _, _, what in told(seen, at("succeeded"))] == ["fetching", "rendering", "saving", "succeeded"]
        seen = told(None, at("rendering", 1, 40.0, 4))[-1][0]
        assert [what for _, _, what in told(seen, at("rendering", 2, 10.0, 1))] == ["fetching", "rendering", 10.0]
        # How far it came before it failed nobody knows.
        assert [what for _, _, what in told(seen, at("failed"))] == ["failed"]

    def test_nothing_is_told_twice(self):
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
        # Wherever a client left off, what it gets then ends with the same events.
        for last in whole[:-1]:
            rest = [event.id for event in events_since(last, states[-1])]
            assert rest[-1] == whole[-1]
            assert set(rest) <= set(whole)

    @pytest.mark.django_db
    def test_are_read_for_many_in_one_query(self, django_assert_num_queries):
        renders = [make_render(status="rendering", percent=12.5, frame=3) for _ in range(3)]
        with django_assert_num_queries(1):
            found = read_standings([render.pk for render in renders])
        assert found == {render.pk: Standing.of(render) for render in renders}


class FakeProbe:
    nap_s = 0.001

    def __init__(self, changed):
        self.changed = changed

    def __call__(self):
        return self.changed.is_set()


@pytest.fixture
def looks():
    """What the watcher sees and how often it looked, with a watcher that never reads a database."""

    class Looks:
        def __init__(self):
            self.rows, self.count, self.changed = {}, 0, threading.Event()
            self.watcher = Watcher(self.look, lambda: FakeProbe(self.changed))

        def look(self, ids):
            self.count += 1
            return {pk: self.rows[pk] for pk in ids if pk in self.rows}

    return Looks()


class TestWatcher:
    """One look for all who wait."""

    def test_wakes_those_whose_render_changed(self, looks):
        other = replace(QUEUED, id=uuid7())
        looks.rows = {QUEUED.id: QUEUED, other.id: other}
        one, two, third = [looks.watcher.enter(pk) for pk in (QUEUED.id, QUEUED.id, other.id)]
        assert {ticket.wait(5) for ticket in (one, two, third)} == {QUEUED, other}
        looks.rows[QUEUED.id] = now = at("fetching")
        looks.changed.set()
        assert (one.wait(5), two.wait(5)) == (now, now)
        assert third.wait(0.01) == other
        for ticket in (one, two, third):
            looks.watcher.leave(ticket)

    def test_looks_once_for_a_newcomer_and_not_again_without_a_change(self, looks):
        looks.rows = {QUEUED.id: QUEUED}
        with looks.watcher.watching(QUEUED.id) as ticket:
            assert ticket.wait(5) == QUEUED
            before = looks.count
            ticket.wait(0.05)
            assert looks.count == before

    def test_ends_its_thread_when_nobody_waits(self, looks):
        looks.rows = {QUEUED.id: QUEUED}
        with looks.watcher.watching(QUEUED.id) as ticket:
            ticket.wait(5)
            thread = looks.watcher._thread
        thread.join(5)
        assert not thread.is_alive()
        with looks.watcher.watching(QUEUED.id) as ticket:
            assert ticket.wait(5) == QUEUED

    def test_lets_everybody_go_when_the_server_stops(self, looks):
        try:
            with looks.watcher.watching(QUEUED.id) as ticket:
                threading.Timer(0.02, stopping.stop).start()
                assert ticket.wait(20) is None
                assert ticket.wait(20) is None
        finally:
            stopping._stopping.clear()


class TestPlaces:
    """So many in all, so many of one account."""

    def test_are_bounded_by_process_and_account(self):
        places = Places(most=3, most_of_account=2)
        assert [places.take("a"), places.take("a"), places.take("a")] == [True, True, False]
        assert [places.take("b"), places.take("c")] == [True, False]
        places.give_back("a")
        assert [places.take("c"), places.taken] == [True, 3]


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class FakeTicket:
    """Time passes as it waits; `script` is what it then sees."""

    def __init__(self, clock, script):
        self.clock, self.script = clock, list(script)

    def wait(self, timeout_s):
        if not self.script:
            self.clock.now += max(0.0, timeout_s)
            return None
        after_s, standing = self.script.pop(0)
        self.clock.now += after_s
        return standing


class FakeWatcher:
    def __init__(self, ticket):
        self.ticket, self.left = ticket, 0

    def enter(self, render_id):
        return self.ticket

    def leave(self, ticket):
        self.left += 1


def stream_of(script=(), *, first=QUEUED, seen=None, is_allowed=lambda: True, places=None):
    clock = Clock()
    watcher = FakeWatcher(FakeTicket(clock, script))
    places = places or Places(most=5, most_of_account=5)
    stream = EventStream(
        first,
        account_id="alice",
        seen=seen,
        is_allowed=is_allowed,
        end_of=lambda: {"error": None},
        places=places,
        watcher=watcher,
        clock=clock,
    )
    return stream, clock, watcher, places


class TestStream:
    """Bytes as browsers want them."""

    def test_begins_at_once_and_ends_with_the_render(self):
        stream, _, watcher, places = stream_of([(1, at("fetching")), (1, at("fetching")), (1, at("failed"))])
        pieces = list(stream)
        assert pieces[0].startswith(b"retry: 2000\n\nid: ")
        assert b"event: status\ndata: {" in pieces[0]
        assert [b'"fetching"' in pieces[1], b'"failed"' in pieces[2], b'"error":null' in pieces[2]] == [True] * 3
        assert all(piece.endswith(b"\n\n") for piece in pieces)
        assert len(pieces) == 3
        assert (watcher.left, places.taken) == (1, 0)

    def test_beats_every_fifteen_seconds(self):
        stream, clock, _, _ = stream_of()
        began = clock.now
        assert next(stream)
        assert [next(stream) for _ in range(3)] == [b": still here\n\n"] * 3
        assert clock.now - began == pytest.approx(45)

    def test_asks_for_the_key_even_while_events_come(self):
        asked = []

        def is_allowed():
            asked.append(1)
            return len(asked) < 3

        script = [(1, at("rendering", 1, float(n), n)) for n in range(1, 90)]
        stream, clock, _, places = stream_of(script, is_allowed=is_allowed)
        began = clock.now
        list(stream)
        assert clock.now - began == pytest.approx(45, abs=1)
        assert places.taken == 0

    def test_does_not_go_on_for_ever(self):
        stream, clock, _, _ = stream_of()
        began = clock.now
        assert len(list(stream)) == 120
        assert clock.now - began == pytest.approx(1800)

    def test_gives_its_place_back_once_however_it_ends(self):
        stream, _, watcher, places = stream_of()
        next(stream)
        stream.close()
        stream.close()
        assert list(stream) == []
        assert (watcher.left, places.taken) == (1, 0)
        stream, _, watcher, places = stream_of()
        del stream
        assert (watcher.left, places.taken) == (1, 0)

    def test_refuses_where_there_is_no_place(self):
        places = Places(most=1, most_of_account=1)
        stream, *_ = stream_of(places=places)
        with pytest.raises(TooManyStreams):
            stream_of(places=places)
        stream.close()
        assert places.taken == 0

    def test_a_mistake_while_it_begins_costs_no_place(self):
        places = Places(most=1, most_of_account=1)
        with pytest.raises(TypeError):
            stream_of(first=replace(at("failed"), attempt="odd"), places=places)
        assert places.taken == 0


@pytest.mark.django_db
class TestEventsEndpoint:
    """Who may, and what is answered before the stream begins."""

    def test_streams_the_end_of_one_that_has_ended(self, client, alice):
        render = make_render(alice, status="succeeded")
        response = client.get(f"{RENDERS}/{render.public_id}/events", headers={"Accept": "text/event-stream"})
        assert (response.status_code, response["Content-Type"]) == (200, "text/event-stream; charset=utf-8")
        assert (response["Cache-Control"], response["X-Accel-Buffering"]) == ("no-store", "no")
        body = b"".join(response).decode()
        assert '"status":"succeeded"' in body
        assert '"size_bytes":1000' in body
        assert "ETag" not in response
        number = body.split("id: ")[1].split("\n")[0]
        again = client.get(f"{RENDERS}/{render.public_id}/events", headers={"Last-Event-ID": number})
        assert (again.status_code, again.content) == (204, b"")

    @pytest.mark.parametrize("header", ["x", "-1", "1.5", "9" * 20])
    def test_refuses_an_id_that_no_event_has(self, client, alice, header):
        render = make_render(alice)
        response = client.get(f"{RENDERS}/{render.public_id}/events", headers={"Last-Event-ID": header})
        assert (response.status_code, response.json()["code"]) == (400, "invalid_header")

    def test_refusals_are_problems_whatever_is_accepted(self, client):
        response = client.get(f"{RENDERS}/rnd_0/events", headers={"Accept": "text/event-stream"})
        assert (response.status_code, response["Content-Type"]) == (404, "application/problem+json")

    def test_says_when_too_many_listen(self, client, alice, monkeypatch):
        monkeypatch.setattr("renders.views.events.places", lambda: Places(most=0, most_of_account=0))
        response = client.get(f"{RENDERS}/{make_render(alice).public_id}/events")
        assert (response.status_code, response.json()["policy"]) == (429, "streams")
        assert response["Retry-After"] == "5"

    def test_version_1_has_none(self, client, alice):
        render = make_render(alice)
        response = client.get(f"/api/v1/renders/{render.public_id}/events")
        assert (response.status_code, response.json()["available_in"]) == (404, ["v2"])
        assert client.get(f"/api/v1/renders/{render.public_id}").json()["links"]["events"] is None
        links = client.get(f"{RENDERS}/{render.public_id}").json()["links"]
        assert links["events"] == f"{links['self']}/events"

    def test_notices_what_became_of_the_credential(self, alice, rf):
        view = RenderEventsViewSet(action="events", action_map={"get": "events"})
        text = make_api_key(alice)
        view.request = view.initialize_request(rf.get("/", headers={"X-API-Key": text}))
        assert view._is_allowed(view.request)
        ApiKey.objects.update(scopes=["assets:read"])
        assert not view._is_allowed(view.request)
        ApiKey.objects.update(scopes=["*"])
        services.revoke_api_key(key=ApiKey.objects.get())
        assert not view._is_allowed(view.request)


@pytest.fixture
def waits(monkeypatch):
    """Each wait that begins, with what to do meanwhile; time does not pass."""
    begun = []

    class FakeTicketOf:
        def __init__(self, pk):
            self.pk = pk

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def wait(self, left_s):
            begun.append(left_s)
            change = meanwhile.pop(0) if meanwhile else None
            if change is None:
                monkeypatch.setattr(polling.time, "monotonic", lambda: float("inf"))
                return None
            Render.objects.filter(pk=self.pk).update(**change)
            return Standing.of(Render.objects.get(pk=self.pk))

    class FakeWatcherOf:
        def watching(self, pk):
            return FakeTicketOf(pk)

    meanwhile: list = []
    begun_and = type("Waits", (), {"begun": begun, "meanwhile": meanwhile})
    monkeypatch.setattr(polling, "watcher", FakeWatcherOf)
    return begun_and


@pytest.mark.django_db
class TestLongPoll:
    """`GET /renders/{id}?wait=`."""

    def test_answers_on_a_change_of_status_only(self, client, alice, waits):
        render = make_render(alice)
        waits.meanwhile += [{"percent": 5.0}, {"status": "fetching", "attempt": 1}]
        answer = client.get(f"{RENDERS}/{render.public_id}?wait=20").json()
        assert answer["status"] == "fetching"
        assert len(waits.begun) == 2
        assert 19 < waits.begun[0] <= 20

    def test_answers_the_present_when_the_time_is_over(self, client, alice, waits):
        response = client.get(f"{RENDERS}/{make_render(alice).public_id}?wait=0.5")
        assert (response.status_code, response.json()["status"]) == (200, "queued")
        assert len(waits.begun) == 1

    @pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled"])
    def test_does_not_wait_for_what_has_ended(self, client, alice, waits, status):
        client.get(f"{RENDERS}/{make_render(alice, status=status).public_id}?wait=30")
        assert waits.begun == []

    def test_does_not_wait_for_0_seconds_nor_without_a_place(self, client, alice, waits, monkeypatch):
        render = make_render(alice)
        client.get(f"{RENDERS}/{render.public_id}?wait=0")
        monkeypatch.setattr(polling, "places", lambda: Places(most=0, most_of_account=0))
        assert client.get(f"{RENDERS}/{render.public_id}?wait=30").json()["status"] == "queued"
        assert waits.begun == []

    @pytest.mark.parametrize("text", ["31", "30.5", "-1", "x", "", "1e1", "٣", "NaN"])
    def test_refuses_what_is_no_such_time(self, client, alice, waits, text):
        response = client.get(f"{RENDERS}/{make_render(alice).public_id}", {"wait": text})
        assert (response.status_code, response.json()["parameter"]) == (400, "wait")

    def test_somebody_elses_is_missing_at_once(self, client, waits):
        render = make_render(make_user("bob"))
        assert client.get(f"{RENDERS}/{render.public_id}?wait=30").status_code == 404
        assert waits.begun == []

    def test_waits_only_while_the_client_has_the_present(self, client, alice, waits):
        path = f"{RENDERS}/{make_render(alice).public_id}"
        tag = client.get(path)["ETag"]
        stale = client.get(f"{path}?wait=9", headers={"If-None-Match": 'W/"other"'})
        assert (stale.status_code, waits.begun) == (200, [])
        same = client.get(f"{path}?wait=9", headers={"If-None-Match": tag})
        assert (same.status_code, len(waits.begun)) == (304, 1)

    def test_version_1_has_none(self, client, alice):
        response = client.get(f"/api/v1/renders/{make_render(alice).public_id}?wait=1")
        assert (response.status_code, response.json()["available_in"]) == (404, ["v2"])


@pytest.mark.django_db
class TestPrefer:
    """`Prefer: wait=N` on submissions."""

    ENDED = {"status": "failed", "credits_charged": 0, "error": {"code": "x"}}

    def end(self, alice):
        return {**self.ENDED, "finished_at": timezone.now() + timedelta(seconds=1)}

    def test_answers_200_with_the_render_that_has_ended(self, client, alice, waits):
        waits.meanwhile += [{"status": "fetching", "attempt": 1}, self.end(alice)]
        response = client.post(RENDERS, {"edit": make_edit()}, headers={"Prefer": "respond-async, wait=10"})
        render = Render.objects.get()
        assert (response.status_code, response.json()["status"]) == (200, "failed")
        assert response["Preference-Applied"] == "wait=10"
        assert response["Location"] == f"{RENDERS}/{render.public_id}"
        assert response["ETag"] == client.get(response["Location"])["ETag"]

    def test_answers_202_when_the_time_is_over(self, client, alice, waits):
        response = client.post(RENDERS, {"edit": make_edit()}, headers={"Prefer": "wait=99"})
        assert (response.status_code, response["Preference-Applied"]) == (202, "wait=30")
        assert len(waits.begun) == 1

    @pytest.mark.parametrize(("path", "body"), [("/api/v1/renders", {}), (RENDERS, {"dry_run": True})])
    def test_is_not_applied_elsewhere(self, client, alice, waits, path, body):
        response = client.post(path, {"edit": make_edit(), **body}, headers={"Prefer": "wait=10"})
        assert response.status_code in {200, 202}
        assert "Preference-Applied" not in response
        assert waits.begun == []

    def test_a_repeat_gets_the_acceptance(self, client, alice, waits):
        waits.meanwhile += [self.end(alice)]
        headers = {"Prefer": "wait=10", "Idempotency-Key": "w"}
        first = client.post(RENDERS, {"edit": make_edit()}, headers=headers)
        again = client.post(RENDERS, {"edit": make_edit()}, headers=headers)
        assert (first.status_code, again.status_code, again["Idempotent-Replayed"]) == (200, 202, "true")
        assert (again.json()["id"], again.json()["status"]) == (first.json()["id"], "queued")
        assert len(waits.begun) == 1
        assert Render.objects.count() == 1

    def test_reads_the_header_as_its_standard_says(self):
        cases = {
            "wait=5": 5,
            "Wait = 5": 5,
            'wait="7"': 7,
            "respond-async,wait=3;x=y": 3,
            "wait=1, wait=2": 1,
            "wait=60": 30,
            "": None,
            "wait": None,
            "wait=-1": None,
            "nowait=5": None,
            "wait=5s": None,
        }
        assert {text: preferred_wait_s(text) for text in cases} == cases
