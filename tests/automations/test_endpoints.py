"""POST, GET, PATCH, DELETE /automations."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from automations.models import Automation, AutomationRun
from tests.factories import make_automation, make_project, make_render, make_run, make_template, make_user

pytestmark = pytest.mark.django_db
PATH = "/api/v2/automations"
NOTIFY = {"type": "notify", "title": "Hello {{ event.data.name }}", "body": ""}


def body(**fields):
    return {"name": "Nightly", "trigger": {"type": "manual"}, "action": NOTIFY, **fields}


def test_creates_one_that_renders_on_a_cron_schedule(client_of_alice, alice) -> None:
    project, template = make_project(alice), make_template(alice)
    trigger = {"type": "cron", "cron": "0 9 * * 1-5", "timezone": "Europe/Berlin"}
    action = {"type": "render", "template": template.public_id, "merge": {"NAME": "{{ event.data.scheduled_at }}"}}
    limits = {"runs_per_hour": 10, "max_failures": 2}
    data = body(trigger=trigger, action=action, project=project.public_id, limits=limits)
    answer = client_of_alice.post(PATH, data)
    assert answer.status_code == 201, answer.content
    created = answer.json()
    row = Automation.objects.get()
    assert answer["Location"] == f"{PATH}/{row.public_id}"
    assert answer["Cache-Control"] == "no-store"
    assert (created["object"], created["name"], created["project"]) == ("automation", "Nightly", project.public_id)
    assert (created["trigger"], created["action"], created["limits"]) == (trigger, action, limits)
    assert (created["is_active"], created["failures"], created["secret"], created["hook_url"]) == (True, 0, None, None)
    assert (created["paused_at"], created["paused_reason"], created["last_triggered_at"]) == (None, None, None)
    assert row.next_run_at is not None
    assert created["next_run_at"] == row.next_run_at.isoformat(timespec="microseconds").replace("+00:00", "Z")
    assert timezone.now() < row.next_run_at < timezone.now() + timedelta(days=4)
    assert row.owner == alice
    assert "renders:write" in row.author_scopes
    assert "admin:*" not in row.author_scopes
    detail = client_of_alice.get(f"{PATH}/{row.public_id}").json()
    assert detail == {name: value for name, value in created.items() if name != "secret"}
    assert client_of_alice.get(PATH).json()["data"] == [detail]


def test_the_secret_of_a_webhook_is_shown_once(client_of_alice) -> None:
    created = client_of_alice.post(PATH, body(trigger={"type": "webhook"}), headers={"Idempotency-Key": "one"})
    assert created.json()["secret"].startswith("whsec_")
    row = Automation.objects.get()
    assert created.json()["hook_url"] == f"http://testserver/webhooks/automations/{row.public_id}"
    stored = [str(value) for value in Automation.objects.values().get().values()]
    assert not any(created.json()["secret"][6:20] in text for text in stored)
    for answer in (
        client_of_alice.get(PATH),
        client_of_alice.get(f"{PATH}/{row.public_id}"),
        client_of_alice.patch(f"{PATH}/{row.public_id}", {"name": "x"}),
        client_of_alice.post(PATH, body(trigger={"type": "webhook"}), headers={"Idempotency-Key": "one"}),
    ):
        assert answer.status_code < 300
        assert b"whsec_" not in answer.content
    assert Automation.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"name": ""}, "/name", "blank"),
        ({"name": None}, "/name", "null"),
        ({"colour": "red"}, "/colour", "unknown_field"),
        ({"trigger": None}, "/trigger", "null"),
        ({"trigger": "cron"}, "/trigger", "invalid_type"),
        ({"trigger": {}}, "/trigger/type", "invalid_choice"),
        ({"trigger": {"type": "moon"}}, "/trigger/type", "invalid_choice"),
        ({"trigger": {"type": ["cron"]}}, "/trigger/type", "invalid_choice"),
        ({"trigger": {"type": "manual", "cron": "* * * * *"}}, "/trigger/cron", "unknown_field"),
        ({"trigger": {"type": "cron"}}, "/trigger/cron", "required"),
        ({"trigger": {"type": "cron", "cron": "* * * *"}}, "/trigger/cron", "invalid_cron"),
        ({"trigger": {"type": "cron", "cron": "0 0 31 2 *"}}, "/trigger/cron", "invalid_cron"),
        (
            {"trigger": {"type": "cron", "cron": "* * * * *", "timezone": "X/Y"}},
            "/trigger/timezone",
            "unknown_timezone",
        ),
        ({"trigger": {"type": "event", "events": []}}, "/trigger/events", "min_length"),
        ({"trigger": {"type": "event", "events": ["render.exploded"]}}, "/trigger/events/0", "invalid_choice"),
        (
            {"trigger": {"type": "event", "events": ["render.failed"], "filter": {"project": "tpl_x"}}},
            "/trigger/filter/project",
            "invalid_id",
        ),
        ({"action": {"type": "shell", "command": "rm"}}, "/action/type", "invalid_choice"),
        ({"action": {"type": "notify"}}, "/action/title", "required"),
        ({"action": {"type": "notify", "title": "{{ __class__ }}"}}, "/action/title", "malformed_expression"),
        ({"action": {"type": "render"}}, "/action/template", "required"),
        ({"action": {"type": "render", "template": "{{ event.data.t }}"}}, "/action/template", "invalid_id"),
        ({"action": {"type": "render", "template": "tpl_00000000000000000000000000"}}, "/action/template", "not_found"),
        ({"project": "prj_00000000000000000000000000"}, "/project", "not_found"),
        ({"limits": {"runs_per_hour": 0}}, "/limits/runs_per_hour", "min_value"),
        ({"limits": {"max_failures": 10**9}}, "/limits/max_failures", "max_value"),
        ({"is_active": "yes"}, "/is_active", "invalid_type"),
    ],
)
def test_refuses_invalid_definitions(client_of_alice, fields, pointer, code) -> None:
    answer = client_of_alice.post(PATH, body(**fields))
    assert answer.status_code == 422, answer.content
    errors = [(error["pointer"], error["code"]) for error in answer.json()["errors"]]
    assert errors == [(pointer, code)], errors
    assert not Automation.objects.exists()


def test_refuses_texts_that_cannot_be_interpolated_or_stored(client_of_alice, alice) -> None:
    template = make_template(alice).public_id
    deep: object = "x"
    for _ in range(30):
        deep = [deep]
    for merge, pointer in (
        ({"A": {"b": ["{{ open"]}}, "/action/merge/A/b/0"),
        ({"A": deep}, "/action/merge/A" + "/0" * 11),
        ({"A": "nul\x00"}, "/action/merge/A"),
    ):
        action = {"type": "render", "template": template, "merge": merge}
        answer = client_of_alice.post(PATH, body(action=action))
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"].startswith(pointer), answer.json()


def test_refuses_templates_and_projects_of_other_users(client_of_alice) -> None:
    template, project = make_template(), make_project()
    for fields, pointer in (
        ({"action": {"type": "render", "template": template.public_id}}, "/action/template"),
        ({"project": project.public_id}, "/project"),
    ):
        answer = client_of_alice.post(PATH, body(**fields))
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
    assert not Automation.objects.exists()


def test_the_number_of_automations_of_an_account_is_limited(client_of_alice, alice, settings) -> None:
    settings.RENDEROWL_AUTOMATIONS_PER_ACCOUNT = 2
    make_automation(alice)
    make_automation()
    assert client_of_alice.post(PATH, body()).status_code == 201
    answer = client_of_alice.post(PATH, body())
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "too_many")


def test_filters(client_of_alice, alice) -> None:
    project = make_project(alice)
    make_automation(alice, name="a", project_id=project.pk)
    make_automation(alice, name="b", trigger={"type": "webhook"})
    make_automation(alice, name="c", is_active=False)
    make_automation(name="d")
    for query, names in (
        ("", "cba"),
        (f"project={project.public_id}", "a"),
        ("trigger=webhook", "b"),
        ("trigger=webhook,cron", "b"),
        ("active=false", "c"),
        ("action=render", ""),
    ):
        found = client_of_alice.get(f"{PATH}?{query}").json()["data"]
        assert "".join(item["name"] for item in found) == names
    for query in ("active=x", "project=x", "trigger=moon", "status=x"):
        assert client_of_alice.get(f"{PATH}?{query}").json()["code"] == "invalid_parameter"


def test_patch_changes_single_members(client_of_alice, alice) -> None:
    row = make_automation(alice, trigger={"type": "cron", "cron": "0 9 * * *", "timezone": "UTC"})
    path = f"{PATH}/{row.public_id}"
    changed = client_of_alice.patch(path, {"name": "New", "limits": {"runs_per_hour": 7}}).json()
    assert (changed["name"], changed["limits"]) == ("New", {"runs_per_hour": 7, "max_failures": 5})
    assert changed["next_run_at"] == row.next_run_at.isoformat(timespec="microseconds").replace("+00:00", "Z")
    paused = client_of_alice.patch(path, {"is_active": False}).json()
    assert (paused["is_active"], paused["next_run_at"]) == (False, None)
    resumed = client_of_alice.patch(path, {"is_active": True}).json()
    assert resumed["next_run_at"] == changed["next_run_at"]
    webhook = client_of_alice.patch(path, {"trigger": {"type": "webhook"}}).json()
    assert webhook["next_run_at"] is None
    assert webhook["hook_url"].endswith(row.public_id)
    assert client_of_alice.patch(path, {"trigger": {"type": "manual"}}).json()["hook_url"] is None
    row.refresh_from_db()
    assert (row.webhook_salt, row.trigger, row.trigger_type) == ("", {"type": "manual"}, "manual")
    assert client_of_alice.patch(path, {"trigger": {"type": "x"}}).status_code == 422
    assert client_of_alice.patch(path, {"project": make_project().public_id}).status_code == 422


def test_resuming_resets_the_failures(client_of_alice, alice) -> None:
    row = make_automation(alice, is_active=False)
    Automation.objects.update(failures=5, paused_at=timezone.now(), paused_reason="5 consecutive failures.")
    path = f"{PATH}/{row.public_id}"
    assert client_of_alice.get(path).json()["paused_reason"] == "5 consecutive failures."
    row = client_of_alice.patch(path, {"is_active": True}).json()
    assert (row["is_active"], row["failures"], row["paused_at"], row["paused_reason"]) == (True, 0, None, None)


def test_if_match_refuses_the_second_of_two_writers(client_of_alice, alice) -> None:
    row = make_automation(alice)
    path = f"{PATH}/{row.public_id}"
    etag = client_of_alice.get(path)["ETag"]
    assert client_of_alice.get(path, headers={"If-None-Match": etag}).status_code == 304
    assert client_of_alice.patch(path, {"name": "first"}, headers={"If-Match": etag}).status_code == 200
    assert client_of_alice.patch(path, {"name": "second"}, headers={"If-Match": etag}).status_code == 412
    assert client_of_alice.delete(path, headers={"If-Match": etag}).status_code == 412
    row.refresh_from_db()
    assert row.name == "first"


def test_deletes_it_with_its_runs_but_not_its_renders(client_of_alice, alice) -> None:
    row = make_automation(alice)
    render = make_render(alice)
    make_run(row, render=render, status="succeeded")
    assert client_of_alice.delete(f"{PATH}/{row.public_id}").status_code == 204
    assert not Automation.objects.exists()
    assert not AutomationRun.objects.exists()
    render.refresh_from_db()
    assert client_of_alice.delete(f"{PATH}/{row.public_id}").status_code == 404


def test_lists_runs_newest_first(client_of_alice, alice, django_assert_max_num_queries) -> None:
    row = make_automation(alice)
    render = make_render(alice)
    error = {"code": "missing_value", "message": "No.", "pointer": "/action/title"}
    event = {"id": "evt-1", "type": "render.failed", "timestamp": None, "data": {"x": 1}}
    make_run(row, status="failed", error=error, trigger_type="event", input=event)
    make_run(row, status="succeeded", render=render, request={"type": "render", "template": "tpl_1"})
    make_run(row, status="succeeded", request={"type": "notify", "title": "T"})
    make_run()
    for _ in range(20):
        make_run(row)
    path = f"{PATH}/{row.public_id}/runs"
    client_of_alice.get("/api/v2/me")
    with django_assert_max_num_queries(3):
        data = client_of_alice.get(path).json()["data"]
    assert len(data) == 23
    notified, rendered, failed = data[-3:]
    assert (failed["status"], failed["error"], failed["outcome"]) == ("failed", error, None)
    assert (failed["trigger"], failed["input"]) == ({"type": "event", "id": "evt-1"}, event)
    assert (rendered["render"], rendered["outcome"]) == (render.public_id, "render_submitted")
    assert rendered["request"] == {"type": "render", "template": "tpl_1"}
    assert (notified["outcome"], notified["render"], notified["automation"]) == ("notified", None, row.public_id)
    assert notified["object"] == "automation_run"
    found = client_of_alice.get(f"{path}?status=failed&trigger=event").json()["data"]
    assert [item["id"] for item in found] == [failed["id"]]
    assert client_of_alice.get(f"{PATH}/{make_automation().public_id}/runs").status_code == 404
    assert client_of_alice.get(f"/api/v1/automations/{row.public_id}/runs").json()["pagination"]["total"] == 23


def test_rotates_the_secret_of_webhook_triggers_only(client_of_alice, alice) -> None:
    with_webhook, plain = make_automation(alice, trigger={"type": "webhook"}), make_automation(alice)
    first = client_of_alice.post(f"{PATH}/{with_webhook.public_id}/rotate-secret")
    second = client_of_alice.post(f"{PATH}/{with_webhook.public_id}/rotate-secret")
    assert (first.status_code, first["Cache-Control"]) == (200, "no-store")
    assert first.json()["secret"] != second.json()["secret"]
    refused = client_of_alice.post(f"{PATH}/{plain.public_id}/rotate-secret")
    assert (refused.status_code, refused.json()["code"]) == (409, "invalid_state")
    assert make_user() != alice
