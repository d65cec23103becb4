"""The queue's admin: list, search, detail, each action and its permission."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from jobs import services
from jobs.models import Job, JobAttempt, QueueState, Schedule, Worker
from tests.factories import make_job, make_user

pytestmark = pytest.mark.django_db


def staff_client(*codenames, superuser=False):
    user = make_user(f"staff-{len(codenames)}-{superuser}")
    user.is_staff, user.is_superuser = True, superuser
    user.save(update_fields=["is_staff", "is_superuser"])
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="jobs", codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def client():
    return staff_client(superuser=True)


def changelist(model):
    return reverse(f"admin:jobs_{model}_changelist")


def act(client, model, action, rows):
    data = {"action": action, "_selected_action": [str(row.pk) for row in rows]}
    return client.post(changelist(model), data, follow=True, secure=True)


def texts(response):
    return [str(message) for message in response.context["messages"]]


def test_list_filters_and_searches_jobs(client):
    dead = make_job(status="dead", type="type.one", reference="render:dead", failures=3)
    waiting = make_job(type="type.two", queue="maintenance", user=make_user("alice"))
    page = client.get(changelist("job"), secure=True)
    assert dead.public_id in page.text
    assert waiting.public_id in page.text
    for query, found, excluded in (
        ({"status": "dead"}, dead, waiting),
        ({"queue": "maintenance"}, waiting, dead),
        ({"priority__exact": "2", "q": "render:dead"}, dead, waiting),
        ({"q": waiting.public_id}, waiting, dead),
        ({"q": "alice"}, waiting, dead),
    ):
        page = client.get(changelist("job"), query, secure=True)
        assert found.public_id in page.text, query
        assert excluded.public_id not in page.text, query


def test_list_query_count_does_not_grow_with_rows(client, django_assert_max_num_queries):
    for number in range(30):
        make_job(user=make_user(f"user-{number}"))
    with django_assert_max_num_queries(12):
        assert client.get(changelist("job"), secure=True).status_code == 200


def test_detail_shows_attempts_and_escapes_handler_output(client):
    error = {"code": "handler_error", "message": "<script>alert(1)</script>", "traceback": "Traceback: here"}
    job = make_job(status="dead", payload={"n": "<b>"}, error=error)
    JobAttempt.objects.create(
        job=job, number=1, worker="w/7", outcome="failed", error=error, started_at=job.created_at,
        finished_at=timezone.now(),
    )  # fmt: skip
    page = client.get(reverse("admin:jobs_job_change", args=[job.pk]), secure=True)
    assert page.status_code == 200
    assert "Traceback: here" in page.text
    assert "w/7" in page.text
    assert "&lt;script&gt;alert(1)" in page.text
    assert "<script>alert(1)" not in page.text
    attempts = client.get(changelist("jobattempt"), {"q": job.public_id}, secure=True)
    assert "w/7" in attempts.text
    (attempt,) = job.history.all()
    assert client.get(reverse("admin:jobs_jobattempt_change", args=[attempt.pk]), secure=True).status_code == 200


def test_jobs_cannot_be_added_changed_or_deleted(client):
    job = make_job()
    assert client.get(reverse("admin:jobs_job_add"), secure=True).status_code == 403
    assert client.post(reverse("admin:jobs_job_delete", args=[job.pk]), {"post": "yes"}, secure=True).status_code == 403
    client.post(reverse("admin:jobs_job_change", args=[job.pk]), {"type": "other"}, secure=True)
    job.refresh_from_db()
    assert job.type == "test.job"


def test_retries_dead_jobs_and_reports_refused_ones(client):
    dead, done = make_job(status="dead"), make_job(status="succeeded")
    response = act(client, "job", "retry_jobs", [dead, done])
    assert texts(response) == [
        "1 requeued.",
        "1 refused: The job is succeeded; only dead jobs can be retried.",
    ]
    assert Job.objects.get(pk=dead.pk).status == "queued"
    assert Job.objects.get(pk=done.pk).status == "succeeded"


def test_cancels_waiting_jobs_and_asks_running_ones(client):
    rows = [make_job(), make_job(status="scheduled"), make_job(status="running"), make_job(status="succeeded")]
    response = act(client, "job", "cancel_jobs", rows)
    assert texts(response) == ["2 cancelled, 1 asked to stop, 1 already finished."]
    assert [Job.objects.get(pk=row.pk).status for row in rows] == ["cancelled", "cancelled", "running", "succeeded"]
    assert Job.objects.get(pk=rows[2].pk).cancel_requested_at is not None


@pytest.mark.parametrize(
    ("model", "action", "permission"),
    [
        ("job", "retry_jobs", "retry_job"),
        ("job", "cancel_jobs", "cancel_job"),
        ("queuestate", "pause_queues", "pause_queue"),
        ("queuestate", "resume_queues", "pause_queue"),
        ("schedule", "enable_schedules", "change_schedule"),
        ("schedule", "disable_schedules", "change_schedule"),
        ("schedule", "run_schedules", "run_schedule"),
    ],
)
def test_each_action_needs_its_own_permission(model, action, permission):
    row = {
        "job": lambda: make_job(status="dead" if action == "retry_jobs" else "queued"),
        "queuestate": lambda: QueueState.objects.create(name="q", paused=action == "resume_queues"),
        "schedule": make_schedule,
    }[model]()
    before = row.__class__.objects.filter(pk=row.pk).values().get()
    response = act(staff_client(f"view_{model}"), model, action, [row])
    assert response.status_code == 200
    assert row.__class__.objects.filter(pk=row.pk).values().get() == before
    assert not Job.objects.filter(type="core.delete_old_rows").exists()
    response = act(staff_client(f"view_{model}", permission), model, action, [row])
    assert len(texts(response)) == 1


@pytest.mark.parametrize("model", ["job", "jobattempt", "queuestate", "schedule", "worker"])
def test_staff_without_permission_see_nothing(model):
    assert staff_client().get(changelist(model), secure=True).status_code == 403


def make_schedule():
    return Schedule.objects.create(
        name="hourly", cron="0 * * * *", type="core.delete_old_rows", next_run_at=timezone.now()
    )


def test_queues_show_their_depth_and_can_be_paused_and_resumed(client):
    services.ensure_queues(names=["default", "renders"])
    services.ensure_queues(names=["default"])
    rows = list(QueueState.objects.order_by("name"))
    assert [row.name for row in rows] == ["default", "renders"]
    for _ in range(7):
        make_job(queue="renders")
    assert ">7<" in client.get(changelist("queuestate"), secure=True).text.replace("\n", "").replace(" ", "")
    assert texts(act(client, "queuestate", "pause_queues", rows)) == ["2 paused; running jobs continue."]
    assert set(QueueState.objects.values_list("paused", flat=True)) == {True}
    act(client, "queuestate", "resume_queues", rows[:1])
    assert dict(QueueState.objects.values_list("name", "paused")) == {"default": False, "renders": True}


def test_queue_limit_is_set_in_its_form(client):
    services.ensure_queues(names=["renders"])
    row = QueueState.objects.get()
    url = reverse("admin:jobs_queuestate_change", args=[row.pk])
    assert client.post(url, {"max_running": "3"}, secure=True).status_code == 302
    assert QueueState.objects.get().max_running == 3
    assert client.post(url, {"max_running": ""}, secure=True).status_code == 302
    assert QueueState.objects.get().max_running is None
    added = client.post(reverse("admin:jobs_queuestate_add"), {"name": "new", "max_running": "1"}, secure=True)
    assert added.status_code == 302
    assert QueueState.objects.get(name="new").max_running == 1


def test_workers_show_whether_they_are_alive(client):
    services.record_worker_started(name="host:1:aa", hostname="host", pid=1, queues=["default"], concurrency=4)
    page = client.get(changelist("worker"), secure=True)
    assert "host:1:aa" in page.text
    assert "0/4" in page.text
    worker = Worker.objects.get()
    assert client.get(reverse("admin:jobs_worker_change", args=[worker.pk]), secure=True).status_code == 200


def test_schedules_are_disabled_enabled_and_run(client):
    row = make_schedule()
    assert client.get(reverse("admin:jobs_schedule_change", args=[row.pk]), secure=True).status_code == 200
    act(client, "schedule", "disable_schedules", [row])
    assert Schedule.objects.get().enabled is False
    act(client, "schedule", "enable_schedules", [row])
    assert Schedule.objects.get().enabled is True
    assert texts(act(client, "schedule", "run_schedules", [row])) == ["1 enqueued."]
    assert Job.objects.get().type == "core.delete_old_rows"
    Schedule.objects.update(type="not.here")
    assert "no handler" in texts(act(client, "schedule", "run_schedules", [row]))[0]


def test_detail_shows_the_status_label(client) -> None:
    job = make_job(status="dead")
    page = client.get(reverse("admin:jobs_job_change", args=[job.pk])).content.decode()
    assert "&#x27;dead&#x27;" not in page
    assert "Dead" in page
