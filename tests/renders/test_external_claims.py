"""Claims of external workers."""

from __future__ import annotations

import hashlib

import pytest

from accounts.models import ApiKey
from jobs.models import Job, JobAttempt, QueueState, Worker
from jobs.services import pause_queue, reap_expired
from renders.models import ExternalLease, Render
from renders.requests import RenderRequest
from renders.services.cancel import cancel_render
from renders.services.submit import submit_render
from tests.api.test_problems import assert_problem
from tests.factories import make_asset, make_edit, make_job, make_minted_key, make_render, make_user
from tests.permission_matrix import Access, check_access
from tests.renders.external_worker import OTHER, SECRET, ExternalWorkerClient, submit

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _secrets(settings):
    settings.RENDEROWL_WORKER_SECRETS = {"default": (SECRET,)}


@pytest.fixture
def worker_client():
    return ExternalWorkerClient()


def test_permissions():
    check_access(Access("internal-worker-claim", {"POST": "workers:report"}))


def test_an_empty_queue_answers_204_and_writes_no_job(worker_client):
    response = worker_client.claim()
    assert (response.status_code, response.content) == (204, b"")
    assert Worker.objects.get().is_alive


def test_a_claim_returns_everything_that_a_worker_needs(worker_client, alice):
    render = submit(alice)
    response = worker_client.claim()
    assert response["Cache-Control"] == "no-store"
    job_spec = response.json()
    job = Job.objects.get(pk=render.job_id)
    assert job_spec["job"] == {
        "id": job.public_id,
        "render": render.public_id,
        "attempt": 1,
        "max_attempts": 3,
        "timeout_s": 7200,
        "strict": False,
    }
    assert job_spec["edit"] == render.edit
    assert job_spec["output"] == {
        "format": "mp4",
        "content_type": "video/mp4",
        "width": 64,
        "height": 36,
        "fps": 10.0,
        "duration_s": 1.0,
        "total_frames": 10,
    }
    assert set(job_spec["upload"]) == {"output", "poster", "thumbnail"}
    assert job_spec["upload"]["output"]["url"].startswith("http://testserver/files/uploads/")
    assert job_spec["report"]["url"] == "http://testserver/webhooks/render-progress"
    assert job_spec["lease_s"] == 30


def test_the_rows_of_a_claim(worker_client, alice):
    render = submit(alice)
    job_spec = worker_client.take()
    prefix = ApiKey.objects.get(type="worker").key_prefix
    job = Job.objects.get(pk=render.job_id)
    assert (job.status, job.attempts, job.worker) == ("running", 1, f"external:{prefix}:gpu-1")
    assert job.lease_expires_at is not None
    render.refresh_from_db()
    assert (render.status, render.attempt) == ("fetching", 1)
    lease = ExternalLease.objects.get()
    assert (lease.render, lease.job_id, lease.attempt, lease.pool) == (render, job.pk, 1, "default")
    assert lease.token_digest == hashlib.sha256(job_spec["lease_token"].encode()).hexdigest()
    assert len(job_spec["lease_token"]) >= 43
    assert worker_client.claim().status_code == 204


def test_merge_values_are_substituted_and_assets_become_links(worker_client, alice):
    asset = make_asset(alice, content=b"not really a video", name="a clip.mp4")
    edit = make_edit()
    edit["timeline"]["tracks"][0]["clips"][0]["asset"]["text"] = "{{ WHO }}"
    edit["timeline"]["tracks"].append(
        {"clips": [{"asset": {"type": "video", "src": f"asset:{asset.public_id}"}, "start": 0, "length": 1}]}
    )
    submit_render(owner=alice, request=RenderRequest(edit=edit, merge={"WHO": "Ana"}))
    job_spec = worker_client.take()
    (link,) = job_spec["assets"]
    assert (link["id"], link["src"], link["sha256"]) == (asset.public_id, f"asset:{asset.public_id}", asset.sha256)
    assert job_spec["edit"]["timeline"]["tracks"][0]["clips"][0]["asset"]["text"] == "Ana"
    assert job_spec["edit"]["timeline"]["tracks"][1]["clips"][0]["asset"]["src"] == link["url"]
    answer = worker_client.client.get(link["url"])
    assert b"".join(answer.streaming_content) == b"not really a video"


def test_an_edit_whose_asset_is_gone_fails_and_the_next_render_is_claimed(worker_client, alice):
    asset = make_asset(alice)
    edit = make_edit()
    clip = {"asset": {"type": "video", "src": f"asset:{asset.public_id}"}, "start": 0, "length": 1}
    edit["timeline"]["tracks"].append({"clips": [clip]})
    broken = submit_render(owner=alice, request=RenderRequest(edit=edit))
    asset.holds.all().delete()
    asset.delete()
    good = submit(make_user())
    assert worker_client.take()["job"]["render"] == good.public_id
    broken.refresh_from_db()
    assert (broken.status, broken.error["code"], broken.credits_charged) == ("failed", "edit_invalid", 0)
    assert broken.error["pointer"] == "/edit/timeline/tracks/1/clips/0/asset/src"
    assert Job.objects.get(pk=broken.job_id).status == "succeeded"


def test_the_most_urgent_render_is_claimed_first_and_once(worker_client):
    low = submit(make_user())
    Job.objects.filter(pk=low.job_id).update(priority=3)
    normal = submit(make_user())
    other = ExternalWorkerClient(name="gpu-2")
    assert worker_client.take()["job"]["render"] == normal.public_id
    assert other.take()["job"]["render"] == low.public_id
    assert worker_client.claim().status_code == 204
    assert Worker.objects.count() == 2


def test_other_queues_and_paused_queues_have_no_work(worker_client, alice):
    make_job(queue="default")
    submit(alice)
    assert worker_client.claim(queues=["default"]).status_code == 204
    pause_queue(name="renders")
    assert worker_client.claim().status_code == 204


def test_claims_respect_the_limit_of_the_queue(worker_client):
    QueueState.objects.create(name="renders", max_running=1)
    submit(make_user())
    submit(make_user())
    assert worker_client.claim(queues=["renders", "other"]).status_code == 200
    assert worker_client.claim().status_code == 204


def test_a_cancelled_render_is_not_claimed(worker_client, alice):
    render = submit(alice)
    cancel_render(render=render)
    assert worker_client.claim().status_code == 204


def test_a_job_whose_render_has_ended_is_finished_and_skipped(worker_client, alice):
    ended = make_render(alice, status="failed")
    job = make_job(type="renders.render", queue="renders", payload={"render": str(ended.pk)}, priority=0)
    waiting = submit(alice)
    assert worker_client.take()["job"]["render"] == waiting.public_id
    job.refresh_from_db()
    assert job.status == "succeeded"


def test_the_job_of_a_dead_worker_goes_to_another_worker(worker_client, alice):
    render = submit(alice)
    first = worker_client.take()
    Job.objects.filter(pk=render.job_id).update(lease_expires_at="2026-01-01T00:00:00Z")
    assert reap_expired() == 1
    second = ExternalWorkerClient(name="gpu-2").take()
    assert (first["job"]["attempt"], second["job"]["attempt"]) == (1, 2)
    assert first["lease_token"] != second["lease_token"]
    assert JobAttempt.objects.get(job_id=render.job_id).outcome == "lost"
    assert ExternalLease.objects.get(attempt=1).ended_at is not None
    assert Render.objects.get().attempt == 2
    assert_problem(worker_client.report(first, percent=50), 409, "stale_attempt")


@pytest.mark.parametrize(
    ("pools", "asked", "given"),
    [
        ({"gpu": (SECRET,)}, None, "gpu"),
        ({"gpu": (SECRET,), "default": (OTHER,)}, None, "default"),
        ({"gpu": (SECRET,), "default": (OTHER,)}, "gpu", "gpu"),
    ],
)
def test_the_pool_is_the_requested_one_or_the_only_one(settings, alice, pools, asked, given):
    settings.RENDEROWL_WORKER_SECRETS = pools
    submit(alice)
    ExternalWorkerClient(pool=asked).take()
    assert ExternalLease.objects.get().pool == given


def test_an_unknown_pool_is_refused(worker_client, alice, settings):
    render = submit(alice)
    problem = assert_problem(worker_client.claim(pool="cpu"), 422, "validation_error")
    assert problem["errors"][0]["pointer"] == "/pool"
    settings.RENDEROWL_WORKER_SECRETS = {}
    assert_problem(worker_client.claim(), 409, "invalid_state")
    assert Job.objects.get(pk=render.job_id).status == "queued"


@pytest.mark.parametrize("body", [{"name": "a b"}, {"name": ""}, {"queues": "renders"}, {"x": 1}])
def test_refuses_invalid_bodies(worker_client, body):
    assert_problem(worker_client.claim(**body), 422, "validation_error")


def test_the_body_is_optional(worker_client, alice):
    submit(alice)
    response = worker_client.client.post("/internal/workers/claim", headers={"X-API-Key": worker_client.key})
    assert response.status_code == 200


def test_worker_keys_have_their_own_rate_limit(worker_client, rate_limits):
    assert worker_client.claim()["RateLimit-Policy"] == '"key";q=6000;w=60'


def test_a_key_of_another_type_works_with_the_scope(worker_client, alice):
    submit(alice)
    user = make_user(granted_scopes=["workers:report"])
    worker_client.key = make_minted_key(user, scopes=("workers:report",)).plaintext
    assert worker_client.claim().status_code == 200
