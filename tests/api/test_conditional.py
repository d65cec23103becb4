"""If-Match and If-None-Match on single resources."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from api.etags import EntityTag, make_tag, matches_strongly, matches_weakly, read_tags
from renders.models import Project, Render, Template
from tests.factories import (
    make_api_key,
    make_asset,
    make_edit,
    make_hold,
    make_minted_key,
    make_project,
    make_render,
    make_template,
    make_user,
)

NEXT_MONTH = (timezone.now() + timedelta(days=30)).isoformat()
pytestmark = pytest.mark.django_db
STRONG = re.compile(r'"[\x21\x23-\x7e]+"')
WEAK = re.compile(r'W/"[\x21\x23-\x7e]+"')


@pytest.fixture
def alice():
    return make_user("alice")


@pytest.fixture
def client(alice):
    return APIClient(headers={"X-API-Key": make_api_key(alice)})


def path_of(row, version=2):
    kinds = {"prj": "projects", "tpl": "templates", "ast": "assets", "rnd": "renders", "key": "keys"}
    return f"/api/v{version}/{kinds[row.ID_PREFIX]}/{row.public_id}"


def make_rows(alice):
    return [
        make_project(alice),
        make_template(alice),
        make_asset(alice),
        make_minted_key(alice).key,
        make_render(alice, status="succeeded"),
        make_render(alice, status="failed"),
    ]


def test_single_resources_have_strong_tags_and_answer_304(client, alice):
    tags = set()
    for row in make_rows(alice):
        for version in (1, 2):
            path = path_of(row, version)
            answer = client.get(path)
            assert answer.status_code == 200
            assert STRONG.fullmatch(answer["ETag"]), path
            tags.add(answer["ETag"])
            again = client.get(path, headers={"If-None-Match": answer["ETag"]})
            assert (again.status_code, again.content, again["ETag"]) == (304, b"", answer["ETag"]), path
    assert len(tags) == 12, "row or version does not show in a tag"


@pytest.mark.parametrize("header", ["{0}", "W/{0}", '"x", {0}', 'W/"a,b" ,W/{0}', "*", " * "])
def test_if_none_match_takes_lists_weak_tags_and_the_star(client, alice, header):
    path = path_of(make_project(alice))
    tag = client.get(path)["ETag"]
    assert client.get(path, headers={"If-None-Match": header.format(tag)}).status_code == 304


@pytest.mark.parametrize("header", ['"x"', "", "{0}x", "nonsense", '"*"', "W/{0:.4}"])
def test_other_tags_get_the_body(client, alice, header):
    path = path_of(make_project(alice))
    tag = client.get(path)["ETag"]
    answer = client.get(path, headers={"If-None-Match": header.format(tag.strip('"'))})
    assert answer.status_code == 200
    assert answer["ETag"] == tag


def test_if_none_match_wins_over_if_modified_since(client, alice):
    path = path_of(make_project(alice))
    tag = client.get(path)["ETag"]
    long_ago, ahead = "Sat, 01 Jan 2000 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"
    assert client.get(path, headers={"If-None-Match": tag, "If-Modified-Since": long_ago}).status_code == 304
    assert client.get(path, headers={"If-None-Match": '"x"', "If-Modified-Since": ahead}).status_code == 200


def test_head_is_answered_as_get(client, alice):
    path = path_of(make_project(alice))
    head = client.head(path)
    assert (head.status_code, head["ETag"]) == (200, client.get(path)["ETag"])
    assert client.head(path, headers={"If-None-Match": head["ETag"]}).status_code == 304


def test_every_change_changes_the_tag_even_back_to_an_old_value(client, alice):
    project = make_project(alice)
    path = path_of(project)
    seen = [client.get(path)["ETag"]]
    for name in ("b", "c", "b"):
        Project.objects.filter(pk=project.pk).update(name=name)
        answer = client.get(path, headers={"If-None-Match": ", ".join(seen)})
        assert answer.status_code == 200
        assert answer.json()["name"] == name
        assert answer["ETag"] not in seen
        seen.append(answer["ETag"])


def test_values_outside_of_the_row_change_the_tag(client, alice, settings):
    asset = make_asset(alice)
    path = path_of(asset)
    before = client.get(path)["ETag"]
    make_hold(asset)
    held = client.get(path)
    assert (held.json()["references"], held["ETag"] != before) == (1, True)
    settings.PUBLIC_URL = "https://render.example.com"
    moved = client.get(path)
    assert moved.json()["url"].startswith("https://render.example.com/")
    assert moved["ETag"] != held["ETag"]


def test_new_signed_links_change_the_tag(client, alice, monkeypatch):
    render = make_render(alice, status="succeeded")
    clock = [1_800_000_000.0]
    monkeypatch.setattr("files.links.time.time", lambda: clock[0])
    first = client.get(path_of(render))
    clock[0] += 24 * 3600 / 4
    second = client.get(path_of(render), headers={"If-None-Match": first["ETag"]})
    assert second.status_code == 200
    assert first.json()["output"]["url"] != second.json()["output"]["url"]


def test_tags_are_weak_while_a_render_is_active(client, alice):
    for status in ("scheduled", "queued", "fetching", "rendering", "saving", "cancelling"):
        answer = client.get(path_of(make_render(alice, status=status)))
        assert WEAK.fullmatch(answer["ETag"]), status
        path = answer.json()["links"]["self"]
        assert client.get(path, headers={"If-None-Match": answer["ETag"]}).status_code == 304, status


def test_the_queue_position_changes_the_tag(client, alice):
    first, second = make_render(alice), make_render(alice)
    before = client.get(path_of(second))
    assert before.json()["progress"]["queue_position"] == 2
    Render.objects.filter(pk=first.pk).update(status="fetching")
    after = client.get(path_of(second), headers={"If-None-Match": before["ETag"]})
    assert after.status_code == 200
    assert after.json()["progress"]["queue_position"] == 1


def test_progress_changes_the_tag(client, alice):
    render = make_render(alice, status="rendering")
    before = client.get(path_of(render))["ETag"]
    Render.objects.filter(pk=render.pk).update(percent=50.0)
    assert client.get(path_of(render), headers={"If-None-Match": before}).status_code == 200


def test_parts_of_a_render_have_tags_of_their_own(client, alice):
    render = make_render(alice, status="succeeded", log="done")
    paths = [path_of(render) + part for part in ("", "/edit", "/log")]
    tags = [client.get(path)["ETag"] for path in paths]
    assert len(set(tags)) == 3
    for path, tag in zip(paths, tags, strict=True):
        assert client.get(path, headers={"If-None-Match": tag}).status_code == 304


# --- Access checks ----------------------------------------------------------------------------------------------------


def test_the_tag_of_another_account_gets_404(client, alice):
    for row in make_rows(alice):
        tag = client.get(path_of(row))["ETag"]
        for header in (tag, "*"):
            bob = APIClient(headers={"X-API-Key": make_api_key(make_user()), "If-None-Match": header})
            assert bob.get(path_of(row)).status_code == 404


def test_credential_and_scope_are_checked_before_the_condition(client, alice):
    path = path_of(make_project(alice))
    tag = client.get(path)["ETag"]
    key = make_minted_key(alice)
    bare = APIClient(headers={"X-API-Key": key.plaintext})
    assert bare.get(path, headers={"If-None-Match": tag}).status_code == 304
    narrow = APIClient(headers={"X-API-Key": make_api_key(alice, scopes=("assets:read",))})
    assert narrow.get(path, headers={"If-None-Match": tag}).status_code == 403
    key.key.revoked_at = key.key.created_at
    key.key.save(update_fields=["revoked_at"])
    assert bare.get(path, headers={"If-None-Match": tag}).status_code == 401
    assert APIClient().get(path, headers={"If-None-Match": "*"}).status_code == 401


# --- Writing ----------------------------------------------------------------------------------------------------------


def test_if_match_allows_one_write_per_version(client, alice):
    project = make_project(alice, name="a")
    path = path_of(project)
    tag = client.get(path)["ETag"]
    first = client.patch(path, {"name": "b"}, headers={"If-Match": tag})
    assert first.status_code == 200
    second = client.patch(path, {"name": "c"}, headers={"If-Match": tag})
    assert (second.status_code, second.json()["code"]) == (412, "precondition_failed")
    project.refresh_from_db()
    assert project.name == "b"
    assert first["ETag"] == client.get(path)["ETag"]
    assert client.patch(path, {"name": "c"}, headers={"If-Match": first["ETag"]}).status_code == 200


@pytest.mark.parametrize("header", ["W/{0}", '"x"', "nonsense", ""])
def test_if_match_compares_strongly(client, alice, header):
    project = make_project(alice, name="a")
    path = path_of(project)
    header = header.format(client.get(path)["ETag"])
    for method, body in (("patch", {"name": "b"}), ("delete", None)):
        assert getattr(client, method)(path, body, headers={"If-Match": header}).status_code == 412
    assert Project.objects.get().name == "a"


def test_if_match_takes_lists_and_the_star(client, alice):
    path = path_of(make_project(alice))
    tag = client.get(path)["ETag"]
    assert client.patch(path, {"name": "b"}, headers={"If-Match": f'"x", {tag}'}).status_code == 200
    assert client.patch(path, {"name": "c"}, headers={"If-Match": "*"}).status_code == 200
    assert client.delete(path, headers={"If-Match": "*"}).status_code == 204
    assert client.delete(path, headers={"If-Match": "*"}).status_code == 404


def test_delete_with_if_match_needs_the_current_version(client, alice):
    rows = [make_project(alice), make_asset(alice), make_minted_key(alice).key, make_render(alice, status="succeeded")]
    for row in rows:
        path = path_of(row)
        tag = client.get(path)["ETag"]
        type(row)._base_manager.filter(pk=row.pk).update(created_at=row.created_at)
        assert client.delete(path, headers={"If-Match": tag}).status_code == 412
        tag = client.get(path)["ETag"]
        assert client.delete(path, headers={"If-Match": tag}).status_code == 204


def test_if_match_never_matches_an_active_render(client, alice):
    path = path_of(make_render(alice, status="rendering"))
    tag = client.get(path)["ETag"]
    assert client.delete(path, headers={"If-Match": tag}).status_code == 412


def test_a_change_between_reading_and_writing_is_a_412(client, alice, monkeypatch):
    project = make_project(alice, name="a")
    path = path_of(project)
    tag = client.get(path)["ETag"]
    from renders.views import library

    validated = library.ProjectViewSet.validated

    def slow(self, serializer_class):
        Project.objects.filter(pk=project.pk).update(name="quicker")
        return validated(self, serializer_class)

    monkeypatch.setattr(library.ProjectViewSet, "validated", slow)
    assert client.patch(path, {"name": "slower"}, headers={"If-Match": tag}).status_code == 412
    assert Project.objects.get().name == "quicker"
    # Without a condition the last write wins, and its response has no ETag.
    answer = client.patch(path, {"name": "last"})
    assert answer.status_code == 200
    assert "ETag" not in answer


def test_templates_are_changed_only_with_if_match(client, alice):
    template = make_template(alice, name="a")
    path = path_of(template)
    body = {"name": "b", "edit": make_edit()}
    for method in ("put", "patch", "delete"):
        refusal = getattr(client, method)(path, body)
        assert (refusal.status_code, refusal.json()["code"]) == (428, "precondition_required")
    tag = client.get(path)["ETag"]
    assert client.put(path, body, headers={"If-Match": tag}).status_code == 200
    for method in ("put", "patch", "delete"):
        assert getattr(client, method)(path, body, headers={"If-Match": tag}).status_code == 412
    assert Template.objects.get().name == "b"
    changed = client.patch(path, {"name": "c"}, headers={"If-Match": client.get(path)["ETag"]})
    assert changed["ETag"] == client.get(path)["ETag"]
    assert client.delete(path, headers={"If-Match": changed["ETag"]}).status_code == 204


def test_errors_come_in_the_documented_order(client, alice):
    template = make_template(alice)
    path = path_of(template)
    missing = path[:-1] + ("0" if path[-1] != "0" else "1")
    wrong = {"If-Match": '"x"'}
    narrow = APIClient(headers={"X-API-Key": make_api_key(alice, scopes=("assets:read",))})
    assert APIClient().patch(path, {}, headers=wrong).status_code == 401
    assert narrow.patch(path, {}, headers=wrong).status_code == 403
    assert client.patch(missing, {}, headers=wrong).status_code == 404
    assert client.patch(path, {"nonsense": 1}).status_code == 428
    assert client.patch(path, {"nonsense": 1}, headers=wrong).status_code == 412
    assert client.patch(path, {"nonsense": 1}, headers={"If-Match": "*"}).status_code == 422
    held = make_asset(alice)
    make_hold(held)
    assert client.delete(path_of(held), headers=wrong).status_code == 412
    assert client.delete(path_of(held), headers={"If-Match": "*"}).status_code == 409


def test_a_refused_change_leaves_the_version(client, alice):
    project = make_project(alice)
    path = path_of(project)
    tag = client.get(path)["ETag"]
    assert client.patch(path, {"name": ""}, headers={"If-Match": tag}).status_code == 422
    held = make_asset(alice)
    make_hold(held)
    held_tag = client.get(path_of(held))["ETag"]
    assert client.delete(path_of(held), headers={"If-Match": held_tag}).status_code == 409
    assert client.get(path)["ETag"] == tag
    assert client.get(path_of(held))["ETag"] == held_tag


def test_if_none_match_star_refuses_to_overwrite(client, alice):
    project = make_project(alice, name="a")
    assert client.patch(path_of(project), {"name": "b"}, headers={"If-None-Match": "*"}).status_code == 412
    assert Project.objects.get().name == "a"


def test_a_created_object_has_the_etag_of_a_later_get(client, alice):
    for path, body in (
        ("/api/v2/projects", {"name": "a"}),
        ("/api/v2/templates", {"name": "a", "edit": make_edit()}),
        ("/api/v1/renders", {"edit": make_edit(), "run_at": NEXT_MONTH}),
    ):
        created = client.post(path, body, headers={"Idempotency-Key": path})
        assert created.status_code in {201, 202}
        assert client.get(created["Location"])["ETag"] == created["ETag"]
        assert client.get(created["Location"], headers={"If-None-Match": created["ETag"]}).status_code == 304
        replay = client.post(path, body, headers={"Idempotency-Key": path})
        assert replay["Idempotent-Replayed"] == "true"
        assert (replay["ETag"], replay.content) == (created["ETag"], created.content)


def test_an_action_that_writes_outside_of_unchanged_raises(client, alice, monkeypatch):
    from renders.views import library

    def careless(self, request, **kwargs):
        self.get_object().delete()
        return library.Response(status=204)

    monkeypatch.setattr(library.ProjectViewSet, "destroy", careless)
    path = path_of(make_project(alice))
    with pytest.raises(RuntimeError, match="outside of `unchanged`"):
        client.delete(path, headers={"If-Match": "*"})


# --- The header's grammar ---------------------------------------------------------------------------------------------


def test_reads_the_grammar_of_rfc_9110():
    assert read_tags('"a", W/"b,c" ,"",w/"d", e, "f') == [
        EntityTag("a"),
        EntityTag("b,c", weak=True),
        EntityTag(""),
        EntityTag("d"),
    ]


def test_compares_as_in_rfc_9110_section_8_8_3_2():
    strong, weak = EntityTag("1"), EntityTag("1", weak=True)
    cases = [(weak, 'W/"1"', False, True), (weak, 'W/"2"', False, False), (weak, '"1"', False, True)]
    for tag, header, strongly, weakly in [*cases, (strong, '"1"', True, True), (strong, 'W/"1"', False, True)]:
        assert (matches_strongly(header, tag), matches_weakly(header, tag)) == (strongly, weakly)


def test_tags_differ_by_secret(settings):
    first = make_tag("a")
    settings.SECRET_KEY = "another"
    assert make_tag("a") != first
