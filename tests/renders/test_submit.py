"""`POST /renders`: acceptance, refusals and atomicity."""

from __future__ import annotations

import copy
from datetime import timedelta

import pytest
from django.utils import timezone

from assets.models import AssetHold
from core.ids import encode_id, uuid7
from credits.models import CreditAccount, CreditEntry
from jobs.models import Job
from renders.events import RenderQueued, RenderSubmitted
from renders.models import Project, Render, Template
from renders.services import submit
from tests.factories import make_api_key, make_asset, make_edit, make_project, make_template, make_user

pytestmark = pytest.mark.django_db
RENDERS = "/api/v2/renders"


def edit_with(asset, *, length="auto"):
    edit = make_edit()
    edit["timeline"]["tracks"].append({"clips": [{"asset": asset, "start": 0, "length": length}]})
    return edit


def rows():
    models = (Render, Job, AssetHold, CreditEntry, CreditAccount, Project, Template)
    return {model.__name__: list(model.objects.order_by("pk").values()) for model in models}


def pointers(response):
    assert response.status_code == 422, response.content
    assert response["Content-Type"] == "application/problem+json"
    return [error["pointer"] for error in response.json()["errors"]]


def test_accepts_an_edit(client, alice):
    project = make_project(alice)
    edit = make_edit(length=2)
    body = {
        "edit": edit,
        "merge": {"NAME": "Ana"},
        "project": project.public_id,
        "priority": "high",
        "metadata": {"order_id": "1881", "count": 3},
    }
    response = client.post(RENDERS, body)
    assert response.status_code == 202, response.content
    answer = response.json()
    render = Render.objects.get()
    assert response["Location"] == f"{RENDERS}/{render.public_id}"
    assert answer["id"] == render.public_id
    assert (answer["object"], answer["status"], answer["priority"]) == ("render", "queued", "high")
    assert answer["project"] == project.public_id
    assert answer["metadata"] == body["metadata"]
    assert answer["credits"] == {"reserved": "0.01", "charged": None}
    assert answer["queued_at"] is not None
    assert answer["output"] is answer["error"] is answer["batch"] is answer["retry_of"] is None
    assert render.edit == edit
    job = Job.objects.get()
    assert (job.type, job.status, job.priority, job.queue) == ("renders.render", "queued", 1, "renders")
    assert job.reference == f"render:{render.pk}"
    assert render.job_id == job.pk
    entry = CreditEntry.objects.get(kind="reserve")
    assert (entry.user, entry.amount, entry.reference) == (alice, -1, job.reference)


def test_reserves_by_frame_size_frame_rate_and_length(client):
    # 60 s of 1920x1080 at 30 frames a second cost one credit, so 6 s cost a tenth.
    edit = make_edit(length=6, size={"width": 1920, "height": 1080}, fps=30)
    assert client.post(RENDERS, {"edit": edit}).json()["credits"]["reserved"] == "0.10"


def test_holds_the_assets_and_reserves_by_their_length(client, alice):
    asset = make_asset(alice)
    edit = edit_with({"type": "video", "src": f"asset:{asset.public_id}"})
    edit["output"] |= {"size": {"width": 1920, "height": 1080}, "fps": 30}
    response = client.post(RENDERS, {"edit": edit})
    assert response.status_code == 202, response.content
    render = Render.objects.get()
    hold = AssetHold.objects.get()
    assert (hold.asset, hold.reference, hold.label) == (asset, f"render:{render.pk}", render.public_id)
    # The clip lasts 2 s: 1/30 of a credit, rounded up.
    assert render.credits_reserved == 4
    assert render.total_frames == 60


def test_is_scheduled_until_run_at(client):
    later = timezone.now() + timedelta(hours=1)
    response = client.post(RENDERS, {"edit": make_edit(), "run_at": later.isoformat()})
    assert response.json()["status"] == "scheduled"
    assert response.json()["queued_at"] is None
    assert (Job.objects.get().status, Job.objects.get().scheduled_at) == ("scheduled", later)


def test_a_run_at_in_the_past_means_now(client):
    past = timezone.now() - timedelta(hours=1)
    assert client.post(RENDERS, {"edit": make_edit(), "run_at": past.isoformat()}).json()["status"] == "queued"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"edit": None}, "/edit"),
        ({"edit": "words"}, "/edit"),
        ({"edit": []}, "/edit"),
        ({"edit": {}}, "/edit/timeline"),
        ({"template": encode_id("tpl", uuid7())}, "/template"),
        ({"priority": "asap"}, "/priority"),
        ({"priority": 1}, "/priority"),
        ({"project": encode_id("prj", uuid7())}, "/project"),
        ({"project": "prj_x"}, "/project"),
        ({"run_at": "tomorrow"}, "/run_at"),
        ({"strict": "true"}, "/strict"),
        ({"dry_run": 1}, "/dry_run"),
        ({"metadata": {"a": ["b"]}}, "/metadata/a"),
        ({"merge": ["a"]}, "/merge"),
        ({"webhook": {"url": "ftp://example.com/"}}, "/webhook/url"),
        ({"webhook": {"url": "https://user:pass@example.com/"}}, "/webhook/url"),
        ({"webhook": {"url": "http://example.com/"}}, "/webhook/url"),
        ({"webhook": {"url": "https://10.0.0.1/"}}, "/webhook/url"),
        ({"webhook": {"url": "https://example.com/", "events": ["render.exploded"]}}, "/webhook/events/0"),
        ({"callback": "https://example.com/"}, "/callback"),
    ],
)
def test_refuses_invalid_members(client, change, pointer):
    found = pointers(client.post(RENDERS, {"edit": make_edit(), **change}))
    assert any(item == pointer or item.startswith(f"{pointer}/") for item in found)
    assert not Render.objects.exists()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("output", "size", "width"), 65),
        (("output", "size", "width"), 8000),
        (("output", "size", "height"), 8),
        (("output", "fps"), 0),
        (("output", "fps"), 121),
        (("output", "format"), "avi"),
        (("timeline", "tracks", 0, "clips", 0, "length"), 0),
        (("timeline", "tracks", 0, "clips", 0, "start"), -1),
        (("timeline", "tracks", 0, "clips", 0, "asset", "type"), "text-to-video"),
    ],
)
def test_points_at_values_that_cannot_be_rendered(client, path, value):
    edit = make_edit()
    *parents, last = path
    place = edit
    for part in parents:
        place = place[part]
    place[last] = value
    found = pointers(client.post(RENDERS, {"edit": edit}))
    full = "/edit/" + "/".join(map(str, path))
    assert any(full.startswith(pointer) or pointer.startswith(full) for pointer in found)


def test_refuses_more_than_an_hour(client):
    assert pointers(client.post(RENDERS, {"edit": make_edit(length=3600.5)}))


def test_refuses_a_body_over_two_megabytes(client):
    response = client.post(RENDERS, {"edit": make_edit(), "metadata": {"a": "x" * (2 * 1024 * 1024)}})
    assert (response.status_code, response.json()["code"]) == (413, "payload_too_large")


def test_a_missing_asset_and_one_of_another_account_look_the_same(client):
    others = make_asset(make_user("bob"))
    answers = []
    for name in (others.public_id, encode_id("ast", uuid7()), "ast_junk"):
        edit = edit_with({"type": "video", "src": f"asset:{name}"})
        response = client.post(RENDERS, {"edit": edit})
        assert pointers(response) == ["/edit/timeline/tracks/1/clips/0/asset/src"]
        answers.append(response.json()["errors"])
    assert answers[0] == answers[1] == answers[2]
    assert not AssetHold.objects.exists()


@pytest.mark.parametrize(("status", "code"), [("pending", "asset_pending"), ("failed", "asset_failed")])
def test_refuses_an_asset_without_a_file(client, alice, status, code):
    asset = make_asset(alice, status=status)
    response = client.post(RENDERS, {"edit": edit_with({"type": "video", "src": f"asset:{asset.public_id}"})})
    assert pointers(response) == ["/edit/timeline/tracks/1/clips/0/asset/src"]
    assert response.json()["errors"][0]["code"] == code


def test_refuses_an_asset_of_the_wrong_kind_on_submission(client, alice):
    asset = make_asset(alice)
    response = client.post(RENDERS, {"edit": edit_with({"type": "image", "src": f"asset:{asset.public_id}"}, length=1)})
    assert pointers(response) == ["/edit/timeline/tracks/1/clips/0/asset/src"]
    assert response.json()["errors"][0]["code"] == "media_mismatch"


def test_warns_of_unknown_fields_and_strict_refuses_them(client):
    edit = make_edit()
    edit["timeline"]["mood"] = "happy"
    answer = client.post(RENDERS, {"edit": edit}).json()
    assert [(item["pointer"], item["code"]) for item in answer["warnings"]] == [
        ("/edit/timeline/mood", "unknown_field")
    ]
    found = pointers(client.post(RENDERS, {"edit": edit, "strict": True}))
    assert found == ["/edit/timeline/mood"]


def test_stores_the_webhook_of_a_render(client):
    body = {"edit": make_edit(), "webhook": {"url": "https://example.com/hook", "events": ["render.succeeded"]}}
    answer = client.post(RENDERS, body).json()
    assert answer["warnings"] == []
    assert Render.objects.get().webhook == body["webhook"]


def test_too_few_credits_write_nothing(client, alice):
    client.post(RENDERS, {"edit": make_edit()})  # opens the account
    before = rows()
    edit = make_edit(length=3600, size={"width": 1920, "height": 1080}, fps=30)
    response = client.post(RENDERS, {"edit": edit})
    assert (response.status_code, response.json()["code"]) == (402, "insufficient_credits")
    assert (response.json()["required"], response.json()["balance"]) == ("60.00", "9.99")
    assert rows() == before


@pytest.mark.parametrize("step", ["hold", "reserve", "enqueue_many", "publish"])
def test_a_failure_at_any_step_rolls_everything_back(client, alice, monkeypatch, step):
    client.post(RENDERS, {"edit": make_edit()})
    asset = make_asset(alice)
    before = rows()
    real = getattr(submit, step)

    def fail_after(*args, **kwargs):
        real(*args, **kwargs)
        raise RuntimeError(step)

    monkeypatch.setattr(submit, step, fail_after)
    client.raise_request_exception = False
    body = {"edit": edit_with({"type": "video", "src": f"asset:{asset.public_id}"})}
    response = client.post(RENDERS, body)
    assert (response.status_code, response.json()["code"]) == (500, "internal_error")
    assert step not in response.content.decode()
    assert rows() == before


def test_publishes_its_events_once(client, monkeypatch):
    published = []
    monkeypatch.setattr(submit, "publish", published.append)
    client.post(RENDERS, {"edit": make_edit()})
    render = Render.objects.get()
    fields = {"render_id": render.pk, "owner_id": render.owner_id, "project_id": None}
    assert published == [RenderSubmitted(**fields), RenderQueued(**fields)]


class TestDryRun:
    """`dry_run` and `/renders/validate`: always 200, and nothing changes."""

    @pytest.fixture(params=["dry_run", "validate"])
    def ask(self, request, client):
        def send(body):
            if request.param == "dry_run":
                return client.post(RENDERS, {**body, "dry_run": True})
            return client.post(f"{RENDERS}/validate", body)

        return send

    def test_estimates(self, ask):
        before = rows()
        edit = make_edit(length=60, size={"width": 1920, "height": 1080}, fps=30)
        response = ask({"edit": edit})
        assert response.status_code == 200
        report = response.json()
        assert (report["valid"], report["errors"], report["warnings"]) == (True, [], [])
        estimate = report["estimate"]
        assert (estimate["duration_s"], estimate["frames"], estimate["credits"]) == (60.0, 1800, "1.00")
        assert estimate["exact"] is True
        assert rows() == before

    def test_is_never_402(self, ask):
        edit = make_edit(length=3600, size={"width": 3840, "height": 2160}, fps=60)
        response = ask({"edit": edit})
        assert response.status_code == 200
        assert response.json()["estimate"]["credits"] == "480.00"

    def test_reports_errors(self, ask):
        before = rows()
        edit = make_edit(format="avi")
        response = ask({"edit": edit})
        assert response.status_code == 200
        report = response.json()
        assert (report["valid"], report["estimate"]) == (False, None)
        assert [error["pointer"] for error in report["errors"]] == ["/edit/output/format"]
        assert rows() == before

    def test_reports_invalid_members_besides_the_edit(self, ask):
        report = ask({"edit": make_edit(), "priority": "asap"}).json()
        assert (report["valid"], [error["pointer"] for error in report["errors"]]) == (False, ["/priority"])

    @pytest.mark.parametrize("body", [{}, {"edit": "x"}, {"edit": []}, {"edit": None}])
    def test_refuses_a_body_without_an_edit(self, ask, body):
        assert pointers(ask(body)) == ["/edit"]

    def test_shows_that_an_estimate_is_not_exact(self, ask):
        edit = edit_with({"type": "video", "src": "https://example.com/film.mp4"})
        estimate = ask({"edit": edit}).json()["estimate"]
        assert (estimate["duration_s"], estimate["exact"]) == (10.0, False)


def test_estimate_endpoint_needs_only_its_own_scope(alice, client):
    key = make_api_key(alice, scopes=("credits:read",))
    client.credentials()
    client.defaults["HTTP_X_API_KEY"] = key
    response = client.post("/api/v2/credits/estimate", {"edit": make_edit(length=2)}, headers={"X-API-Key": key})
    assert response.status_code == 200, response.content
    answer = response.json()
    assert (answer["duration_s"], answer["frames"], answer["credits"]) == (2.0, 20, "0.01")
    refused = client.post("/api/v2/credits/estimate", {"edit": {}}, headers={"X-API-Key": key})
    assert "/edit/timeline" in pointers(refused)


def test_accepts_a_template_or_an_edit_but_not_both(client, alice):
    template = make_template(alice)
    assert pointers(client.post(RENDERS, {"edit": make_edit(), "template": template.public_id})) == ["/template"]


def test_stores_the_edit_unchanged(client):
    edit = make_edit()
    edit["timeline"]["tracks"][0]["clips"][0]["length"] = "1.50"
    edit["unknown"] = {"é": [1, 2.50, None, True]}
    sent = copy.deepcopy(edit)
    answer = client.post(RENDERS, {"edit": edit}).json()
    assert client.get(f"{RENDERS}/{answer['id']}/edit").json() == sent
