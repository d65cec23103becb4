"""Signed reports of external workers: the order of checks, the replay table, the state machine, credits and rows."""

from __future__ import annotations

import json
import random
from datetime import timedelta

import pytest
from django.utils import timezone

from core import counters, events
from core.retention import retentions
from credits.models import CreditAccount, CreditEntry
from credits.selectors import check_ledger
from credits.services import adjust
from jobs.models import Job, JobAttempt
from jobs.services import reap_expired
from renders.events import RenderSucceeded
from renders.external import messages
from renders.external.messages import VerifiedMessage
from renders.external.reports import ReportStatus, WorkerReport, process_report
from renders.models import ExternalLease, Render, WorkerMessage
from renders.services.cancel import cancel_render
from tests.api.test_problems import assert_problem
from tests.factories import make_render
from tests.renders.external_worker import OTHER, SECOND, SECRET, ExternalWorkerClient, submit

pytestmark = pytest.mark.django_db
FACTS = {
    "format": "mp4",
    "content_type": "video/mp4",
    "width": 64,
    "height": 36,
    "fps": 10.0,
    "duration_s": 1.0,
    "frames": 10,
    "cost": 1,
    "key": "renders/x/1/output-1.mp4",
    "sha256": "a" * 64,
    "size_bytes": 1234,
}


@pytest.fixture(autouse=True)
def _secrets(settings):
    settings.RENDEROWL_WORKER_SECRETS = {"default": (SECRET, SECOND), "gpu": (OTHER,)}


@pytest.fixture(autouse=True)
def _the_ledger_always_sums(db):
    yield
    assert list(check_ledger()) == []


@pytest.fixture
def clock(monkeypatch):
    """The clock of the server and of the worker."""

    class Clock:
        now = 1_800_000_000.0

    monkeypatch.setattr(messages.time, "time", lambda: Clock.now)
    return Clock


@pytest.fixture
def worker_client():
    return ExternalWorkerClient()


@pytest.fixture
def render(alice):
    return submit(alice)


@pytest.fixture
def job_spec(render, worker_client):
    return worker_client.take()


def uploaded(**facts):
    ExternalLease.objects.update(output={**FACTS, **facts})


def balance(user):
    return CreditAccount.objects.get(user=user).balance


def fresh(render):
    return Render.objects.get(pk=render.pk)


# --- Signatures -------------------------------------------------------------------------------------------------------


def test_the_signature_covers_every_bit_of_a_request(worker_client, job_spec, render):
    body = json.dumps(
        {
            "render": job_spec["job"]["render"],
            "lease_token": job_spec["lease_token"],
            "status": "rendering",
            "percent": 5,
        }
    ).encode()
    headers = worker_client.headers(body, "msg_a")
    bodies = set()
    for part in ("webhook-id", "webhook-timestamp", "webhook-signature", "body"):
        raw = body if part == "body" else headers[part].encode()
        for bit in range(len(raw) * 8):
            flipped = bytearray(raw)
            flipped[bit // 8] ^= 1 << bit % 8
            wrong = {**headers, part: flipped.decode("latin-1")} if part != "body" else headers
            response = worker_client.post(bytes(flipped) if part == "body" else body, wrong)
            assert response.status_code == 401, (part, bit)
            problem = response.json()
            problem.pop("instance")
            bodies.add(json.dumps(problem))
    assert len(bodies) == 1
    assert (WorkerMessage.objects.count(), fresh(render).percent) == (0, 0.0)
    assert worker_client.post(body, headers).status_code == 200


def test_all_401_responses_are_identical(worker_client, job_spec, clock):
    worker_client.now = clock.now
    body = b"{}"
    good = worker_client.headers(body)
    answers = set()
    for wrong in (
        {},
        {**good, "webhook-id": ""},
        {**good, "webhook-timestamp": "1"},
        {**good, "webhook-signature": "v1,AAAA"},
        {**good, "webhook-id": "msg_x"},
    ):
        response = worker_client.post(body, wrong)
        problem = assert_problem(response, 401, "unauthenticated")
        problem.pop("instance")
        answers.add((json.dumps(problem), response["WWW-Authenticate"]))
    assert len(answers) == 1


def test_reports_are_refused_without_configured_secrets(worker_client, job_spec, settings):
    settings.RENDEROWL_WORKER_SECRETS = {}
    assert_problem(worker_client.report(job_spec), 401, "unauthenticated")


def test_either_secret_of_a_pool_is_accepted(worker_client, job_spec):
    worker_client.secret = SECOND
    assert worker_client.report(job_spec, percent=1).status_code == 200


def test_another_pool_cannot_report_for_this_one(worker_client, job_spec):
    worker_client.secret = OTHER
    assert_problem(worker_client.report(job_spec, percent=1), 409, "stale_attempt")


def test_an_api_key_does_not_replace_the_signature(worker_client, job_spec):
    body = json.dumps(
        {"render": job_spec["job"]["render"], "lease_token": job_spec["lease_token"], "status": "rendering"}
    )
    response = worker_client.post(body.encode(), {"X-API-Key": worker_client.key})
    assert_problem(response, 401, "unauthenticated")


def test_the_body_size_is_checked_first(worker_client):
    problem = assert_problem(worker_client.post(b"x" * (64 * 1024 + 1), {}), 413, "payload_too_large")
    assert problem["limit_bytes"] == 64 * 1024
    body = b" " * (64 * 1024)
    assert_problem(worker_client.post(body, worker_client.headers(body)), 400, "malformed_json")


def test_the_order_of_checks(worker_client, job_spec, render):
    def send(body, headers=None):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return worker_client.post(raw, worker_client.headers(raw) if headers is None else headers)

    whole = {"render": render.public_id, "lease_token": job_spec["lease_token"], "status": "rendering"}
    assert_problem(send(b"{", {}), 401, "unauthenticated")
    assert_problem(send(b"{"), 400, "malformed_json")
    assert_problem(send([]), 422, "validation_error")
    assert_problem(send({**whole, "render": "rnd_x"}), 422, "validation_error")
    assert_problem(send({**whole, "render": "rnd_" + "0" * 26}), 404, "not_found")
    assert_problem(send({**whole, "lease_token": "x"}), 409, "stale_attempt")
    assert send(whole).status_code == 200
    assert WorkerMessage.objects.count() == 1


@pytest.mark.parametrize(
    "members",
    [
        {"status": "cancelled"},
        {"percent": 101},
        {"percent": -1},
        {"percent": "much"},
        {"frame": -1},
        {"frame": 1.5},
        {"frame": 10**12},
        {"total_frames": 0},
        {"status": "failed", "error": {"code": "Not Snake"}},
        {"status": "failed", "error": {"x": 1}},
        {"status": "failed", "error": 5},
        {"lease_token": None},
        {"speed": 1},
    ],
)
def test_refuses_invalid_members(worker_client, job_spec, members):
    assert_problem(worker_client.report(job_spec, **members), 422, "validation_error")
    assert WorkerMessage.objects.count() == 0


def test_allows_only_post(worker_client):
    assert_problem(worker_client.client.get("/webhooks/render-progress"), 405, "method_not_allowed")


def test_a_render_that_no_external_worker_has_is_stale(worker_client, job_spec, alice):
    local = make_render(alice, status="rendering")
    job_spec["job"]["render"] = local.public_id
    assert_problem(worker_client.report(job_spec), 409, "stale_attempt")


# --- Replays ----------------------------------------------------------------------------------------------------------


def test_a_replay_has_no_effect_and_is_refused_later(worker_client, job_spec, render, clock):
    worker_client.now = clock.now
    body = json.dumps(
        {"render": render.public_id, "lease_token": job_spec["lease_token"], "status": "rendering", "percent": 40}
    ).encode()
    headers = worker_client.headers(body)
    assert worker_client.post(body, headers).json()["duplicate"] is False
    before = Render.objects.values().get(), ExternalLease.objects.values().get(), Job.objects.values().get()
    for later_s, status in ((0, 200), (300, 200), (301, 401)):
        clock.now = worker_client.now + later_s
        response = worker_client.post(body, headers)
        assert response.status_code == status
        if status == 200:
            assert response.json() == {"duplicate": True}
    assert before == (Render.objects.values().get(), ExternalLease.objects.values().get(), Job.objects.values().get())
    assert WorkerMessage.objects.count() == 1


def test_another_body_with_the_same_id_is_a_conflict(worker_client, job_spec, render):
    assert worker_client.report(job_spec, message_id="msg_same", percent=10).status_code == 200
    assert_problem(worker_client.report(job_spec, message_id="msg_same", percent=20), 409, "message_id_reused")
    assert fresh(render).percent == 10.0


def test_a_refused_message_may_be_sent_again(worker_client, job_spec, render):
    assert_problem(worker_client.report(job_spec, "succeeded", message_id="msg_end"), 409, "invalid_state")
    uploaded()
    assert worker_client.report(job_spec, "succeeded", message_id="msg_end").json()["status"] == "succeeded"
    assert fresh(render).status == "succeeded"


def test_the_same_id_in_another_pool_is_another_message(worker_client, job_spec, alice, settings):
    assert worker_client.report(job_spec, message_id="msg_1", percent=1).status_code == 200
    Job.objects.update(limit_running=2)
    other = ExternalWorkerClient(secret=OTHER, name="gpu-2", pool="gpu")
    second = submit(make_render().owner)
    assert other.report(other.take(), message_id="msg_1", percent=2).status_code == 200
    assert fresh(second).percent == 2.0


def test_messages_are_deleted_after_a_day(worker_client, job_spec):
    worker_client.report(job_spec, message_id="msg_old", percent=1)
    worker_client.report(job_spec, message_id="msg_new", percent=2)
    day = timedelta(hours=24)
    WorkerMessage.objects.filter(message_id="msg_old").update(created_at=timezone.now() - day - timedelta(seconds=1))
    WorkerMessage.objects.filter(message_id="msg_new").update(created_at=timezone.now() - day + timedelta(seconds=60))
    # A command that shortened it would allow a captured message to be replayed.
    assert retentions["messages of external workers"].delete_batch(timezone.now(), keep=timedelta(0)) == 1
    assert retentions["messages of external workers"].delete_batch(timezone.now()) == 0
    assert [row.message_id for row in WorkerMessage.objects.all()] == ["msg_new"]


# --- Progress ---------------------------------------------------------------------------------------------------------


def test_progress_is_shown_to_the_owner_and_extends_the_lease(worker_client, job_spec, render, client):
    Job.objects.update(lease_expires_at=timezone.now() + timedelta(seconds=1))
    answer = worker_client.report(job_spec, percent=41.7, frame=125, total_frames=300).json()
    assert (answer["status"], answer["ignored"], answer["cancel"]) == ("rendering", False, False)
    assert answer["lease_expires_at"].endswith("Z")
    assert Job.objects.get().lease_expires_at > timezone.now() + timedelta(seconds=20)
    shown = client.get(f"/api/v2/renders/{render.public_id}").json()
    assert shown["status"] == "rendering"
    assert {name: shown["progress"][name] for name in ("percent", "frame", "total_frames")} == {
        "percent": 41.7,
        "frame": 125,
        "total_frames": 300,
    }


def test_progress_never_falls_and_ignored_reports_are_counted(worker_client, job_spec, render):
    worker_client.report(job_spec, percent=50, frame=5, total_frames=10)
    for members in ({"percent": 40, "frame": 4}, {"percent": 50, "frame": 5, "total_frames": 10}, {}):
        assert worker_client.report(job_spec, **members).json()["ignored"] is True
    found = fresh(render)
    assert (found.percent, found.frame, found.total_frames) == (50.0, 5, 10)
    lease = ExternalLease.objects.get()
    assert (lease.reports, lease.ignored) == (4, 3)
    assert counters.counts()["renderowl_worker_reports_ignored_total"] >= 3


def test_percent_is_derived_from_frames(worker_client, job_spec, render):
    worker_client.report(job_spec, frame=3, total_frames=12)
    assert fresh(render).percent == 25.0


COLUMNS = ("status", "attempt", "percent", "frame", "total_frames", "output_sha256", "credits_charged", "error")


def run_updates(job_spec, render, updates):
    """Process verified reports; each number is one message."""
    for number, members in updates:
        body = json.dumps(members).encode()
        message = VerifiedMessage("default", f"msg_{render.pk.hex}_{number}", body)
        status = ReportStatus(members.get("status", "rendering"))
        figures = {name: members.get(name) for name in ("percent", "frame", "total_frames")}
        process_report(message=message, report=WorkerReport(render.pk, job_spec["lease_token"], status, **figures))
    row = Render.objects.values(*COLUMNS).get(pk=render.pk)
    lease = ExternalLease.objects.get(render=render)
    return row, lease.total_frames, Job.objects.get(pk=render.job_id).status


@pytest.mark.acceptance
def test_a_thousand_shuffled_and_duplicated_updates_end_as_in_order(worker_client, alice):
    in_order = [
        (n, {"percent": n / 4, "frame": n * 3, **({"total_frames": 1200} if n % 3 else {})}) for n in range(1, 101)
    ]
    Job.objects.update(limit_running=2)
    first, second = submit(alice), submit(make_render().owner)
    wanted = run_updates(worker_client.take(), first, in_order)
    rng = random.Random(7)
    shuffled = [*in_order, *rng.choices(in_order, k=1000 - len(in_order))]
    rng.shuffle(shuffled)
    assert run_updates(worker_client.take(), second, shuffled) == wanted
    assert (wanted[0]["percent"], wanted[0]["frame"], wanted[1]) == (25.0, 300, 1200)
    assert ExternalLease.objects.get(render=second).reports == 100


def test_shuffled_updates_around_the_end_change_nothing(worker_client, alice, job_spec, render):
    uploaded()
    rng = random.Random(8)
    updates = [(n, {"percent": n, "frame": n}) for n in range(1, 60)] * 2 + [(100, {"status": "succeeded"})] * 3
    rng.shuffle(updates)
    row, _, job = run_updates(job_spec, render, updates)
    assert row == {
        "status": "succeeded",
        "attempt": 1,
        "percent": 100.0,
        "frame": 10,
        "total_frames": 10,
        "output_sha256": "a" * 64,
        "credits_charged": 1,
        "error": None,
    }
    assert job == "succeeded"
    assert CreditEntry.objects.filter(user=alice, kind="settle").count() == 1


# --- Outcomes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reports_first", [True, False])
def test_success_settles_everything_at_once(worker_client, job_spec, render, alice, reports_first):
    if reports_first:
        worker_client.report(job_spec, percent=90, frame=9, total_frames=10)
    uploaded()
    answer = worker_client.report(job_spec, "succeeded", percent=100).json()
    assert answer == {
        "duplicate": False,
        "ignored": False,
        "cancel": False,
        "status": "succeeded",
        "lease_expires_at": None,
    }
    found = fresh(render)
    assert (found.status, found.percent, found.frame, found.output_key) == ("succeeded", 100.0, 10, FACTS["key"])
    assert (found.output_width, found.output_height, found.output_size_bytes) == (64, 36, 1234)
    assert found.credits_charged == 1
    assert balance(alice) == 999
    job = Job.objects.get(pk=render.job_id)
    assert (job.status, job.result) == ("succeeded", {"render": render.public_id})
    assert JobAttempt.objects.get(job=job).outcome == "succeeded"
    assert Job.objects.filter(type="renders.make_pictures", payload={"render": str(render.pk)}).count() == 1
    assert ExternalLease.objects.get().ended_at is not None


def test_success_is_published_once(worker_client, job_spec, render):
    published = []
    with events.subscriptions.override():
        events.subscribe(RenderSucceeded)(published.append)
        uploaded()
        worker_client.report(job_spec, "succeeded")
        worker_client.report(job_spec, "succeeded")
    assert [event.render_id for event in published] == [render.pk]


def test_pictures_uploaded_by_the_worker_are_used(worker_client, job_spec, render):
    uploaded()
    ExternalLease.objects.update(poster={"key": "p.jpg"}, thumbnail={"key": "t.jpg"})
    worker_client.report(job_spec, "succeeded")
    found = fresh(render)
    assert (found.poster_key, found.thumbnail_key) == ("p.jpg", "t.jpg")
    assert not Job.objects.filter(type="renders.make_pictures").exists()


def test_a_final_status_never_changes(worker_client, job_spec, render):
    uploaded()
    worker_client.report(job_spec, "succeeded")
    before = Render.objects.values().get(pk=render.pk)
    for status in ("rendering", "failed", "succeeded"):
        answer = worker_client.report(job_spec, status, percent=3).json()
        assert (answer["ignored"], answer["status"], answer["cancel"]) == (True, "succeeded", False)
    assert Render.objects.values().get(pk=render.pk) == before
    assert ExternalLease.objects.get().ignored == 3


def test_a_longer_output_than_was_reserved_for_is_topped_up(worker_client, job_spec, render, alice):
    uploaded(cost=30)
    worker_client.report(job_spec, "succeeded")
    assert (fresh(render).credits_reserved, fresh(render).credits_charged) == (30, 30)
    assert balance(alice) == 970


def test_an_output_that_the_owner_cannot_pay_for_fails_and_is_refunded(worker_client, job_spec, render, alice):
    adjust(user_id=alice.pk, amount=-980, reference="staff:1", note="test")
    uploaded(cost=30)
    assert worker_client.report(job_spec, "succeeded").json()["status"] == "failed"
    found = fresh(render)
    assert (found.status, found.error["code"], found.credits_charged) == ("failed", "insufficient_credits", 0)
    assert balance(alice) == 20
    assert Job.objects.get(pk=render.job_id).status == "succeeded"


def test_a_retryable_failure_waits_for_the_next_attempt(worker_client, job_spec, render, alice):
    worker_client.report(job_spec, percent=50)
    error = {"code": "gpu_lost", "message": "The GPU fell off the bus.", "retryable": True}
    assert worker_client.report(job_spec, "failed", error=error).json()["status"] == "queued"
    found = fresh(render)
    assert (found.status, found.percent, found.error["code"]) == ("queued", 0.0, "gpu_lost")
    job = Job.objects.get(pk=render.job_id)
    assert (job.status, job.failures, job.error["code"]) == ("scheduled", 1, "gpu_lost")
    assert_problem(worker_client.report(job_spec, percent=60), 409, "stale_attempt")
    assert balance(alice) == 999


def test_the_last_failure_fails_the_render_and_refunds_it(worker_client, render, alice):
    for attempt in (1, 2, 3):
        Job.objects.filter(pk=render.job_id).update(status="queued")
        job_spec = worker_client.take()
        assert job_spec["job"]["attempt"] == attempt
        worker_client.report(job_spec, "failed", error="It broke.")
    found = fresh(render)
    assert (found.status, found.error["code"], found.error["message"]) == ("failed", "worker_failed", "It broke.")
    assert (found.error["attempt"], found.credits_charged, balance(alice)) == (3, 0, 1000)
    job = Job.objects.get(pk=render.job_id)
    assert (job.status, job.failures) == ("dead", 3)


def test_a_permanent_failure_fails_the_render_at_once(worker_client, job_spec, render, alice):
    error = {"code": "bad_edit", "message": "No.", "retryable": False}
    assert worker_client.report(job_spec, "failed", error=error).json()["status"] == "failed"
    assert (fresh(render).status, Job.objects.get(pk=render.job_id).status) == ("failed", "dead")
    assert balance(alice) == 1000


def test_a_cancel_reaches_the_worker_and_takes_effect(worker_client, job_spec, render, alice):
    worker_client.report(job_spec, percent=50)
    cancel_render(render=fresh(render))
    assert fresh(render).status == "cancelling"
    answer = worker_client.report(job_spec, percent=60).json()
    assert (answer["cancel"], answer["status"]) == (True, "cancelled")
    assert (fresh(render).status, fresh(render).percent) == ("cancelled", 50.0)
    assert Job.objects.get(pk=render.job_id).status == "cancelled"
    assert balance(alice) == 1000
    late = worker_client.report(job_spec, "succeeded").json()
    assert (late["cancel"], late["ignored"]) == (True, True)


def test_a_cancelled_render_can_no_longer_succeed(worker_client, job_spec, render, alice):
    uploaded()
    cancel_render(render=render)
    assert worker_client.report(job_spec, "succeeded").json()["cancel"] is True
    assert (fresh(render).status, balance(alice)) == ("cancelled", 1000)


def test_a_cancel_of_a_silent_worker_takes_effect_when_its_lease_runs_out(job_spec, render, alice):
    cancel_render(render=render)
    Job.objects.filter(pk=render.job_id).update(lease_expires_at="2026-01-01T00:00:00Z")
    reap_expired()
    assert (fresh(render).status, balance(alice)) == ("cancelled", 1000)


def test_a_lost_lease_is_stale_even_before_another_worker_takes_over(worker_client, job_spec, render):
    Job.objects.filter(pk=render.job_id).update(lease_expires_at="2026-01-01T00:00:00Z")
    reap_expired()
    uploaded()
    for status in ("rendering", "succeeded", "failed"):
        assert_problem(worker_client.report(job_spec, status), 409, "stale_attempt")
    assert Job.objects.get(pk=render.job_id).status == "queued"


def test_a_worker_that_takes_too_long_is_stopped(worker_client, job_spec, render):
    Job.objects.filter(pk=render.job_id).update(started_at=timezone.now() - timedelta(seconds=7201))
    answer = worker_client.report(job_spec, percent=99).json()
    assert (answer["cancel"], answer["status"]) == (True, "failed")
    assert fresh(render).error["code"] == "render_timeout"
    assert JobAttempt.objects.get(job_id=render.job_id).outcome == "timeout"
