"""`Idempotency-Key` over HTTP: every outcome, and that effects and response are committed together."""

from __future__ import annotations

from datetime import timedelta

import orjson
import pytest
from django.db import OperationalError
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import ApiKey
from accounts.services import revoke_api_key
from api.idempotency.models import IdempotencyKey
from credits.models import CreditAccount, CreditEntry
from credits.selectors import balance_of
from jobs.models import Job
from renders.models import Project, Render, Template
from renders.views.library import ProjectViewSet
from tests.factories import make_api_key, make_edit, make_minted_key, make_render, make_template, make_user

pytestmark = pytest.mark.django_db
RENDERS, PROJECTS, TEMPLATES, KEYS = (f"/api/v2/{name}" for name in ("renders", "projects", "templates", "keys"))
KEY = {"Idempotency-Key": '"order-1881"'}


def post(client, path, body=None, headers=KEY):
    return client.post(path, body if body is not None else {}, headers=headers)


def replayed_parts(response):
    """The parts of a response that a replay repeats."""
    return (
        response.status_code,
        response.content,
        *(response.get(name) for name in ("Content-Type", "Location", "ETag")),
    )


def assert_replay(response, first):
    assert response["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first
    assert replayed_parts(response) == replayed_parts(first)


def update_key(**columns):
    IdempotencyKey.objects.update(**columns)


def past():
    return timezone.now() - timedelta(seconds=1)


def test_a_repeated_submit_replays_and_charges_once(client, alice):
    first = post(client, RENDERS, {"edit": make_edit()})
    assert first.status_code == 202
    again = post(client, RENDERS, {"edit": make_edit()}, {"Idempotency-Key": "order-1881"})
    assert_replay(again, first)
    assert again["X-Request-Id"] != first["X-Request-Id"]
    assert Render.objects.count() == Job.objects.count() == CreditEntry.objects.filter(kind="reserve").count() == 1
    assert balance_of(alice.pk).reserved == 1
    row = IdempotencyKey.objects.get()
    assert (row.user, row.method, row.route, row.key) == (alice, "POST", "renders", "order-1881")
    assert (row.state, row.status_code, bytes(row.body)) == ("completed", 202, first.content)


def test_a_replay_returns_the_first_response_not_the_current_state(client):
    first = post(client, RENDERS, {"edit": make_edit()})
    Render.objects.all().delete()
    assert_replay(post(client, RENDERS, {"edit": make_edit()}), first)


def test_without_a_key_every_request_takes_effect(client):
    for _ in range(2):
        assert post(client, RENDERS, {"edit": make_edit()}, {}).status_code == 202
    assert Render.objects.count() == 2
    assert not IdempotencyKey.objects.exists()


@pytest.mark.parametrize("case", ["retry", "template render", "project", "template"])
def test_every_post_that_creates_takes_a_key(client, alice, case):
    path, body, model = {
        "retry": lambda: (f"{RENDERS}/{make_render(alice, status='failed').public_id}/retry", {}, Render),
        "template render": lambda: (f"{TEMPLATES}/{make_template(alice).public_id}/render", {}, Render),
        "project": lambda: (PROJECTS, {"name": "owls"}, Project),
        "template": lambda: (TEMPLATES, {"name": "owls", "edit": make_edit()}, Template),
    }[case]()
    before = model.objects.count()
    first = post(client, path, body)
    assert first.status_code in {201, 202}, first.content
    assert_replay(post(client, path, body), first)
    assert model.objects.count() == before + 1


def test_the_path_is_part_of_the_request(client, alice):
    renders = [make_render(alice, status="failed") for _ in range(2)]
    answers = [post(client, f"{RENDERS}/{render.public_id}/retry") for render in renders]
    assert [answer.status_code for answer in answers] == [202, 422]


def test_another_body_with_the_same_key_is_refused(client):
    post(client, RENDERS, {"edit": make_edit()})
    answer = post(client, RENDERS, {"edit": make_edit(length=2)})
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_mismatch")
    assert answer["Content-Type"] == "application/problem+json"
    assert Render.objects.count() == 1


def test_the_version_is_part_of_the_request(client):
    post(client, RENDERS, {"edit": make_edit()})
    answer = post(client, "/api/v1/renders", {"edit": make_edit()})
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_mismatch")


def test_the_version_may_come_from_path_or_header(client):
    first = post(client, RENDERS, {"edit": make_edit()})
    assert_replay(post(client, "/api/renders/", {"edit": make_edit()}, {**KEY, "API-Version": "2"}), first)


def test_a_repeat_while_the_first_runs_is_asked_to_wait(client, monkeypatch):
    from renders.views import library

    inner = []

    def create_slowly(**members):
        inner.append(post(client, PROJECTS, {"name": "owls"}))
        inner.append(post(client, PROJECTS, {"name": "other"}))
        return original(**members)

    original = library.create_project
    monkeypatch.setattr(library, "create_project", create_slowly)
    assert post(client, PROJECTS, {"name": "owls"}).status_code == 201
    waiting, other = inner
    assert (waiting.status_code, waiting.json()["code"], waiting["Retry-After"]) == (
        409,
        "idempotency_in_progress",
        "1",
    )
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")
    assert Project.objects.count() == 1


def test_an_uncommitted_key_is_taken_over_after_its_lock_expires(client):
    post(client, PROJECTS, {"name": "owls"})
    Project.objects.all().delete()
    # The state left by a server that was killed before its commit.
    update_key(state="in_progress", status_code=None, body=None, completed_at=None)
    assert post(client, PROJECTS, {"name": "owls"}).json()["code"] == "idempotency_in_progress"
    update_key(locked_until=past())
    first = post(client, PROJECTS, {"name": "owls"})
    assert first.status_code == 201
    assert "Idempotent-Replayed" not in first
    assert Project.objects.count() == 1


@pytest.mark.parametrize("path", [PROJECTS, TEMPLATES, RENDERS])
def test_a_request_that_lost_its_lock_is_rolled_back(client, monkeypatch, path):
    """The lock of the first request expires, a repeat does the work, and the first is rolled back."""
    from api.idempotency import views

    bodies = {
        PROJECTS: {"name": "owls"},
        TEMPLATES: {"name": "owls", "edit": make_edit()},
        RENDERS: {"edit": make_edit()},
    }
    models = {PROJECTS: Project, TEMPLATES: Template, RENDERS: Render}
    original, heirs = views.complete_key, []

    def complete_late(**members):
        monkeypatch.setattr(views, "complete_key", original)
        # A real request would have its own transaction; here it shares ours, so it only takes the key.
        update_key(owner_token="00000000-0000-0000-0000-000000000001")
        heirs.append(IdempotencyKey.objects.get())
        return original(**members)

    monkeypatch.setattr(views, "complete_key", complete_late)
    answer = post(client, path, bodies[path])
    assert len(heirs) == 1
    assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (409, "idempotency_in_progress", "1")
    assert not models[path].objects.exists()
    assert not Job.objects.exists()
    assert not CreditEntry.objects.filter(kind="reserve").exists()


def test_a_failed_completion_rolls_the_work_back(client, monkeypatch):
    from api.idempotency import views

    def fail(**members):
        raise OperationalError("database is locked")

    monkeypatch.setattr(views, "complete_key", fail)
    answer = post(client, RENDERS, {"edit": make_edit()})
    assert answer.status_code == 503
    assert not Render.objects.exists()
    assert not CreditEntry.objects.filter(kind="reserve").exists()
    assert not IdempotencyKey.objects.exists()


def test_keys_of_different_accounts_are_independent(client):
    first = post(client, RENDERS, {"edit": make_edit()})
    bob = APIClient(headers={"X-API-Key": make_api_key(make_user("bob"))})
    other = post(bob, RENDERS, {"edit": make_edit()})
    assert other.status_code == 202
    assert other.json()["id"] != first.json()["id"]
    assert "Idempotent-Replayed" not in other
    different = post(bob, RENDERS, {"edit": make_edit(length=2)}, {"Idempotency-Key": "mine"})
    assert different.status_code == 202
    assert post(client, RENDERS, {"edit": make_edit()}, {"Idempotency-Key": "mine"}).status_code == 202


def test_a_key_belongs_to_the_account_not_the_credential(client, alice):
    first = post(client, RENDERS, {"edit": make_edit()})
    other = APIClient(headers={"X-API-Key": make_api_key(alice)})
    assert_replay(post(other, RENDERS, {"edit": make_edit()}), first)


def test_authorization_comes_before_the_replay(client, alice):
    minted = make_minted_key(alice)
    owner = APIClient(headers={"X-API-Key": minted.plaintext})
    first = post(owner, RENDERS, {"edit": make_edit()})
    reader = APIClient(headers={"X-API-Key": make_api_key(alice, scopes=("renders:read",))})
    assert post(reader, RENDERS, {"edit": make_edit()}).json()["code"] == "missing_scope"
    revoke_api_key(key=minted.key)
    refused = post(owner, RENDERS, {"edit": make_edit()})
    assert (refused.status_code, refused.json()["code"]) == (401, "token_revoked")
    assert_replay(post(client, RENDERS, {"edit": make_edit()}), first)


@pytest.mark.parametrize("value", ["", "x" * 256, 'a"b', "a,b", '"a", "b"', "caf\xe9"])
def test_a_malformed_key_is_refused(client, value):
    answer = post(client, PROJECTS, {"name": "owls"}, {"Idempotency-Key": value})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_header")
    assert answer.json()["errors"][0]["header"] == "Idempotency-Key"
    assert not Project.objects.exists()


def test_an_expired_key_can_be_used_again(client):
    post(client, PROJECTS, {"name": "owls"})
    update_key(expires_at=past())
    again = post(client, PROJECTS, {"name": "hawks"})
    assert again.status_code == 201
    assert "Idempotent-Replayed" not in again
    assert sorted(Project.objects.values_list("name", flat=True)) == ["hawks", "owls"]
    assert_replay(post(client, PROJECTS, {"name": "hawks"}), again)


def test_a_402_response_is_stored(client, alice):
    post(client, RENDERS, {"edit": make_edit()}, {})
    CreditAccount.objects.filter(user=alice).update(balance=0)
    first = post(client, RENDERS, {"edit": make_edit()})
    assert (first.status_code, first.json()["code"]) == (402, "insufficient_credits")
    CreditAccount.objects.filter(user=alice).update(balance=1000)
    assert_replay(post(client, RENDERS, {"edit": make_edit()}), first)
    assert Render.objects.count() == 1
    assert post(client, RENDERS, {"edit": make_edit()}, {"Idempotency-Key": "new"}).status_code == 202


def test_a_409_response_is_stored(client, alice):
    render = make_render(alice)
    path = f"{RENDERS}/{render.public_id}/retry"
    first = post(client, path)
    assert (first.status_code, first.json()["code"]) == (409, "invalid_state")
    Render.objects.update(status="failed", finished_at=timezone.now())
    assert_replay(post(client, path), first)
    assert post(client, path, headers={}).status_code == 202


@pytest.mark.parametrize(
    ("path", "wrong", "status"),
    [
        (PROJECTS, {"name": "owls", "nmae": "x"}, 422),
        (RENDERS, {"edit": {"timeline": {}}}, 422),
        (TEMPLATES, {"name": "owls", "edit": {}}, 422),
        (f"{RENDERS}/rnd_00000000000000000000000000/retry", {}, 404),
    ],
)
def test_other_refusals_are_not_stored(client, path, wrong, status):
    for _ in range(2):
        answer = post(client, path, wrong)
        assert answer.status_code == status
        assert "Idempotent-Replayed" not in answer
    assert not IdempotencyKey.objects.exists()
    if path == PROJECTS:
        assert post(client, PROJECTS, {"name": "owls"}).status_code == 201


@pytest.mark.parametrize(("body", "status", "kind"), [("{", 400, "application/json"), ("<a/>", 415, "text/xml")])
def test_an_unreadable_body_stores_no_key(client, body, status, kind):
    answer = client.generic("POST", PROJECTS, body, content_type=kind, headers=KEY)
    assert answer.status_code == status
    assert not IdempotencyKey.objects.exists()


def test_an_internal_error_is_not_stored(client, monkeypatch):
    from renders.views import library

    def break_down(**members):
        raise ZeroDivisionError

    client.raise_request_exception = False
    with monkeypatch.context() as patched:
        patched.setattr(library, "create_project", break_down)
        assert post(client, PROJECTS, {"name": "owls"}).status_code == 500
    assert not IdempotencyKey.objects.exists()
    assert post(client, PROJECTS, {"name": "owls"}).status_code == 201


def test_the_response_of_a_dry_run_is_stored(client):
    body = {"edit": make_edit(), "dry_run": True}
    first = post(client, RENDERS, body)
    assert first.status_code == 200
    assert_replay(post(client, RENDERS, body), first)
    assert not Render.objects.exists()


def test_a_long_response_is_stored_as_a_reference(client):
    edit = make_edit()
    edit["timeline"]["tracks"][0]["clips"][0]["asset"]["text"] = "owl " * 20_000
    body = {"name": "long", "edit": edit}
    first = post(client, TEMPLATES, body)
    assert first.status_code == 201, first.content[:500]
    assert len(first.content) > 65_536
    again = post(client, TEMPLATES, body)
    assert (again.status_code, again["Location"]) == (201, first["Location"])
    assert again["Idempotent-Replayed"] == "true"
    made = first.json()
    assert again.json() == {"id": made["id"], "object": made["object"], "location": first["Location"]}
    row = IdempotencyKey.objects.get()
    assert row.is_reference
    assert len(row.body) < 1000
    assert Template.objects.count() == 1


def test_a_secret_is_shown_once_and_never_stored(client, alice):
    body = {"name": "ci", "scopes": ["renders:read"]}
    before = ApiKey.objects.count()
    first = post(client, KEYS, body)
    assert first.status_code == 201
    secret = first.json()["key"]
    again = post(client, KEYS, body)
    assert (again.status_code, again["Idempotent-Replayed"], again["Location"]) == (201, "true", first["Location"])
    assert again.json()["id"] == first.json()["id"]
    assert "key" not in again.json()
    assert ApiKey.objects.count() == before + 1
    row = IdempotencyKey.objects.get()
    everything = orjson.dumps({f.name: str(getattr(row, f.attname)) for f in row._meta.fields})
    assert secret.encode() not in everything + bytes(row.body)
    assert secret.rpartition("_")[2].encode() not in bytes(row.body)


def test_an_action_that_does_not_commit_its_response_is_an_error(client, monkeypatch):
    from api.idempotency.views import idempotent

    @idempotent
    def create(view, request, **kwargs):
        from rest_framework.response import Response

        return Response({})

    monkeypatch.setattr(ProjectViewSet, "create", create)
    with pytest.raises(RuntimeError):
        post(client, PROJECTS, {"name": "owls"}, {})


@pytest.mark.parametrize("version", [1, 2])
def test_the_header_is_documented_where_it_works(api, version):
    paths = api.get(f"/api/v{version}/schema", headers={"Accept": "application/json"}).json()["paths"]
    documented = {
        path.removeprefix(f"/api/v{version}/")
        for path, operations in paths.items()
        for method, operation in operations.items()
        if "Idempotency-Key" in {parameter["name"] for parameter in operation.get("parameters", [])}
    }
    posts = {"renders", "renders/{id}/retry", "templates", "templates/{id}/render", "projects", "assets", "keys"}
    if version == 2:
        posts.add("batches")
    # Those of this app; the architecture test covers every POST of every app.
    assert {path for path in documented if not path.startswith(("automations", "webhooks", "deliveries"))} == posts
    created = paths[f"/api/v{version}/renders"]["post"]["responses"]["202"]
    assert "Idempotent-Replayed" in created["headers"]


@pytest.mark.parametrize("code", ["idempotency-mismatch", "idempotency-in-progress", "invalid-header"])
def test_its_problems_have_pages(api, code):
    assert api.get(f"/problems/{code}").status_code == 200
