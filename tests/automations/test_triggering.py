"""Runs from trigger to outcome: manual, cron and event triggers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from accounts.services import suspend_user
from assets.events import AssetReady
from automations import services
from automations.models import Automation, AutomationRun
from automations.retention import RETENTION
from automations.services import AutomationTrigger
from core.events import publish
from credits.models import CreditEntry
from credits.services import adjust
from jobs.models import Job
from jobs.services import cancel_job, enqueue
from notifications.models import Notification
from renders.models import Render
from renders.services.outcomes import close_cancelled, close_failed
from tests.factories import make_asset, make_automation, make_project, make_render, make_template, make_user
from tests.jobs.inline import run_pending

pytestmark = pytest.mark.django_db
PATH = "/api/v2/automations"
CRON = {"type": "cron", "cron": "0 9 * * *", "timezone": "UTC"}
FAILURE = {"code": "asset_unreachable", "message": "No such host."}


def start_run(automation, key="k", data=None, **fields):
    return services.start_run(
        automation_id=automation.pk, trigger=AutomationTrigger("manual", key, "manual", data or {}, **fields)
    )


def run_jobs() -> None:
    run_pending(queues=["default", "automations"])


def make_jobs_due() -> None:
    Job.objects.filter(status="scheduled").update(scheduled_at=timezone.now() - timedelta(seconds=1))


def make_rendering(owner, **fields):
    template = make_template(owner)
    merge = fields.pop("merge", {"NAME": "{{ event.data.name }}"})
    action = {
        "type": "render",
        "template": template.public_id,
        "merge": merge,
        "metadata": {"by": "{{ automation.id }}"},
    }
    return make_automation(owner, action={**action, **fields.pop("extra", {})}, **fields)


def make_subscribed(owner, *events, **fields):
    return make_automation(
        owner, trigger={"type": "event", "events": list(events), **fields.pop("extra", {})}, **fields
    )


# --- Manual -----------------------------------------------------------------------------------------------------------


def test_submits_a_render_for_its_owner(client_of_alice, alice) -> None:
    row = make_rendering(alice, extra={"priority": "high"})
    answer = client_of_alice.post(f"{PATH}/{row.public_id}/trigger", {"data": {"name": "Ana"}})
    assert answer.status_code == 202
    assert (answer.json()["status"], answer.json()["input"]["data"]) == ("queued", {"name": "Ana"})
    assert not Render.objects.exists()
    run_jobs()
    run, render = AutomationRun.objects.get(), Render.objects.get()
    assert (run.status, run.render, run.error) == ("succeeded", render, None)
    assert run.started_at is not None
    assert run.request["merge"] == {"NAME": "Ana"}
    assert (render.owner, render.template.public_id, render.merge["NAME"]) == (alice, row.action["template"], "Ana")
    assert (render.metadata, render.priority) == ({"by": row.public_id}, 1)
    assert CreditEntry.objects.filter(user=alice, kind="reserve").count() == 1
    assert Job.objects.get(type="automations.run").status == "succeeded"
    row.refresh_from_db()
    assert row.last_triggered_at is not None


def test_notifies_its_owner(client_of_alice, alice) -> None:
    action = {"type": "notify", "title": "Order {{ event.data.id }}", "body": '{{ event.data.note | default("-") }}'}
    row = make_automation(alice, action=action)
    client_of_alice.post(f"{PATH}/{row.public_id}/trigger", {"data": {"id": 1881}})
    run_jobs()
    sent = Notification.objects.get()
    assert (sent.user, sent.kind, sent.title, sent.body) == (alice, "automation.message", "Order 1881", "-")
    assert sent.resource == row.public_id
    assert AutomationRun.objects.get().request == {"type": "notify", "title": "Order 1881", "body": "-"}


def test_a_repeated_trigger_id_starts_one_run(client_of_alice, alice) -> None:
    row = make_automation(alice)
    path, body = f"{PATH}/{row.public_id}/trigger", {"trigger_id": "order-1881", "data": {"a": 1}}
    first = client_of_alice.post(path, body)
    run_jobs()
    again = client_of_alice.post(path, body)
    assert (first.status_code, again.status_code) == (202, 200)
    assert (again.json()["id"], again.json()["status"]) == (first.json()["id"], "succeeded")
    other = client_of_alice.post(path, {**body, "data": {"a": 2}})
    assert (other.status_code, other.json()["code"]) == (409, "invalid_state")
    elsewhere = make_automation(alice)
    assert client_of_alice.post(f"{PATH}/{elsewhere.public_id}/trigger", body).status_code == 202
    run_jobs()
    assert (AutomationRun.objects.count(), Notification.objects.count()) == (2, 2)
    for _ in range(2):
        assert client_of_alice.post(path).status_code == 202
    assert AutomationRun.objects.count() == 4


def test_an_idempotency_key_returns_the_stored_response(client_of_alice, alice) -> None:
    row = make_automation(alice)
    path = f"{PATH}/{row.public_id}/trigger"
    answers = [client_of_alice.post(path, {}, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert answers[0].content == answers[1].content
    assert AutomationRun.objects.count() == 1


@pytest.mark.parametrize(
    "body",
    [{"trigger_id": ""}, {"trigger_id": "a b"}, {"trigger_id": "x" * 151}, {"data": []}, {"data": {"x": "y" * 70_000}},
     {"dry_run": "yes"}, {"data": {"x": "\x00"}}, {"when": "now"}],
)  # fmt: skip
def test_refuses_invalid_triggers(client_of_alice, alice, body) -> None:
    row = make_automation(alice)
    assert client_of_alice.post(f"{PATH}/{row.public_id}/trigger", body).status_code == 422
    assert not AutomationRun.objects.exists()


def test_a_paused_automation_cannot_be_triggered(client_of_alice, alice) -> None:
    row = make_automation(alice, is_active=False)
    answer = client_of_alice.post(f"{PATH}/{row.public_id}/trigger", {})
    assert (answer.status_code, answer.json()["code"]) == (409, "invalid_state")
    assert not AutomationRun.objects.exists()


def test_a_queued_run_of_a_paused_automation_is_skipped(alice) -> None:
    row = make_automation(alice)
    start_run(row)
    services.pause_automation(automation_id=row.pk, reason="")
    run_jobs()
    run = AutomationRun.objects.get()
    assert (run.status, run.error["code"]) == ("skipped", "paused")
    assert not Notification.objects.exists()


def test_automations_of_a_suspended_owner_do_not_run(alice) -> None:
    row = make_automation(alice, trigger=CRON)
    start_run(row)
    suspend_user(user=alice)
    run_jobs()
    assert AutomationRun.objects.get().status == "skipped"
    with pytest.raises(services.triggering.AutomationInactive):
        start_run(row, "later")
    Automation.objects.update(next_run_at=timezone.now())
    services.start_due_runs(now=timezone.now())
    assert AutomationRun.objects.count() == 1


def test_a_run_that_is_executed_twice_acts_once(alice) -> None:
    row = make_rendering(alice, merge={})
    run, _ = start_run(row)
    run_jobs()
    Job.objects.filter(type="automations.run").update(status="queued", finished_at=None)
    run_jobs()
    assert Render.objects.count() == 1
    action = services.running.PreparedAction({"type": "notify", "title": "T"})
    assert not services.complete_run(run=run, action=action)
    assert not services.fail_run(run=run, error=FAILURE)
    assert not services.skip_run(run=run, error=FAILURE)
    assert AutomationRun.objects.get().status == "succeeded"


# --- Failures ---------------------------------------------------------------------------------------------------------


def failed_with(row, data=None):
    start_run(row, data=data)
    run_jobs()
    run = AutomationRun.objects.get()
    assert run.status == "failed"
    assert not Render.objects.exists()
    row.refresh_from_db()
    assert row.failures == 1
    assert Notification.objects.filter(kind="automation.failed").count() == 1
    return run.error


def test_a_missing_value_fails_with_a_pointer(alice) -> None:
    error = failed_with(make_rendering(alice))
    assert (error["code"], error["pointer"]) == ("missing_value", "/action/merge/NAME")
    assert "event.data.name" in error["message"]


def test_a_deleted_template_fails_the_run(alice) -> None:
    row = make_rendering(alice, merge={})
    alice.templates.all().delete()
    error = failed_with(row)
    assert (error["code"], error["pointer"]) == ("not_found", "/action/template")


def test_insufficient_credits_fail_the_run(alice) -> None:
    adjust(user_id=alice.pk, amount=-1000, reference="test:empty", note="for a test")
    error = failed_with(make_rendering(alice, merge={}))
    assert error["code"] == "insufficient_credits"
    assert not CreditEntry.objects.filter(kind="reserve").exists()


def test_values_that_make_an_invalid_request_fail_the_run(alice) -> None:
    row = make_rendering(alice, merge={}, extra={"metadata": {"k": "{{ event.data.long }}"}})
    error = failed_with(row, {"long": "x" * 600})
    assert error["pointer"] == "/action/metadata/k"


def test_an_action_is_limited_to_its_author_scopes(alice) -> None:
    error = failed_with(make_rendering(alice, merge={}, author_scopes=("automations:write",)))
    assert error["code"] == "missing_scope"


def test_a_dead_job_fails_its_run(alice, monkeypatch) -> None:
    row = make_automation(alice)
    start_run(row)
    monkeypatch.setattr("automations.tasks.prepare_action", lambda *args: 1 / 0)
    for _ in range(3):
        run_jobs()
        make_jobs_due()
    run = AutomationRun.objects.get()
    assert (run.status, run.error["code"]) == ("failed", "internal_error")
    assert "division" not in str(run.error)


def test_too_many_consecutive_failures_pause_the_automation(alice) -> None:
    row = make_rendering(alice, max_failures=3, trigger=CRON)
    for number in range(3):
        start_run(row, str(number))
        run_jobs()
    row.refresh_from_db()
    assert (row.is_active, row.failures, row.next_run_at) == (False, 3, None)
    assert "3 consecutive failures" in row.paused_reason
    kinds = list(Notification.objects.order_by("created_at").values_list("kind", flat=True))
    assert kinds == ["automation.failed", "automation.failed", "automation.paused"]


def test_a_success_resets_the_count_of_failures(alice) -> None:
    row = make_automation(alice, action={"type": "notify", "title": "{{ event.data.t }}"}, max_failures=2)
    for number, data in enumerate(({}, {"t": "x"}, {}, {"t": "x"})):
        start_run(row, str(number), data)
        run_jobs()
    row.refresh_from_db()
    assert (row.is_active, row.failures) == (True, 0)


def test_failed_renders_count_as_failures(alice) -> None:
    row = make_rendering(alice, merge={}, max_failures=2)
    for number in range(2):
        start_run(row, str(number))
        run_jobs()
        close_failed(render_id=Render.objects.latest("created_at").pk, error=FAILURE)
    row.refresh_from_db()
    assert (row.is_active, row.failures) == (False, 2)
    assert AutomationRun.objects.filter(status="succeeded").count() == 2


# --- Dry runs ---------------------------------------------------------------------------------------------------------


def test_a_dry_run_returns_the_action_and_changes_nothing(client_of_alice, alice) -> None:
    row = make_rendering(alice, is_active=False)
    before = Automation.objects.values().get()
    path = f"{PATH}/{row.public_id}/trigger"
    report = client_of_alice.post(path, {"dry_run": True, "data": {"name": "Ana"}})
    assert report.status_code == 200
    valid = report.json()
    assert (valid["object"], valid["action"], valid["valid"]) == ("automation_dry_run", "render", True)
    assert valid["request"]["merge"] == {"NAME": "Ana"}
    assert valid["estimate"]["credits"] == "0.01"
    invalid = client_of_alice.post(path, {"dry_run": True}).json()
    assert (invalid["valid"], invalid["request"], invalid["estimate"]) == (False, None, None)
    assert invalid["errors"][0]["pointer"] == "/action/merge/NAME"
    notify = client_of_alice.post(f"{PATH}/{make_automation(alice).public_id}/trigger", {"dry_run": True}).json()
    assert (notify["valid"], notify["request"]["title"], notify["estimate"]) == (True, "Hello", None)
    assert Automation.objects.values().get(pk=row.pk) == before
    for model in (AutomationRun, Render, Job, Notification):
        assert not model.objects.exists()


# --- Limits -----------------------------------------------------------------------------------------------------------


def test_limits_runs_per_hour(client_of_alice, alice) -> None:
    row = make_automation(alice, runs_per_hour=2)
    path = f"{PATH}/{row.public_id}/trigger"
    assert [client_of_alice.post(path).status_code for _ in range(2)] == [202, 202]
    refused = client_of_alice.post(path)
    assert (refused.status_code, refused.json()["code"], refused.json()["policy"]) == (
        429,
        "rate_limited",
        "automation",
    )
    assert 3590 <= int(refused["Retry-After"]) <= 3600
    AutomationRun.objects.filter(pk=AutomationRun.objects.earliest("created_at").pk).update(
        created_at=timezone.now() - timedelta(minutes=61)
    )
    assert client_of_alice.post(path).status_code == 202
    assert client_of_alice.post(path).status_code == 429


def test_limits_runs_per_hour_of_an_account(alice, settings) -> None:
    settings.RENDEROWL_AUTOMATION_RUNS_PER_HOUR = 2
    first, second = make_automation(alice), make_automation(alice)
    start_run(first)
    start_run(second)
    with pytest.raises(services.triggering.TooManyRuns) as refused:
        start_run(second, "more")
    assert refused.value.members == {"policy": "automations"}
    start_run(make_automation())


def test_event_triggers_over_the_limit_are_recorded_as_skipped(alice) -> None:
    row = make_subscribed(alice, "render.failed", runs_per_hour=1)
    for _ in range(3):
        close_failed(render_id=submit_example(alice).pk, error=FAILURE)
    states = list(row.runs.order_by("created_at").values_list("status", "error__code"))
    assert states == [("queued", None), ("skipped", "too_many_runs"), ("skipped", "too_many_runs")]


def test_renders_count_against_the_plans_rate(alice, rate_limits) -> None:
    row = make_rendering(alice, merge={}, runs_per_hour=100)
    for number in range(31):
        start_run(row, str(number))
    run_jobs()
    assert Render.objects.count() == 30
    waiting = AutomationRun.objects.get(status="queued")
    job = Job.objects.get(pk=waiting.job_id)
    assert (job.status, job.failures) == ("scheduled", 0)
    AutomationRun.objects.filter(pk=waiting.pk).update(created_at=timezone.now() - timedelta(hours=1))
    make_jobs_due()
    run_jobs()
    waiting.refresh_from_db()
    assert (waiting.status, waiting.error["code"]) == ("failed", "rate_limited")


# --- Cron -------------------------------------------------------------------------------------------------------------


def test_runs_once_per_occurrence_and_once_for_all_missed_ones(alice) -> None:
    row = make_automation(alice, trigger=CRON)
    due = datetime(2026, 11, 20, 9, tzinfo=UTC)
    Automation.objects.update(next_run_at=due)
    assert services.start_due_runs(now=due - timedelta(seconds=1)) == 0
    assert services.start_due_runs(now=due) == 1
    assert services.start_due_runs(now=due + timedelta(seconds=30)) == 0
    run = AutomationRun.objects.get()
    assert (run.trigger_key, run.trigger_type) == ("cron:2026-11-20T09:00:00.000000Z", "cron")
    assert run.input["data"] == {"scheduled_at": "2026-11-20T09:00:00.000000Z"}
    row.refresh_from_db()
    assert row.next_run_at == due + timedelta(days=1)
    # Three days without a worker: one run, of the latest occurrence.
    assert services.start_due_runs(now=due + timedelta(days=3, hours=5)) == 1
    assert [r.trigger_key[5:15] for r in row.runs.order_by("created_at")] == ["2026-11-20", "2026-11-23"]
    row.refresh_from_db()
    assert row.next_run_at == due + timedelta(days=4)
    run_jobs()
    assert Notification.objects.count() == 2


def test_occurrences_missed_while_paused_do_not_run(alice, client_of_alice) -> None:
    row = make_automation(alice, trigger={**CRON, "cron": "* * * * *"})
    client_of_alice.patch(f"{PATH}/{row.public_id}", {"is_active": False})
    later = timezone.now() + timedelta(days=1)
    assert services.start_due_runs(now=later) == 0
    client_of_alice.patch(f"{PATH}/{row.public_id}", {"is_active": True})
    assert services.start_due_runs(now=timezone.now()) == 0
    assert not AutomationRun.objects.exists()


def test_an_invalid_schedule_is_paused_and_does_not_hold_up_others(alice) -> None:
    rows = [make_automation(alice, trigger=CRON) for _ in range(3)]
    now = timezone.now()
    Automation.objects.update(next_run_at=now)
    Automation.objects.filter(pk=rows[0].pk).update(trigger={**CRON, "timezone": "Mars/Base"})
    Automation.objects.filter(pk=rows[1].pk).update(trigger={**CRON, "cron": "0 0 31 2 *"})
    services.start_due_runs(now=now)
    assert list(AutomationRun.objects.values_list("automation", flat=True)) == [rows[2].pk]
    rows[0].refresh_from_db()
    assert (rows[0].is_active, rows[0].paused_reason) == (False, "The time zone Mars/Base is no longer known.")
    assert Automation.objects.due(now).count() == 0


def test_many_due_automations_are_started_in_batches(alice, monkeypatch) -> None:
    for _ in range(5):
        make_automation(alice, trigger=CRON)
    Automation.objects.update(next_run_at=timezone.now())
    monkeypatch.setattr("automations.tasks.MAX_RUNS_PER_CALL", 2)
    real = services.start_due_runs
    monkeypatch.setattr("automations.services.start_due_runs", lambda now: real(now=now, limit=2))
    with transaction.atomic():
        job = enqueue(type="automations.schedule")
    for _ in range(3):
        make_jobs_due()
        run_jobs()
    assert AutomationRun.objects.count() == 5
    job.refresh_from_db()
    assert (job.status, job.attempts, job.failures, job.result) == ("succeeded", 3, 0, {"started": 1})


def test_a_run_whose_job_is_cancelled_is_skipped(alice) -> None:
    run, _ = start_run(make_automation(alice))
    cancel_job(job_id=run.job_id)
    run.refresh_from_db()
    assert (run.status, run.error["code"]) == ("skipped", "cancelled")


def test_the_scheduling_job_starts_due_runs(alice) -> None:
    make_automation(alice, trigger={**CRON, "cron": "* * * * *"})
    Automation.objects.update(next_run_at=timezone.now() - timedelta(minutes=5))
    with transaction.atomic():
        job = enqueue(type="automations.schedule")
    run_jobs()
    job.refresh_from_db()
    assert job.result == {"started": 1}
    assert AutomationRun.objects.get().status == "succeeded"


# --- Events -----------------------------------------------------------------------------------------------------------


def submit_example(owner, **fields):
    from renders.requests import RenderRequest
    from renders.services.submit import submit_render
    from tests.factories import make_edit

    return submit_render(owner=owner, request=RenderRequest(edit=make_edit(), **fields))


def test_an_event_triggers_only_subscribed_automations(alice) -> None:
    subscribed = make_subscribed(alice, "render.failed", "render.cancelled")
    make_subscribed(alice, "render.succeeded")
    make_subscribed(alice, "render.failed", is_active=False)
    make_subscribed(make_user(), "render.failed")
    render = submit_example(alice, metadata={"order": 7})
    close_failed(render_id=render.pk, error=FAILURE)
    run = AutomationRun.objects.get()
    assert (run.automation, run.trigger_key) == (subscribed, f"event:render.failed:{render.public_id}")
    assert run.input["type"] == "render.failed"
    data = run.input["data"]
    assert (data["id"], data["status"], data["metadata"]) == (render.public_id, "failed", {"order": 7})
    assert data["error"] == FAILURE
    cancelled = submit_example(alice)
    close_cancelled(render_id=cancelled.pk)
    assert AutomationRun.objects.count() == 2


def test_filters_select_events(alice) -> None:
    project, template = make_project(alice), make_template(alice)
    for extra in ({"project": project.public_id}, {"template": template.public_id}, {"metadata": {"kind": "daily"}}):
        make_subscribed(alice, "render.failed", extra={"filter": extra})
    make_subscribed(alice, "render.failed", extra={"filter": {"project": project.public_id, "metadata": {"kind": "x"}}})
    for fields, runs in (
        ({}, 0),
        ({"project_id": project.pk}, 1),
        ({"metadata": {"kind": "daily", "more": 1}}, 1),
        ({"project_id": project.pk, "metadata": {"kind": "daily"}}, 2),
    ):
        AutomationRun.objects.all().delete()
        close_failed(render_id=submit_example(alice, **fields).pk, error=FAILURE)
        assert AutomationRun.objects.count() == runs, fields
    AutomationRun.objects.all().delete()
    from renders.requests import RenderRequest
    from renders.services.submit import submit_render

    close_failed(render_id=submit_render(owner=alice, request=RenderRequest(template=template)).pk, error=FAILURE)
    assert AutomationRun.objects.count() == 1


def test_ready_assets_trigger_subscribed_automations(alice) -> None:
    make_subscribed(
        alice, "asset.ready", action={"type": "notify", "title": "{{ event.data.kind }} {{ event.data.name }}"}
    )
    asset = make_asset(alice, name="owls.mp4")
    with transaction.atomic():
        publish(AssetReady(asset.pk, alice.pk))
    run_jobs()
    assert Notification.objects.get().title == "video owls.mp4"


def test_an_event_without_subscribers_takes_two_queries(alice, django_assert_max_num_queries) -> None:
    from automations.subscribers import on_render_failed
    from renders.events import RenderFailed

    render = make_render(alice, status="failed", error=FAILURE)
    make_automation(alice)
    with transaction.atomic(), django_assert_max_num_queries(2):
        on_render_failed(RenderFailed(render.pk, alice.pk, None, code="x"))


# --- Loops ------------------------------------------------------------------------------------------------------------


def end_all_renders() -> int:
    ended = 0
    for render in Render.objects.exclude(status__in=["failed", "succeeded", "cancelled"]):
        ended += close_failed(render_id=render.pk, error=FAILURE)
    return ended


def test_an_automation_is_not_triggered_by_its_own_renders(alice) -> None:
    trigger = {"type": "event", "events": ["render.failed", "render.succeeded", "render.cancelled"]}
    row = make_rendering(alice, merge={}, trigger=trigger, max_failures=1000)
    submit_example(alice)
    for _ in range(5):
        end_all_renders()
        run_jobs()
    assert (row.runs.count(), Render.objects.count()) == (1, 2)


def test_automations_that_trigger_each_other_terminate(alice) -> None:
    trigger = {"type": "event", "events": ["render.failed"]}
    rows = [make_rendering(alice, merge={}, trigger=trigger, max_failures=1000) for _ in range(3)]
    submit_example(alice)
    for _ in range(12):
        end_all_renders()
        run_jobs()
    # Each runs after the first render, then after those of chains without it: 3 + 6 + 6.
    assert AutomationRun.objects.filter(status="succeeded").count() == 15
    assert all(len(set(run.chain)) == len(run.chain) for run in AutomationRun.objects.all())
    assert end_all_renders() == 0
    assert {run.automation_id for run in AutomationRun.objects.all()} == {row.pk for row in rows}


def test_chain_length_is_limited(alice) -> None:
    row = make_subscribed(alice, "render.failed")
    chain = tuple(f"{number:032x}" for number in range(5))
    trigger = AutomationTrigger("event", "x", "render.failed", {}, chain)
    run = services.start_run_if_allowed(automation_id=row.pk, trigger=trigger)
    assert run is not None
    assert (run.status, run.error["code"]) == ("skipped", "chain_too_long")
    assert services.start_run_if_allowed(automation_id=row.pk, trigger=trigger) is None
    assert AutomationRun.objects.count() == 1


# --- Housekeeping -----------------------------------------------------------------------------------------------------


def test_old_runs_are_deleted(alice) -> None:
    from tests.factories import make_run

    row, old = make_automation(alice), timezone.now() - timedelta(days=31)
    make_run(row, status="succeeded", created_at=old)
    make_run(row, status="queued", created_at=old)
    make_run(row, status="failed")
    assert RETENTION.delete_batch(timezone.now()) == 1
    assert sorted(row.runs.values_list("status", flat=True)) == ["failed", "queued"]
