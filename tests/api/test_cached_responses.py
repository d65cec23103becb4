"""Cached responses: served until a change, and never to another account."""

from __future__ import annotations

import time
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection
from rest_framework.test import APIClient

from api.response_cache.cache import ERRORS, ResponseCache, response_cache
from api.response_cache.store import CacheStoreUnavailable
from core.cache_tags.models import CacheTag, TagIncrement
from core.cache_tags.registry import GLOBAL_TAG
from core.cache_tags.versions import (
    compact_tag_increments,
    format_tag_versions,
    increment_tag,
    parse_tag_versions,
    read_tag_versions,
)
from core.counters import counts
from core.triggers.install import drop_triggers, install_triggers
from credits import services as credit_services
from renders.models import Project, Render
from renders.services.submit import submit_render
from tests.factories import (
    make_api_key,
    make_asset,
    make_hold,
    make_project,
    make_render,
    make_template,
    make_user,
)

pytestmark = pytest.mark.django_db
RENDERS = "/api/v2/renders"


@pytest.fixture
def alice():
    return make_user("alice", plan="enterprise")


@pytest.fixture
def client(alice):
    return APIClient(headers={"X-API-Key": make_api_key(alice)})


@pytest.fixture
def cache(settings, tmp_path: Path) -> ResponseCache:
    """Enable the response cache, in a file of this test's own."""
    settings.RENDEROWL_RESPONSE_CACHE = True
    settings.RENDEROWL_CACHE_URL = f"sqlite:///{tmp_path}/cache.sqlite3"
    found = response_cache()
    assert found is not None
    return found


def outcome(client, path, **headers):
    answer = client.get(path, headers=headers)
    assert answer.status_code in {200, 304}, answer.content
    return answer["X-Cache"]


# --- What is cached --------------------------------------------------------------------------------------------------


def test_a_second_request_gets_the_cached_response_without_reading_rows(
    client, alice, cache, django_assert_num_queries
):
    for _ in range(3):
        make_render(alice)
    first = client.get(f"{RENDERS}?limit=2")
    with django_assert_num_queries(1):
        second = client.get(f"{RENDERS}?limit=2")
    assert (first["X-Cache"], second["X-Cache"]) == ("MISS", "HIT")
    assert second.content == first.content
    for name in ("ETag", "Link", "Content-Type", "Cache-Control", "Vary", "API-Version"):
        assert second[name] == first[name], name
    assert second["ETag"].startswith('W/"')
    assert second["X-Request-Id"] != first["X-Request-Id"]


def test_a_client_with_the_current_response_gets_304_without_a_store(
    client, alice, settings, django_assert_num_queries
):
    make_render(alice)
    settings.RENDEROWL_RESPONSE_CACHE = False
    first = client.get(RENDERS)
    assert first["X-Cache"] == "BYPASS"
    with django_assert_num_queries(1):
        second = client.get(RENDERS, headers={"If-None-Match": first["ETag"]})
    assert (second.status_code, second.content, second["X-Cache"]) == (304, b"", "REVALIDATED")
    for name in ("ETag", "Cache-Control", "Vary"):
        assert second[name] == first[name]
    assert "Date" in second
    assert "Content-Type" not in second


def test_the_cache_key_has_everything_that_a_response_depends_on(client, alice, cache, settings):
    make_project(alice)
    assert outcome(client, "/api/v2/projects?limit=5&ordering=created_at") == "MISS"
    assert outcome(client, "/api/v2/projects?ordering=created_at&limit=5") == "HIT"
    for path in ("/api/v2/projects", "/api/v1/projects", "/api/v2/projects?limit=6", "/api/v2/templates"):
        assert outcome(client, path) == "MISS", path
    assert outcome(client, "/api/v2/projects") == "HIT"
    assert outcome(client, "/api/projects", **{"API-Version": "2"}) == "HIT"
    assert outcome(client, "/api/projects") == "HIT"
    assert client.get("/api/projects")["API-Version"] == "1"
    other_key = APIClient(headers={"X-API-Key": make_api_key(alice)})
    assert outcome(other_key, "/api/v2/projects") == "HIT"
    narrow = APIClient(headers={"X-API-Key": make_api_key(alice, scopes=("renders:read",))})
    assert outcome(narrow, "/api/v2/projects") == "MISS"
    settings.PUBLIC_URL = "https://render.example.com"
    assert outcome(client, "/api/v2/projects") == "MISS"


def test_an_account_never_gets_the_response_of_another(client, alice, cache):
    make_project(alice, name="alice's")
    first = client.get("/api/v2/projects")
    bob = APIClient(headers={"X-API-Key": make_api_key(make_user("bob"))})
    answer = bob.get("/api/v2/projects", headers={"If-None-Match": first["ETag"]})
    assert (answer.status_code, answer["X-Cache"], answer.json()["data"]) == (200, "MISS", [])
    assert answer["ETag"] != first["ETag"]
    assert outcome(bob, "/api/v2/projects") == "HIT"
    assert client.get("/api/v2/projects").content == first.content


def test_credential_and_scope_are_checked_before_the_cache(client, alice, cache):
    client.get("/api/v2/projects")
    narrow = APIClient(headers={"X-API-Key": make_api_key(alice, scopes=("assets:read",))})
    assert narrow.get("/api/v2/projects", headers={"If-None-Match": "*"}).status_code == 403
    assert APIClient().get("/api/v2/projects").status_code == 401


def test_errors_are_never_cached(client, cache):
    for _ in range(2):
        answer = client.get("/api/v2/projects?nonsense=1", headers={"If-None-Match": "*"})
        assert answer.status_code == 400
        assert answer["Cache-Control"] == "no-store"
        assert "ETag" not in answer
        assert "X-Cache" not in answer
    assert not cache._store.is_acquired("x")


def test_head_is_not_cached_but_has_the_etag(client, alice, cache):
    head = client.head("/api/v2/projects")
    assert (head["X-Cache"], head.status_code) == ("BYPASS", 200)
    assert head["ETag"] == client.get("/api/v2/projects")["ETag"]


def test_an_expired_entry_is_a_miss(client, alice, cache, monkeypatch):
    clock = [time.time()]
    monkeypatch.setattr(cache._store, "_clock", lambda: clock[0])
    client.get(RENDERS)
    assert outcome(client, RENDERS) == "HIT"
    clock[0] += 300.5
    assert outcome(client, RENDERS) == "MISS"


def test_rules_are_read_from_the_settings(client, alice, cache, settings):
    rules = dict(settings.RENDEROWL_RESPONSE_CACHE_RULES)
    settings.RENDEROWL_RESPONSE_CACHE_RULES = {**rules, "project-list": rules["project-list"]._replace(max_age_s=7)}
    assert client.get("/api/v2/projects")["Cache-Control"] == "private, max-age=7"
    settings.RENDEROWL_RESPONSE_CACHE_RULES = {**rules, "project-list": rules["project-list"]._replace(ttl_s=0)}
    assert [outcome(client, "/api/v2/projects") for _ in range(2)] == ["BYPASS", "BYPASS"]


# --- What makes it stale ----------------------------------------------------------------------------------------------


def by_update(alice, render):
    Render.objects.filter(pk=render.pk).update(percent=12.5)


def by_raw_sql(alice, render):
    with connection.cursor() as cursor:
        cursor.execute('UPDATE renders_render SET metadata = \'{"a": "1"}\'')


def by_save(alice, render):
    render.priority = 0
    render.save()


def by_insert(alice, render):
    make_render(alice)


def by_bulk_create(alice, render):
    edit = render.edit
    Render.objects.bulk_create([Render(owner=alice, edit=edit), Render(owner=alice, edit=edit)])


def by_delete(alice, render):
    render.delete()


def by_cascade(alice, render):
    render.project.delete()


def by_change_of_owner(alice, render):
    Render.objects.update(owner=make_user("bob"))


@pytest.mark.parametrize(
    "change",
    [by_update, by_raw_sql, by_save, by_insert, by_bulk_create, by_delete, by_cascade, by_change_of_owner],
)
def test_every_change_makes_cached_responses_stale_at_once(client, alice, cache, change):
    render = make_render(alice, project=make_project(alice))
    first = client.get(RENDERS)
    change(alice, render)
    second = client.get(RENDERS, headers={"If-None-Match": first["ETag"]})
    assert (second.status_code, second["X-Cache"]) == (200, "MISS")
    assert second["ETag"] != first["ETag"]
    assert second.content != first.content
    assert outcome(client, RENDERS) == "HIT"


def test_a_change_of_another_account_or_tag_makes_nothing_stale(client, alice, cache):
    make_render(alice)
    client.get(RENDERS)
    make_render(make_user("bob"))
    make_asset(alice)
    make_project(alice)
    assert outcome(client, RENDERS) == "HIT"


CHANGES = {
    "/renders": lambda alice, rows: make_render(alice),
    "/projects": lambda alice, rows: Project.objects.update(name="other"),
    "/templates": lambda alice, rows: type(rows["template"]).objects.update(name="other"),
    "/templates/{template}/versions": lambda alice, rows: rows["change"](),
    "/assets": lambda alice, rows: make_hold(rows["asset"]),
    "/assets/{asset}/references": lambda alice, rows: make_hold(rows["asset"]),
    "/credits/balance": lambda alice, rows: credit_services.grant(user_id=alice.pk, amount=5, reference="gift"),
    "/credits/entries": lambda alice, rows: credit_services.grant(user_id=alice.pk, amount=5, reference="gift"),
}


@pytest.mark.parametrize("path", CHANGES)
def test_every_cached_response_is_stale_after_a_change_of_its_rows(client, alice, cache, path):
    from renders.services.library import change_template
    from tests.factories import make_edit

    rows = {"template": make_template(alice), "asset": make_asset(alice), "project": make_project(alice)}
    rows["change"] = lambda: change_template(template=rows["template"], changes={"edit": make_edit()})
    for version in (1, 2):
        full = f"/api/v{version}{path}".format(**{k: getattr(v, "public_id", "") for k, v in rows.items()})
        first = client.get(full)
        assert [first["X-Cache"], outcome(client, full)] == ["MISS", "HIT"]
        CHANGES[path](alice, rows) if version == 1 else increment_tag()
        assert outcome(client, full, **{"If-None-Match": first["ETag"]}) == "MISS"
        if version == 1:
            assert client.get(full).content != first.content


def test_every_rule_is_tested_above(settings):
    from renderowl.urls import API_ROUTES

    ruled = {
        route.path.replace("str:", "") for route in API_ROUTES if route.name in settings.RENDEROWL_RESPONSE_CACHE_RULES
    }
    tested = {path.strip("/").replace("{template}", "<id>").replace("{asset}", "<id>") for path in CHANGES}
    assert ruled == tested


def test_a_submit_invalidates_every_list_that_shows_it(client, alice, cache):
    from renders.requests import RenderRequest
    from tests.factories import make_edit

    paths = [RENDERS, "/api/v2/credits/balance", "/api/v2/credits/entries"]
    before = {path: client.get(path)["ETag"] for path in paths}
    submit_render(owner=alice, request=RenderRequest(edit=make_edit()))
    for path in paths:
        assert client.get(path)["ETag"] != before[path], path


# --- Tags -------------------------------------------------------------------------------------------------------------


def test_tags_of_an_account_are_read_with_the_credential(alice, client):
    make_project(alice)
    read = read_tag_versions(alice.pk)
    assert set(read) >= {GLOBAL_TAG, "projects", "credits"}
    assert format_tag_versions(read, ("projects", "renders")) == (
        f"everything={read[GLOBAL_TAG]};projects={read['projects']};renders=0"
    )
    make_project(alice)
    assert read_tag_versions(alice.pk)["projects"] > read["projects"]
    assert read_tag_versions(make_user("bob").pk).get("projects") is None


def test_a_rolled_back_change_increments_nothing(alice):
    from django.db import transaction

    before = read_tag_versions(alice.pk)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        make_project(alice)
        assert read_tag_versions(alice.pk) != before
        raise ZeroDivisionError
    assert read_tag_versions(alice.pk) == before


def test_compaction_changes_no_version_and_deletes_the_increments(alice):
    for _ in range(3):
        make_project(alice)
    before = read_tag_versions(alice.pk)
    if connection.vendor == "postgresql":
        assert TagIncrement.objects.filter(account=alice.pk.hex).count() >= 3
        assert compact_tag_increments() >= 3
    assert compact_tag_increments() == 0
    assert not TagIncrement.objects.exists()
    assert read_tag_versions(alice.pk) == before
    assert CacheTag.objects.get(account=alice.pk.hex, tag="projects").version == before["projects"]


def test_ignored_conflicts_still_count(alice):
    """INSERT OR IGNORE must not silence the trigger's own statements."""
    asset = make_asset(alice)
    from assets import services

    before = read_tag_versions(alice.pk)["assets"]
    services.hold(asset_ids=[asset.pk], reference="render:1", label="rnd_1")
    first = read_tag_versions(alice.pk)["assets"]
    services.hold(asset_ids=[asset.pk], reference="render:2", label="rnd_2")
    assert before < first < read_tag_versions(alice.pk)["assets"]


def test_the_tag_of_all_accounts_counts_for_each(alice):
    before = read_tag_versions(alice.pk)
    increment_tag(tag="renders")
    after = read_tag_versions(alice.pk)
    assert (after["renders"] > before.get("renders", 0), after["credits"]) == (True, before["credits"])
    assert parse_tag_versions("a=1;b=2;a=3") == {"a": 4, "b": 2}
    assert parse_tag_versions(None) == {}


def test_nothing_is_cached_while_changes_are_not_tracked(client, alice, cache):
    first = client.get(RENDERS)
    drop_triggers()
    assert outcome(client, RENDERS) == "BYPASS"
    make_render(alice)
    assert len(client.get(RENDERS, headers={"If-None-Match": first["ETag"]}).json()["data"]) == 1
    install_triggers()
    assert outcome(client, RENDERS) == "MISS"
    assert outcome(client, RENDERS) == "HIT"


def test_clear_cache(client, alice, cache):
    paths = [RENDERS, "/api/v2/projects"]
    out = StringIO()
    for path in paths:
        client.get(path)
    call_command("clear_cache", tag="renders", stdout=out)
    assert [outcome(client, path) for path in paths] == ["MISS", "HIT"]
    call_command("clear_cache", stdout=out)
    assert cache._store.size_bytes() < 100_000
    assert [outcome(client, path) for path in paths] == ["MISS", "MISS"]
    assert out.getvalue().splitlines() == [
        "Cached responses that show renders are invalidated.",
        "All cached responses are invalidated.",
    ]


# --- A store that fails -----------------------------------------------------------------------------------------------


class BrokenStore:
    def __getattr__(self, name):
        def fail(*args, **kwargs):
            raise CacheStoreUnavailable("broken")

        return fail


def test_responses_are_uncached_while_the_store_fails(client, alice, cache, monkeypatch):
    make_render(alice)
    monkeypatch.setattr(cache, "_store", BrokenStore())
    before = counts().get(ERRORS, 0)
    answer = client.get(RENDERS)
    assert (answer.status_code, answer["X-Cache"], len(answer.json()["data"])) == (200, "BYPASS", 1)
    assert counts()[ERRORS] > before
    assert cache.is_circuit_open
    assert outcome(client, RENDERS) == "BYPASS"
    assert outcome(client, RENDERS, **{"If-None-Match": answer["ETag"]}) == "REVALIDATED"


def test_responses_are_uncached_if_the_file_is_damaged(client, alice, settings, tmp_path):
    settings.RENDEROWL_RESPONSE_CACHE = True
    settings.RENDEROWL_CACHE_URL = f"sqlite:///{tmp_path}/damaged.sqlite3"
    (tmp_path / "damaged-responses.sqlite3").write_bytes(b"no database" * 1000)
    assert [outcome(client, RENDERS) for _ in range(2)] == ["BYPASS", "BYPASS"]
