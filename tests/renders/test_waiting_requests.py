"""Waiting requests: the event stream endpoint, `?wait=` and `Prefer`."""

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
    """Permissions, and the responses before the stream starts."""

    def test_streams_the_final_event_of_an_ended_render(self, client, alice):
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
    def test_refuses_an_invalid_event_id(self, client, alice, header):
        render = make_render(alice)
        response = client.get(f"{RENDERS}/{render.public_id}/events", headers={"Last-Event-ID": header})
        assert (response.status_code, response.json()["code"]) == (400, "invalid_header")

    def test_refusals_are_problem_documents_whatever_the_accept_header(self, client):
        response = client.get(f"{RENDERS}/rnd_0/events", headers={"Accept": "text/event-stream"})
        assert (response.status_code, response["Content-Type"]) == (404, "application/problem+json")

    def test_too_many_streams_are_refused_with_429(self, client, alice, monkeypatch):
        monkeypatch.setattr("renders.views.events.waiter_slots", lambda: WaiterSlots(max_total=0, max_per_account=0))
        response = client.get(f"{RENDERS}/{make_render(alice).public_id}/events")
        assert (response.status_code, response.json()["policy"]) == (429, "streams")
        assert response["Retry-After"] == "5"

    def test_is_missing_in_version_1(self, client, alice):
        render = make_render(alice)
        response = client.get(f"/api/v1/renders/{render.public_id}/events")
        assert (response.status_code, response.json()["available_in"]) == (404, ["v2"])
        assert client.get(f"/api/v1/renders/{render.public_id}").json()["links"]["events"] is None
        links = client.get(f"{RENDERS}/{render.public_id}").json()["links"]
        assert links["events"] == f"{links['self']}/events"

    def test_notices_a_revoked_or_narrowed_credential(self, alice, rf):
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
    """The waits that begin, with an action to run during each; no time passes."""
    started = []

    class FakeSubscriptionOf:
        def __init__(self, pk):
            self.pk = pk

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def wait(self, left_s):
            started.append(left_s)
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
    recorded = type("Waits", (), {"started": started, "meanwhile": meanwhile})
    monkeypatch.setattr(polling, "watcher", FakeWatcherOf)
    return recorded


@pytest.mark.django_db
class TestLongPoll:
    """`GET /renders/{id}?wait=`."""

    def test_responds_only_to_a_change_of_status(self, client, alice, waits):
        render = make_render(alice)
        waits.meanwhile += [{"percent": 5.0}, {"status": "fetching", "attempt": 1}]
        answer = client.get(f"{RENDERS}/{render.public_id}?wait=20").json()
        assert answer["status"] == "fetching"
        assert len(waits.started) == 2
        assert 19 < waits.started[0] <= 20

    def test_responds_with_the_current_state_after_the_timeout(self, client, alice, waits):
        response = client.get(f"{RENDERS}/{make_render(alice).public_id}?wait=0.5")
        assert (response.status_code, response.json()["status"]) == (200, "queued")
        assert len(waits.started) == 1

    @pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled"])
    def test_does_not_wait_for_an_ended_render(self, client, alice, waits, status):
        client.get(f"{RENDERS}/{make_render(alice, status=status).public_id}?wait=30")
        assert waits.started == []

    def test_does_not_wait_for_0_seconds_or_without_a_free_slot(self, client, alice, waits, monkeypatch):
        render = make_render(alice)
        client.get(f"{RENDERS}/{render.public_id}?wait=0")
        monkeypatch.setattr(polling, "waiter_slots", lambda: WaiterSlots(max_total=0, max_per_account=0))
        assert client.get(f"{RENDERS}/{render.public_id}?wait=30").json()["status"] == "queued"
        assert waits.started == []

    @pytest.mark.parametrize("text", ["31", "30.5", "-1", "x", "", "1e1", "٣", "NaN"])
    def test_refuses_an_invalid_number_of_seconds(self, client, alice, waits, text):
        response = client.get(f"{RENDERS}/{make_render(alice).public_id}", {"wait": text})
        assert (response.status_code, response.json()["parameter"]) == (400, "wait")

    def test_a_render_of_another_account_is_missing_at_once(self, client, waits):
        render = make_render(make_user("bob"))
        assert client.get(f"{RENDERS}/{render.public_id}?wait=30").status_code == 404
        assert waits.started == []

    def test_waits_only_if_the_client_has_the_current_state(self, client, alice, waits):
        path = f"{RENDERS}/{make_render(alice).public_id}"
        tag = client.get(path)["ETag"]
        stale = client.get(f"{path}?wait=9", headers={"If-None-Match": 'W/"other"'})
        assert (stale.status_code, waits.started) == (200, [])
        same = client.get(f"{path}?wait=9", headers={"If-None-Match": tag})
        assert (same.status_code, len(waits.started)) == (304, 1)

    def test_is_missing_in_version_1(self, client, alice):
        response = client.get(f"/api/v1/renders/{make_render(alice).public_id}?wait=1")
        assert (response.status_code, response.json()["available_in"]) == (404, ["v2"])


@pytest.mark.django_db
class TestPrefer:
    """`Prefer: wait=N` on submissions."""

    ENDED = {"status": "failed", "credits_charged": 0, "error": {"code": "x"}}

    def end(self, alice):
        return {**self.ENDED, "finished_at": timezone.now() + timedelta(seconds=1)}

    def test_responds_200_with_the_ended_render(self, client, alice, waits):
        waits.meanwhile += [{"status": "fetching", "attempt": 1}, self.end(alice)]
        response = client.post(RENDERS, {"edit": make_edit()}, headers={"Prefer": "respond-async, wait=10"})
        render = Render.objects.get()
        assert (response.status_code, response.json()["status"]) == (200, "failed")
        assert response["Preference-Applied"] == "wait=10"
        assert response["Location"] == f"{RENDERS}/{render.public_id}"
        assert response["ETag"] == client.get(response["Location"])["ETag"]

    def test_responds_202_after_the_timeout(self, client, alice, waits):
        response = client.post(RENDERS, {"edit": make_edit()}, headers={"Prefer": "wait=99"})
        assert (response.status_code, response["Preference-Applied"]) == (202, "wait=30")
        assert len(waits.started) == 1

    @pytest.mark.parametrize(("path", "body"), [("/api/v1/renders", {}), (RENDERS, {"dry_run": True})])
    def test_is_ignored_elsewhere(self, client, alice, waits, path, body):
        response = client.post(path, {"edit": make_edit(), **body}, headers={"Prefer": "wait=10"})
        assert response.status_code in {200, 202}
        assert "Preference-Applied" not in response
        assert waits.started == []

    def test_a_repeat_gets_the_202_response(self, client, alice, waits):
        waits.meanwhile += [self.end(alice)]
        headers = {"Prefer": "wait=10", "Idempotency-Key": "w"}
        first = client.post(RENDERS, {"edit": make_edit()}, headers=headers)
        again = client.post(RENDERS, {"edit": make_edit()}, headers=headers)
        assert (first.status_code, again.status_code, again["Idempotent-Replayed"]) == (200, 202, "true")
        assert (again.json()["id"], again.json()["status"]) == (first.json()["id"], "queued")
        assert len(waits.started) == 1
        assert Render.objects.count() == 1

    def test_parses_the_header_as_rfc_7240_says(self):
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
