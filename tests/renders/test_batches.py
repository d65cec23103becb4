"""`/batches`: atomic submission, reading and cancellation."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from analytics.models import AnalyticsEvent
from assets.models import AssetHold
from core.events import subscribe, subscriptions
from core.ids import encode_id, uuid7
from credits.models import CreditAccount, CreditEntry
from credits.selectors import check_ledger
from credits.services import grant
from jobs.models import Job
from jobs.states import FINISHED
from renders.events import RenderQueued
from renders.models import Batch, Render
from renders.services import batches
from tests.factories import make_api_key, make_asset, make_edit, make_project, make_template, make_user
from tests.jobs.inline import run_pending
from tests.renders.test_submit import pointers, rows

pytestmark = pytest.mark.django_db
BATCHES = "/api/v2/batches"
# SQLite allows 999 values per statement and needs about 130 queries, PostgreSQL 33.
MAX_STATEMENTS = 150


def length_template(alice, **output):
    """A template whose length is a placeholder."""
    edit = make_edit(**output)
    edit["timeline"]["tracks"][0]["clips"][0]["length"] = "{{ LENGTH }}"
    edit["timeline"]["tracks"][0]["clips"][0]["asset"]["text"] = "Hello {{ NAME }}"
    return make_template(alice, edit=edit, merge={"NAME": "Guest"})


def submit(client, alice, number=3, **members):
    template = make_template(alice)
    body = {"template": template.public_id, "rows": [{"merge": {"NAME": f"n{i}"}} for i in range(number)], **members}
    response = client.post(BATCHES, body)
    assert response.status_code == 202, response.content
    return Batch.objects.order_by("-created_at", "-pk").first(), response.json()


def test_accepts_rows_of_a_template(client, alice):
    template, project, other = make_template(alice), make_project(alice), make_project(alice)
    body = {
        "template": template.public_id,
        "project": project.public_id,
        "priority": "high",
        "metadata": {"campaign": "spring", "lot": 1},
        "rows": [
            {"merge": {"NAME": "Ana"}, "metadata": {"lot": 2, "order": "a"}},
            {"merge": {"NAME": "Bob"}, "project": other.public_id, "priority": "low"},
            {"project": None},
        ],
    }
    response = client.post(BATCHES, body)
    assert response.status_code == 202, response.content
    batch, answer = Batch.objects.get(), response.json()
    assert response["Location"] == f"{BATCHES}/{batch.public_id}"
    assert (answer["id"], answer["object"], answer["status"]) == (batch.public_id, "batch", "processing")
    assert (answer["project"], answer["template"]) == (project.public_id, template.public_id)
    assert (answer["counts"]["total"], answer["counts"]["queued"], answer["percent"]) == (3, 3, 0)
    assert answer["credits"] == {"reserved": "0.03", "charged": "0.00"}
    assert answer["finished_at"] is None
    assert answer["links"]["renders"].endswith(f"/api/v2/renders?batch={batch.public_id}")
    ana, bob, third = Render.objects.order_by("pk")
    assert [render.merge for render in (ana, bob, third)] == [{"NAME": "Ana"}, {"NAME": "Bob"}, template.merge_defaults]
    assert ana.metadata == {"campaign": "spring", "lot": 2, "order": "a"}
    assert (bob.metadata, bob.project, bob.priority) == ({"campaign": "spring", "lot": 1}, other, 3)
    assert (third.project, third.priority, third.batch) == (None, 1, batch)
    assert {render.template for render in (ana, bob, third)} == {template}
    assert {render.edit == template.edit for render in (ana, bob, third)} == {True}


def test_writes_the_same_rows_as_single_submissions(client, alice):
    """The same rows as three single submissions, except ids, times and the batch."""
    template = make_template(alice)
    asset = make_asset(alice)
    edit = make_edit()
    clip = {"asset": {"type": "video", "src": f"asset:{asset.public_id}"}, "start": 0, "length": 1}
    edit["timeline"]["tracks"].append({"clips": [clip]})
    due = (timezone.now() + timedelta(hours=1)).isoformat()
    wishes = [
        {"template": template.public_id, "merge": {"NAME": "Ana"}, "run_at": due},
        {"edit": edit, "priority": "urgent", "webhook": {"url": "https://example.com/h"}},
        {"edit": make_edit(length=70, size={"width": 1280, "height": 720}, fps=30), "metadata": {"a": 1}},
    ]
    published = []
    with subscriptions.override():
        subscribe(RenderQueued)(published.append)
        for wish in wishes:
            assert client.post("/api/v2/renders", wish).status_code == 202
        single = len(published)
        assert client.post(BATCHES, {"renders": wishes}).status_code == 202
    assert (single, len(published)) == (2, 4)
    unlike = {"id", "created_at", "queued_at", "job_id", "batch_id", "row_version"}
    alone, together = (
        [
            {name: value for name, value in row.items() if name not in unlike}
            for row in Render.objects.filter(batch__isnull=not batched).order_by("pk").values()
        ]
        for batched in (False, True)
    )
    assert alone == together
    for render in Render.objects.all():
        job = Job.objects.get(pk=render.job_id)
        assert (job.reference, job.payload) == (render.reference, {"render": str(render.pk)})
        assert (job.priority, job.user_id, job.scheduled_at > timezone.now()) == (
            render.priority,
            alice.pk,
            render.run_at is not None,
        )
        entry = CreditEntry.objects.get(reference=render.reference)
        assert (entry.kind, entry.amount) == ("reserve", -render.credits_reserved)
    # Alice's plan runs one render at a time, so the other job is blocked.
    assert sorted(Job.objects.values_list("status", flat=True)) == ["blocked"] * 3 + ["queued"] + ["scheduled"] * 2
    assert sorted(AssetHold.objects.values_list("reference", flat=True)) == sorted(
        render.reference for render in Render.objects.filter(priority=0)
    )
    assert not list(check_ledger())


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"rows": []}, ["/rows"]),
        ({"rows": [{}] * 1001}, ["/rows"]),
        ({"rows": [{}, {"merge": []}]}, ["/rows/1/merge"]),
        ({"rows": [{"edit": {}}]}, ["/rows/0/edit"]),
        ({"rows": [{"metadata": {"a": []}}]}, ["/rows/0/metadata/a"]),
        ({"rows": [{}], "renders": [{"edit": {}}]}, ["/renders"]),
        ({"rows": [{}], "template": None}, ["/edit"]),
        ({"rows": [{}], "edit": {}}, ["/template"]),
        ({"rows": [{}], "unknown": 1}, ["/unknown"]),
        ({"rows": [{"project": "prj_x"}]}, ["/rows/0/project"]),
        ({"renders": [{"edit": {}}]}, ["/template"]),
        ({"renders": [{}], "template": None}, ["/renders/0/edit"]),
        ({}, ["/rows"]),
    ],
)
def test_refuses_invalid_bodies(client, alice, changes, expected):
    response = client.post(BATCHES, {"template": make_template(alice).public_id, **changes})
    assert pointers(response) == expected
    assert not Batch.objects.exists()


def test_points_at_the_invalid_merge_value(client, alice):
    template = length_template(alice)
    good = {"merge": {"LENGTH": 1, "NAME": "Ana"}}
    bad = [{"merge": {"LENGTH": "long", "NAME": "Bob"}}, {"merge": {"NAME": "Cy"}}, {"merge": {"LENGTH": -1}}]
    response = client.post(BATCHES, {"template": template.public_id, "rows": [good, *bad]})
    assert pointers(response) == ["/rows/1/merge/LENGTH", "/rows/2/merge/LENGTH", "/rows/3/merge/LENGTH"]
    assert "/timeline/tracks/0/clips/0/length" in response.json()["errors"][0]["detail"]
    assert not Render.objects.exists()


def test_reports_an_error_shared_by_all_rows_once(client, alice):
    template = make_template(alice, edit=make_edit())
    template.edit["timeline"]["tracks"][0]["clips"][0]["length"] = -1
    template.save(update_fields=["edit"])
    stranger = make_project(make_user("bob"))
    body = {"template": template.public_id, "project": stranger.public_id, "rows": [{}, {}, {"project": None}]}
    assert pointers(client.post(BATCHES, body)) == ["/project", "/template"]
    body = {"edit": template.edit, "rows": [{}, {}]}
    assert pointers(client.post(BATCHES, body)) == ["/edit/timeline/tracks/0/clips/0/length"]


def test_points_at_the_invalid_render_of_a_list(client, alice):
    other = make_template(make_user("bob"))
    wishes = [
        {"edit": make_edit()},
        {"edit": make_edit(length=-1)},
        {"template": other.public_id},
        {"template": make_template(alice).public_id, "project": encode_id("prj", uuid7())},
    ]
    assert pointers(client.post(BATCHES, {"renders": wishes})) == [
        "/renders/1/edit/timeline/tracks/0/clips/0/length",
        "/renders/2/template",
        "/renders/3/project",
    ]
    assert not Render.objects.exists()


def test_reports_at_most_fifty_errors(client, alice):
    template = length_template(alice)
    response = client.post(BATCHES, {"template": template.public_id, "rows": [{"merge": {"LENGTH": 0}}] * 60})
    assert len(pointers(response)) == 50
    assert response.json()["errors_truncated"] is True


def test_too_few_credits_for_all_accept_none(client, alice):
    client.post("/api/v2/renders", {"edit": make_edit()})  # opens the account
    before = rows()
    edit = make_edit(length=60, size={"width": 1920, "height": 1080}, fps=30)
    response = client.post(BATCHES, {"edit": edit, "rows": [{}] * 10})
    assert (response.status_code, response.json()["code"]) == (402, "insufficient_credits")
    assert (response.json()["required"], response.json()["balance"]) == ("10.00", "9.99")
    assert rows() == before
    assert not Batch.objects.exists()


@pytest.mark.parametrize("step", ["hold_for_many", "reserve_many", "enqueue_many", "publish_many"])
def test_a_failure_at_any_step_rolls_everything_back(client, alice, monkeypatch, step):
    client.post("/api/v2/renders", {"edit": make_edit()})
    before = rows()
    real = getattr(batches, step)

    def fail_after(*args, **kwargs):
        real(*args, **kwargs)
        raise RuntimeError(step)

    monkeypatch.setattr(batches, step, fail_after)
    client.raise_request_exception = False
    assert client.post(BATCHES, {"edit": make_edit(), "rows": [{}, {}]}).status_code == 500
    assert rows() == before
    assert not Batch.objects.exists()


def test_an_asset_deleted_meanwhile_refuses_the_batch(client, alice, monkeypatch):
    asset = make_asset(alice)
    edit = make_edit()
    clip = {"asset": {"type": "video", "src": f"asset:{asset.public_id}"}, "start": 0, "length": 1}
    edit["timeline"]["tracks"].append({"clips": [clip]})
    real = batches.accept_batch

    def delete_first(**arguments):
        asset.delete()
        return real(**arguments)

    monkeypatch.setattr("renders.views.batches.accept_batch", delete_first)
    response = client.post(BATCHES, {"renders": [{"edit": make_edit()}, {"edit": edit}]})
    assert pointers(response) == ["/renders/1"]
    assert not Render.objects.exists()


def test_a_dry_run_estimates_and_changes_nothing(client, alice):
    edit = make_edit(length=60, size={"width": 1920, "height": 1080}, fps=30)
    response = client.post(BATCHES, {"edit": edit, "rows": [{}] * 20, "dry_run": True})
    assert response.status_code == 200, response.content
    report = response.json()
    assert (report["valid"], report["errors"]) == (True, [])
    assert report["estimate"] == {
        "renders": 20,
        "duration_s": 1200.0,
        "frames": 36000,
        "credits": "20.00",
        "exact": True,
    }
    assert not Batch.objects.exists()
    assert not CreditEntry.objects.filter(kind="reserve").exists()
    template = length_template(alice)
    refused = client.post(
        BATCHES, {"template": template.public_id, "rows": [{"merge": {"LENGTH": 0}}], "dry_run": True}
    ).json()
    assert (refused["valid"], refused["estimate"]) == (False, None)
    assert [error["pointer"] for error in refused["errors"]] == ["/rows/0/merge/LENGTH"]
    shapeless = client.post(BATCHES, {"rows": [1], "dry_run": True})
    assert (shapeless.status_code, shapeless.json()["valid"]) == (200, False)


def test_a_repeated_idempotency_key_makes_one_batch(client, alice):
    body = {"edit": make_edit(), "rows": [{}, {}]}
    first = client.post(BATCHES, body, headers={"Idempotency-Key": "b1"})
    again = client.post(BATCHES, body, headers={"Idempotency-Key": "b1"})
    other = client.post(BATCHES, {**body, "rows": [{}]}, headers={"Idempotency-Key": "b1"})
    assert (first.status_code, again.status_code, other.status_code) == (202, 202, 422)
    assert (again.content, again["Idempotent-Replayed"]) == (first.content, "true")
    assert (Batch.objects.count(), Render.objects.count()) == (1, 2)


def test_a_batch_too_large_or_slow_to_validate_is_refused(client, alice, monkeypatch):
    monkeypatch.setattr(batches, "MAX_EDIT_BYTES", 1000)
    response = client.post(BATCHES, {"edit": make_edit(), "rows": [{}] * 5})
    assert pointers(response) == ["/rows"]
    assert response.json()["errors"][0]["code"] == "too_large"
    monkeypatch.undo()
    monkeypatch.setattr(batches, "MAX_CHECKING_S", -1)
    assert pointers(client.post(BATCHES, {"edit": make_edit(), "rows": [{}] * 5})) == ["/rows"]


def test_a_thousand_rows_take_few_queries(client, alice, django_assert_max_num_queries):
    """All writes are in bulk, also those of subscribers, in chunks of rows that fit into one statement."""
    grant(user_id=alice.pk, amount=99_000, reference="test")
    template = make_template(alice)
    body = {"template": template.public_id, "rows": [{"merge": {"NAME": f"n{i}"}} for i in range(1000)]}
    with django_assert_max_num_queries(MAX_STATEMENTS):
        response = client.post(BATCHES, body)
    assert response.status_code == 202, response.content
    assert (Render.objects.count(), Job.objects.count()) == (1000, 1000)
    assert CreditAccount.objects.get(user=alice).balance == 99_000
    reserved = CreditEntry.objects.filter(kind="reserve").order_by("pk")
    assert list(reserved.values_list("balance_after", flat=True)) == list(range(99_999, 98_999, -1))
    assert AnalyticsEvent.objects.filter(type="render.submitted").count() == 1000
    assert not list(check_ledger())


class TestReading:
    """The list and the detail of batches."""

    def test_counts_are_current(self, client, alice):
        batch, _ = submit(client, alice, 4)
        first, second, third, _ = Render.objects.order_by("pk")
        Render.objects.filter(pk=first.pk).update(status="rendering", percent=41.7)
        for render in (second, third):
            client.post(f"/api/v2/renders/{render.public_id}/cancel")
        answer = client.get(f"{BATCHES}/{batch.public_id}").json()
        expected = {"total": 4, "queued": 1, "rendering": 1, "cancelled": 2}
        assert {name: number for name, number in answer["counts"].items() if number} == expected
        assert answer["percent"] == 60.4
        assert answer["status"] == "processing"

    def test_lists_the_newest_first_in_few_queries(self, client, alice, django_assert_num_queries):
        made = [submit(client, alice, 2)[0] for _ in range(3)]
        with django_assert_num_queries(4):
            answer = client.get(BATCHES).json()
        assert [row["id"] for row in answer["data"]] == [batch.public_id for batch in reversed(made)]
        assert {row["counts"]["queued"] for row in answer["data"]} == {2}

    def test_filters(self, client, alice):
        project = make_project(alice)
        done, _ = submit(client, alice, 1, project=project.public_id)
        client.post(f"{BATCHES}/{done.public_id}/cancel")
        open_one, _ = submit(client, alice, 1)

        def found(query):
            return [row["id"] for row in client.get(f"{BATCHES}?{query}").json()["data"]]

        assert found("status=completed") == [done.public_id]
        assert found("status=processing,cancelling") == [open_one.public_id]
        assert found(f"project={project.public_id}") == [done.public_id]
        assert found(f"template={open_one.template.public_id}") == [open_one.public_id]
        assert client.get(f"{BATCHES}?status=odd").json()["code"] == "invalid_parameter"

    def test_renders_name_their_batch_and_are_filtered_by_it(self, client, alice):
        batch, _ = submit(client, alice, 2)
        client.post("/api/v2/renders", {"edit": make_edit()})
        answer = client.get(f"/api/v2/renders?batch={batch.public_id}").json()
        assert [row["batch"] for row in answer["data"]] == [batch.public_id] * 2
        assert client.get(f"/api/v2/renders?batch={encode_id('bat', uuid7())}").json()["data"] == []
        assert client.get("/api/v2/renders?batch=bat_1").json()["parameter"] == "batch"

    def test_filtering_by_a_batch_of_another_account_finds_nothing(self, client, alice):
        bob = make_user("bob")
        batch = Batch.objects.create(owner=bob, total=1, pending=1)
        assert client.get(f"/api/v2/renders?batch={batch.public_id}").json()["data"] == []

    def test_a_retry_belongs_to_no_batch(self, client, alice):
        batch, _ = submit(client, alice, 1)
        render = Render.objects.get()
        client.post(f"{BATCHES}/{batch.public_id}/cancel")
        retried = client.post(f"/api/v2/renders/{render.public_id}/retry").json()
        assert (retried["batch"], retried["retry_of"]) == (None, render.public_id)


class TestCancel:
    """Cancellation of the unfinished renders."""

    def test_cancels_waiting_renders_and_refunds_them(self, client, alice):
        batch, _ = submit(client, alice, 3)
        response = client.post(f"{BATCHES}/{batch.public_id}/cancel")
        assert response.status_code == 200, response.content
        answer = response.json()
        assert (answer["status"], answer["counts"]["cancelled"], answer["percent"]) == ("completed", 3, 100)
        assert answer["finished_at"] is not None
        assert CreditAccount.objects.get(user=alice).balance == 1000
        assert not list(check_ledger())
        assert not Job.objects.filter(type="renders.render").exclude(status="cancelled").exists()
        again = client.post(f"{BATCHES}/{batch.public_id}/cancel")
        assert (again.status_code, again.json()) == (200, answer)

    def test_asks_running_renders_to_stop(self, client, alice):
        batch, _ = submit(client, alice, 3)
        first = Render.objects.order_by("pk").first()
        Render.objects.filter(pk=first.pk).update(status="rendering", attempt=1)
        Job.objects.filter(pk=first.job_id).update(status="running", attempts=1, worker="w")
        response = client.post(f"{BATCHES}/{batch.public_id}/cancel")
        assert (response.status_code, response.json()["status"]) == (202, "cancelling")
        assert response.json()["counts"]["cancelling"] == 1
        assert Job.objects.get(pk=first.job_id).cancel_requested_at is not None

    def test_is_refused_when_all_renders_have_ended(self, client, alice):
        batch, _ = submit(client, alice, 1)
        client.post(f"/api/v2/renders/{Render.objects.get().public_id}/cancel")
        response = client.post(f"{BATCHES}/{batch.public_id}/cancel")
        assert (response.status_code, response.json()["code"]) == (409, "invalid_state")

    def test_a_job_finishes_the_cancellation_if_the_server_died(self, client, alice, monkeypatch):
        batch, _ = submit(client, alice, 2)
        monkeypatch.setattr("renders.services.batch_cancel.cancel_batch_renders", lambda **_: None)
        assert client.post(f"{BATCHES}/{batch.public_id}/cancel").json()["status"] == "cancelling"
        job = Job.objects.get(type="renders.cancel_batch")
        assert job.scheduled_at > timezone.now()
        monkeypatch.undo()
        Job.objects.filter(pk=job.pk).update(status="queued", scheduled_at=timezone.now())
        run_pending(queues=["default"])
        batch.refresh_from_db()
        assert (batch.status, batch.cancelled) == ("completed", 2)
        assert Job.objects.exclude(status__in=FINISHED).count() == 0


def test_version_1_has_no_batches(client, alice):
    batch, _ = submit(client, alice, 1)
    paths = ["batches", f"batches/{batch.public_id}", f"renders?batch={batch.public_id}"]
    for path in paths:
        response = client.get(f"/api/v1/{path}")
        assert (response.status_code, response.json()["available_in"]) == (404, ["v2"]), path


class TestRateLimit:
    """A batch is charged as its number of renders."""

    def post(self, api, alice, number):
        key = make_api_key(alice)
        return api.post(BATCHES, {"edit": make_edit(), "rows": [{}] * number}, headers={"X-API-Key": key})

    def test_charges_one_unit_for_each_render(self, api, alice, rate_limits):
        response = self.post(api, alice, 12)
        assert response.status_code == 202, response.content
        assert '"renders";r=18' in response["RateLimit"]

    def test_a_batch_over_the_remaining_quota_is_refused_and_charges_nothing(self, api, alice, rate_limits):
        self.post(api, alice, 20)
        refused = self.post(api, alice, 11)
        assert (refused.status_code, refused.json()["policy"]) == (429, "renders")
        assert self.post(api, alice, 10).status_code == 202
        assert Batch.objects.count() == 2

    def test_a_batch_over_the_hourly_quota_is_refused_with_422(self, api, alice, rate_limits):
        response = self.post(api, alice, 31)
        assert pointers(response) == ["/rows"]
        assert "at most 30" in response.json()["errors"][0]["detail"]

    def test_an_unreadable_body_is_refused_after_rate_and_scope(self, api, alice, rate_limits):
        narrow = make_api_key(alice, scopes=("renders:read",))
        for key, status in ((narrow, 403), (make_api_key(alice), 400)):
            response = api.generic("POST", BATCHES, "{", "application/json", headers={"X-API-Key": key})
            assert response.status_code == status
        response = api.generic("POST", BATCHES, "a", "text/plain", headers={"X-API-Key": make_api_key(alice)})
        assert response.status_code in {415, 429}
