"""Requests that wait: the event stream's endpoint, `?wait=` and `Prefer`."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import services
from accounts.models import ApiKey
from renders.models import Render
from renders.views.events import RenderEventsViewSet
from renders.waiting import polling
from renders.waiting.polling import preferred_wait_s
from renders.waiting.progress import ProgressSnapshot
from renders.waiting.waiter_slots import WaiterSlots
from tests.factories import make_api_key, make_edit, make_render, make_user

RENDERS = "/api/v2/renders"


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
        monkeypatch.setattr("renders.views.events.waiter_slots", lambda: WaiterSlots(max_total=0, max_per_account=0))
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

    class FakeSubscriptionOf:
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
            return ProgressSnapshot.of(Render.objects.get(pk=self.pk))

    class FakeWatcherOf:
        def watching(self, pk):
            return FakeSubscriptionOf(pk)

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
        monkeypatch.setattr(polling, "waiter_slots", lambda: WaiterSlots(max_total=0, max_per_account=0))
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
