"""From a trigger to a run to what it does: by hand, by the clock, by events."""

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


def fire(automation, key="k", data=None, **fields):
    return services.start_run(
        automation_id=automation.pk, trigger=AutomationTrigger("manual", key, "manual", data or {}, **fields)
    )


def work() -> None:
    run_pending(queues=["default", "automations"])


def make_due() -> None:
    Job.objects.filter(status="scheduled").update(scheduled_at=timezone.now() - timedelta(seconds=1))


def rendering(owner, **fields):
    template = make_template(owner)
    merge = fields.pop("merge", {"NAME": "{{ event.data.name }}"})
    action = {
        "type": "render",
        "template": template.public_id,
        "merge": merge,
        "metadata": {"by": "{{ automation.id }}"},
    }
    return make_automation(owner, action={**action, **fields.pop("extra", {})}, **fields)


def listening(owner, *events, **fields):
    return make_automation(
        owner, trigger={"type": "event", "events": list(events), **fields.pop("extra", {})}, **fields
    )


# --- By hand ----------------------------------------------------------------------------------------------------------


def test_submits_a_render_as_its_owner(client_of_alice, alice) -> None:
    row = rendering(alice, extra={"priority": "high"})
    answer = client_of_alice.post(f"{PATH}/{row.public_id}/trigger", {"data": {"name": "Ana"}})
    assert answer.status_code == 202
    assert (answer.json()["status"], answer.json()["input"]["data"]) == ("queued", {"name": "Ana"})
    assert not Render.objects.exists()
    work()
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


def test_tells_its_owner_something(client_of_alice, alice) -> None:
    action = {"type": "notify", "title": "Order {{ event.data.id }}", "body": '{{ event.data.note | default("-") }}'}
    row = make_automation(alice, action=action)
    client_of_alice.post(f"{PATH}/{row.public_id}/trigger", {"data": {"id": 1881}})
    work()
    told = Notification.objects.get()
    assert (told.user, told.kind, told.title, told.body) == (alice, "automation.message", "Order 1881", "-")
    assert told.resource == row.public_id
    assert AutomationRun.objects.get().request == {"type": "notify", "title": "Order 1881", "body": "-"}


def test_one_trigger_id_is_one_run(client_of_alice, alice) -> None:
    row = make_automation(alice)
    path, body = f"{PATH}/{row.public_id}/trigger", {"trigger_id": "order-1881", "data": {"a": 1}}
    first = client_of_alice.post(path, body)
    work()
    again = client_of_alice.post(path, body)
    assert (first.status_code, again.status_code) == (202, 200)
    assert (again.json()["id"], again.json()["status"]) == (first.json()["id"], "succeeded")
    other = client_of_alice.post(path, {**body, "data": {"a": 2}})
    assert (other.status_code, other.json()["code"]) == (409, "invalid_state")
    elsewhere = make_automation(alice)
    assert client_of_alice.post(f"{PATH}/{elsewhere.public_id}/trigger", body).status_code == 202
    work()
    assert (AutomationRun.objects.count(), Notification.objects.count()) == (2, 2)
    for _ in range(2):
        assert client_of_alice.post(path).status_code == 202
    assert AutomationRun.objects.count() == 4


def test_an_idempotency_key_works_as_everywhere(client_of_alice, alice) -> None:
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
def test_refuses_triggers_that_cannot_be_kept(client_of_alice, alice, body) -> None:
    row = make_automation(alice)
    assert client_of_alice.post(f"{PATH}/{row.public_id}/trigger", body).status_code == 422
    assert not AutomationRun.objects.exists()


def test_a_paused_one_is_not_set_off(client_of_alice, alice) -> None:
    row = make_automation(alice, is_active=False)
    answer = client_of_alice.post(f"{PATH}/{row.public_id}/trigger", {})
    assert (answer.status_code, answer.json()["code"]) == (409, "invalid_state")
    assert not AutomationRun.objects.exists()


def test_what_was_paused_meanwhile_is_skipped(alice) -> None:
    row = make_automation(alice)
    fire(row)
    services.pause_automation(automation_id=row.pk, reason="")
    work()
    run = AutomationRun.objects.get()
    assert (run.status, run.error["code"]) == ("skipped", "paused")
    assert not Notification.objects.exists()


def test_of_a_suspended_owner_nothing_runs(alice) -> None:
    row = make_automation(alice, trigger=CRON)
    fire(row)
    suspend_user(user=alice)
    work()
    assert AutomationRun.objects.get().status == "skipped"
    with pytest.raises(services.triggering.AutomationInactive):
        fire(row, "later")
    Automation.objects.update(next_run_at=timezone.now())
    services.start_due_runs(now=timezone.now())
    assert AutomationRun.objects.count() == 1


def test_a_run_done_twice_does_it_once(alice) -> None:
    row = rendering(alice, merge={})
    run, _ = fire(row)
    work()
    Job.objects.filter(type="automations.run").update(status="queued", finished_at=None)
    work()
    assert Render.objects.count() == 1
    action = services.running.PreparedAction({"type": "notify", "title": "T"})
    assert not services.complete_run(run=run, action=action)
    assert not services.fail_run(run=run, error=FAILURE)
    assert not services.skip_run(run=run, error=FAILURE)
    assert AutomationRun.objects.get().status == "succeeded"


# --- Failures ---------------------------------------------------------------------------------------------------------


def failed_with(row, data=None):
    fire(row, data=data)
    work()
    run = AutomationRun.objects.get()
    assert run.status == "failed"
    assert not Render.objects.exists()
    row.refresh_from_db()
    assert row.failures == 1
    assert Notification.objects.filter(kind="automation.failed").count() == 1
    return run.error


def test_a_missing_value_fails_with_its_place(alice) -> None:
    error = failed_with(rendering(alice))
    assert (error["code"], error["pointer"]) == ("missing_value", "/action/merge/NAME")
    assert "event.data.name" in error["message"]


def test_a_deleted_template_fails(alice) -> None:
    row = rendering(alice, merge={})
    alice.templates.all().delete()
    error = failed_with(row)
    assert (error["code"], error["pointer"]) == ("not_found", "/action/template")


def test_no_credits_fail(alice) -> None:
    adjust(user_id=alice.pk, amount=-1000, reference="test:empty", note="for a test")
    error = failed_with(rendering(alice, merge={}))
    assert error["code"] == "insufficient_credits"
    assert not CreditEntry.objects.filter(kind="reserve").exists()


def test_values_that_make_a_bad_request_fail(alice) -> None:
    row = rendering(alice, merge={}, extra={"metadata": {"k": "{{ event.data.long }}"}})
    error = failed_with(row, {"long": "x" * 600})
    assert error["pointer"] == "/action/metadata/k"


def test_an_action_does_no_more_than_its_maker_could(alice) -> None:
    error = failed_with(rendering(alice, merge={}, author_scopes=("automations:write",)))
    assert error["code"] == "missing_scope"


def test_a_handler_that_breaks_down_fails_the_run_in_the_end(alice, monkeypatch) -> None:
    row = make_automation(alice)
    fire(row)
    monkeypatch.setattr("automations.tasks.prepare_action", lambda *args: 1 / 0)
    for _ in range(3):
        work()
        make_due()
    run = AutomationRun.objects.get()
    assert (run.status, run.error["code"]) == ("failed", "internal_error")
    assert "division" not in str(run.error)


def test_too_many_failures_in_a_row_pause_it(alice) -> None:
    row = rendering(alice, max_failures=3, trigger=CRON)
    for number in range(3):
        fire(row, str(number))
        work()
    row.refresh_from_db()
    assert (row.is_active, row.failures, row.next_run_at) == (False, 3, None)
    assert "3 failures in a row" in row.paused_reason
    kinds = list(Notification.objects.order_by("created_at").values_list("kind", flat=True))
    assert kinds == ["automation.failed", "automation.failed", "automation.paused"]


def test_a_success_begins_the_count_anew(alice) -> None:
    row = make_automation(alice, action={"type": "notify", "title": "{{ event.data.t }}"}, max_failures=2)
    for number, data in enumerate(({}, {"t": "x"}, {}, {"t": "x"})):
        fire(row, str(number), data)
        work()
    row.refresh_from_db()
    assert (row.is_active, row.failures) == (True, 0)


def test_failures_of_its_renders_count(alice) -> None:
    row = rendering(alice, merge={}, max_failures=2)
    for number in range(2):
        fire(row, str(number))
        work()
        close_failed(render_id=Render.objects.latest("created_at").pk, error=FAILURE)
    row.refresh_from_db()
    assert (row.is_active, row.failures) == (False, 2)
    assert AutomationRun.objects.filter(status="succeeded").count() == 2


# --- Dry runs ---------------------------------------------------------------------------------------------------------


def test_a_dry_run_says_what_would_be_done_and_changes_nothing(client_of_alice, alice) -> None:
    row = rendering(alice, is_active=False)
    before = Automation.objects.values().get()
    path = f"{PATH}/{row.public_id}/trigger"
    report = client_of_alice.post(path, {"dry_run": True, "data": {"name": "Ana"}})
    assert report.status_code == 200
    found = report.json()
    assert (found["object"], found["action"], found["valid"]) == ("automation_dry_run", "render", True)
    assert found["request"]["merge"] == {"NAME": "Ana"}
    assert found["estimate"]["credits"] == "0.01"
    wrong = client_of_alice.post(path, {"dry_run": True}).json()
    assert (wrong["valid"], wrong["request"], wrong["estimate"]) == (False, None, None)
    assert wrong["errors"][0]["pointer"] == "/action/merge/NAME"
    told = client_of_alice.post(f"{PATH}/{make_automation(alice).public_id}/trigger", {"dry_run": True}).json()
    assert (told["valid"], told["request"]["title"], told["estimate"]) == (True, "Hello", None)
    assert Automation.objects.values().get(pk=row.pk) == before
    for model in (AutomationRun, Render, Job, Notification):
        assert not model.objects.exists()


# --- Limits -----------------------------------------------------------------------------------------------------------


def test_only_so_many_runs_an_hour(client_of_alice, alice) -> None:
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


def test_only_so_many_runs_an_hour_of_an_account(alice, settings) -> None:
    settings.RENDEROWL_AUTOMATION_RUNS_PER_HOUR = 2
    first, second = make_automation(alice), make_automation(alice)
    fire(first)
    fire(second)
    with pytest.raises(services.triggering.TooManyRuns) as refused:
        fire(second, "more")
    assert refused.value.members == {"policy": "automations"}
    fire(make_automation())


def test_what_nobody_waits_for_is_noted_as_skipped(alice) -> None:
    row = listening(alice, "render.failed", runs_per_hour=1)
    for _ in range(3):
        close_failed(render_id=submitted(alice).pk, error=FAILURE)
    states = list(row.runs.order_by("created_at").values_list("status", "error__code"))
    assert states == [("queued", None), ("skipped", "too_many_runs"), ("skipped", "too_many_runs")]


def test_renders_count_against_the_plan(alice, rate_limits) -> None:
    row = rendering(alice, merge={}, runs_per_hour=100)
    for number in range(31):
        fire(row, str(number))
    work()
    assert Render.objects.count() == 30
    waiting = AutomationRun.objects.get(status="queued")
    job = Job.objects.get(pk=waiting.job_id)
    assert (job.status, job.failures) == ("scheduled", 0)
    AutomationRun.objects.filter(pk=waiting.pk).update(created_at=timezone.now() - timedelta(hours=1))
    make_due()
    work()
    waiting.refresh_from_db()
    assert (waiting.status, waiting.error["code"]) == ("failed", "rate_limited")


# --- The clock --------------------------------------------------------------------------------------------------------


def test_fires_once_a_occurrence_and_makes_up_for_missed_ones_once(alice) -> None:
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
    # Three days without any worker: one run, of the latest occurrence.
    assert services.start_due_runs(now=due + timedelta(days=3, hours=5)) == 1
    assert [r.trigger_key[5:15] for r in row.runs.order_by("created_at")] == ["2026-11-20", "2026-11-23"]
    row.refresh_from_db()
    assert row.next_run_at == due + timedelta(days=4)
    work()
    assert Notification.objects.count() == 2


def test_a_paused_one_does_not_occurrence_and_makes_up_for_nothing(alice, client_of_alice) -> None:
    row = make_automation(alice, trigger={**CRON, "cron": "* * * * *"})
    client_of_alice.patch(f"{PATH}/{row.public_id}", {"is_active": False})
    later = timezone.now() + timedelta(days=1)
    assert services.start_due_runs(now=later) == 0
    client_of_alice.patch(f"{PATH}/{row.public_id}", {"is_active": True})
    assert services.start_due_runs(now=timezone.now()) == 0
    assert not AutomationRun.objects.exists()


def test_one_that_cannot_occurrence_any_more_is_paused_and_keeps_nobody_waiting(alice) -> None:
    rows = [make_automation(alice, trigger=CRON) for _ in range(3)]
    now = timezone.now()
    Automation.objects.update(next_run_at=now)
    Automation.objects.filter(pk=rows[0].pk).update(trigger={**CRON, "timezone": "Mars/Base"})
    Automation.objects.filter(pk=rows[1].pk).update(trigger={**CRON, "cron": "0 0 31 2 *"})
    services.start_due_runs(now=now)
    assert list(AutomationRun.objects.values_list("automation", flat=True)) == [rows[2].pk]
    rows[0].refresh_from_db()
    assert (rows[0].is_active, rows[0].paused_reason) == (False, "The time zone Mars/Base is not known any more.")
    assert Automation.objects.due(now).count() == 0


def test_very_many_occurrences_are_fired_in_several_goes(alice, monkeypatch) -> None:
    for _ in range(5):
        make_automation(alice, trigger=CRON)
    Automation.objects.update(next_run_at=timezone.now())
    monkeypatch.setattr("automations.tasks.MAX_RUNS_PER_CALL", 2)
    real = services.start_due_runs
    monkeypatch.setattr("automations.services.start_due_runs", lambda now: real(now=now, limit=2))
    with transaction.atomic():
        job = enqueue(type="automations.schedule")
    for _ in range(3):
        make_due()
        work()
    assert AutomationRun.objects.count() == 5
    job.refresh_from_db()
    assert (job.status, job.attempts, job.failures, job.result) == ("succeeded", 3, 0, {"started": 1})


def test_a_run_whose_job_staff_cancel_is_over(alice) -> None:
    run, _ = fire(make_automation(alice))
    cancel_job(job_id=run.job_id)
    run.refresh_from_db()
    assert (run.status, run.error["code"]) == ("skipped", "cancelled")


def test_the_job_of_the_clock_fires_what_is_due(alice) -> None:
    make_automation(alice, trigger={**CRON, "cron": "* * * * *"})
    Automation.objects.update(next_run_at=timezone.now() - timedelta(minutes=5))
    with transaction.atomic():
        job = enqueue(type="automations.schedule")
    work()
    job.refresh_from_db()
    assert job.result == {"started": 1}
    assert AutomationRun.objects.get().status == "succeeded"


# --- Events -----------------------------------------------------------------------------------------------------------


def submitted(owner, **fields):
    from renders.requests import RenderRequest
    from renders.services.submit import submit_render
    from tests.factories import make_edit

    return submit_render(owner=owner, request=RenderRequest(edit=make_edit(), **fields))


def test_an_event_sets_off_what_listens_and_nothing_else(alice) -> None:
    wanted = listening(alice, "render.failed", "render.cancelled")
    listening(alice, "render.succeeded")
    listening(alice, "render.failed", is_active=False)
    listening(make_user(), "render.failed")
    render = submitted(alice, metadata={"order": 7})
    close_failed(render_id=render.pk, error=FAILURE)
    run = AutomationRun.objects.get()
    assert (run.automation, run.trigger_key) == (wanted, f"event:render.failed:{render.public_id}")
    assert run.input["type"] == "render.failed"
    data = run.input["data"]
    assert (data["id"], data["status"], data["metadata"]) == (render.public_id, "failed", {"order": 7})
    assert data["error"] == FAILURE
    cancelled = submitted(alice)
    close_cancelled(render_id=cancelled.pk)
    assert AutomationRun.objects.count() == 2


def test_filters_decide_which_events_count(alice) -> None:
    project, template = make_project(alice), make_template(alice)
    for extra in ({"project": project.public_id}, {"template": template.public_id}, {"metadata": {"kind": "daily"}}):
        listening(alice, "render.failed", extra={"filter": extra})
    listening(alice, "render.failed", extra={"filter": {"project": project.public_id, "metadata": {"kind": "x"}}})
    for fields, runs in (
        ({}, 0),
        ({"project_id": project.pk}, 1),
        ({"metadata": {"kind": "daily", "more": 1}}, 1),
        ({"project_id": project.pk, "metadata": {"kind": "daily"}}, 2),
    ):
        AutomationRun.objects.all().delete()
        close_failed(render_id=submitted(alice, **fields).pk, error=FAILURE)
        assert AutomationRun.objects.count() == runs, fields
    AutomationRun.objects.all().delete()
    from renders.requests import RenderRequest
    from renders.services.submit import submit_render

    close_failed(render_id=submit_render(owner=alice, request=RenderRequest(template=template)).pk, error=FAILURE)
    assert AutomationRun.objects.count() == 1


def test_assets_that_arrive_set_off_what_listens(alice) -> None:
    listening(alice, "asset.ready", action={"type": "notify", "title": "{{ event.data.kind }} {{ event.data.name }}"})
    asset = make_asset(alice, name="owls.mp4")
    with transaction.atomic():
        publish(AssetReady(asset.pk, alice.pk))
    work()
    assert Notification.objects.get().title == "video owls.mp4"


def test_an_event_without_listeners_costs_two_queries(alice, django_assert_max_num_queries) -> None:
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


def test_what_an_automation_made_never_sets_it_off_again(alice) -> None:
    trigger = {"type": "event", "events": ["render.failed", "render.succeeded", "render.cancelled"]}
    row = rendering(alice, merge={}, trigger=trigger, max_failures=1000)
    submitted(alice)
    for _ in range(5):
        end_all_renders()
        work()
    assert (row.runs.count(), Render.objects.count()) == (1, 2)


def test_automations_that_set_each_other_off_come_to_an_end(alice) -> None:
    trigger = {"type": "event", "events": ["render.failed"]}
    rows = [rendering(alice, merge={}, trigger=trigger, max_failures=1000) for _ in range(3)]
    submitted(alice)
    for _ in range(12):
        end_all_renders()
        work()
    # Each after the first render; then those that have not been in the chain yet: 3 + 6 + 6.
    assert AutomationRun.objects.filter(status="succeeded").count() == 15
    assert all(len(set(run.chain)) == len(run.chain) for run in AutomationRun.objects.all())
    assert end_all_renders() == 0
    assert {run.automation_id for run in AutomationRun.objects.all()} == {row.pk for row in rows}


def test_chains_are_bounded(alice) -> None:
    row = listening(alice, "render.failed")
    chain = tuple(f"{number:032x}" for number in range(5))
    trigger = AutomationTrigger("event", "x", "render.failed", {}, chain)
    run = services.start_run_if_allowed(automation_id=row.pk, trigger=trigger)
    assert run is not None
    assert (run.status, run.error["code"]) == ("skipped", "chain_too_long")
    assert services.start_run_if_allowed(automation_id=row.pk, trigger=trigger) is None
    assert AutomationRun.objects.count() == 1


# --- Housekeeping -----------------------------------------------------------------------------------------------------


def test_old_runs_are_thrown_away(alice) -> None:
    from tests.factories import make_run

    row, old = make_automation(alice), timezone.now() - timedelta(days=31)
    make_run(row, status="succeeded", created_at=old)
    make_run(row, status="queued", created_at=old)
    make_run(row, status="failed")
    assert RETENTION.delete_batch(timezone.now()) == 1
    assert sorted(row.runs.values_list("status", flat=True)) == ["failed", "queued"]
