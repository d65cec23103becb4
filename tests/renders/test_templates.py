"""`/templates`."""

from __future__ import annotations

import pytest

from renders.models import Render, Template, TemplateVersion
from tests.factories import make_edit, make_project, make_render, make_template, make_user

pytestmark = pytest.mark.django_db
# Unconditional here; tests/core/test_conditional.py covers conditional requests.
ANY_STATE = {"If-Match": "*"}


def edit_saying(text):
    edit = make_edit()
    edit["timeline"]["tracks"][0]["clips"][0]["asset"]["text"] = text
    return edit


def test_creates_a_template_and_its_first_version(client, alice):
    project = make_project(alice)
    edit = edit_saying("Hello {{ NAME }}")
    body = {"name": "Greeting", "edit": edit, "merge": {"NAME": "you"}, "project": project.public_id}
    response = client.post("/api/v2/templates", body)
    assert response.status_code == 201
    answer = response.json()
    template = Template.objects.get()
    assert response["Location"] == f"/api/v2/templates/{template.public_id}"
    assert (answer["edit"], answer["merge"], answer["version"]) == (edit, {"NAME": "you"}, 1)
    assert answer["project"] == project.public_id
    assert TemplateVersion.objects.get().edit == edit


def test_refuses_an_edit_that_no_merge_values_make_valid(client):
    edit = make_edit(format="avi")
    response = client.post("/api/v2/templates", {"name": "x", "edit": edit})
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "/edit/output/format"
    assert not Template.objects.exists()


def test_accepts_placeholders_in_place_of_numbers(client):
    edit = make_edit()
    edit["timeline"]["tracks"][0]["clips"][0]["length"] = "{{ SECONDS }}"
    assert client.post("/api/v2/templates", {"name": "x", "edit": edit}).status_code == 201


def test_refuses_a_project_of_another_account(client):
    project = make_project(make_user("bob"))
    response = client.post("/api/v2/templates", {"name": "x", "edit": make_edit(), "project": project.public_id})
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "/project"


def test_a_changed_edit_adds_a_version_and_a_changed_name_does_not(client, alice):
    template = make_template(alice)
    path = f"/api/v2/templates/{template.public_id}"
    assert client.patch(path, {"name": "renamed"}, headers=ANY_STATE).json()["version"] == 1
    assert client.patch(path, {"edit": template.edit}, headers=ANY_STATE).json()["version"] == 1
    assert client.patch(path, {"edit": edit_saying("second")}, headers=ANY_STATE).json()["version"] == 2
    third = {"name": "third", "edit": edit_saying("third")}
    assert client.put(path, third, headers=ANY_STATE).json()["version"] == 3
    versions = client.get(f"{path}/versions").json()["data"]
    assert [version["version"] for version in versions] == [3, 2, 1]
    texts = [version["edit"]["timeline"]["tracks"][0]["clips"][0]["asset"]["text"] for version in versions]
    assert texts == ["third", "second", "{{ NAME }}"]


def test_put_resets_omitted_members(client, alice):
    template = make_template(alice, description="long", merge={"NAME": "x"})
    path = f"/api/v2/templates/{template.public_id}"
    assert client.put(path, {"name": "new", "edit": make_edit()}, headers=ANY_STATE).status_code == 200
    template.refresh_from_db()
    assert (template.description, template.merge_defaults) == ("", {})


def test_lists_without_the_edits(client, alice, django_assert_max_num_queries):
    for _ in range(3):
        make_template(alice)
    with django_assert_max_num_queries(3):
        rows = client.get("/api/v2/templates").json()["data"]
    assert len(rows) == 3
    assert "edit" not in rows[0]


def test_deleting_leaves_renders_with_their_own_copy(client, alice):
    template = make_template(alice)
    render = make_render(alice, template=template)
    assert client.delete(f"/api/v2/templates/{template.public_id}", headers=ANY_STATE).status_code == 204
    render.refresh_from_db()
    assert render.template_id is None
    assert render.edit == make_edit()


def test_merge_values_of_the_request_override_the_defaults(client, alice):
    template = make_template(alice, merge={"NAME": "Guest", "COLOUR": "red"})
    response = client.post(f"/api/v2/templates/{template.public_id}/render", {"merge": {"NAME": "Ana"}})
    assert response.status_code == 202, response.content
    render = Render.objects.get()
    assert render.merge == {"NAME": "Ana", "COLOUR": "red"}
    assert render.edit == template.edit
    assert (render.template, render.template_version) == (template, 1)
    assert response.json()["template"] == template.public_id


def test_an_error_in_a_template_points_at_the_template_and_names_the_place(client, alice):
    template = make_template(alice)
    edit = edit_saying("x")
    edit["timeline"]["tracks"][0]["clips"][0]["length"] = "{{ SECONDS }}"
    template = make_template(alice, edit=edit, merge={})
    body = {"template": template.public_id, "merge": {"SECONDS": "long"}}
    response = client.post("/api/v2/renders", body)
    assert response.status_code == 422
    (error,) = response.json()["errors"]
    assert error["pointer"] == "/template"
    assert "/timeline/tracks/0/clips/0/length" in error["detail"]
    assert client.post("/api/v2/renders", {**body, "merge": {"SECONDS": 1}}).status_code == 202


def test_a_template_of_another_account_answers_404(client):
    template = make_template(make_user("bob"))
    response = client.post("/api/v2/renders", {"template": template.public_id})
    assert response.status_code == 422
    assert [error["pointer"] for error in response.json()["errors"]] == ["/template"]


def test_dry_run_of_a_template(client, alice):
    template = make_template(alice)
    response = client.post(f"/api/v2/templates/{template.public_id}/render", {"dry_run": True, "priority": "soon"})
    assert response.status_code == 200
    assert [error["pointer"] for error in response.json()["errors"]] == ["/priority"]
    response = client.post(f"/api/v2/templates/{template.public_id}/render", {"dry_run": True})
    assert response.json()["valid"] is True
    assert not Render.objects.exists()
