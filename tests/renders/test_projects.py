"""`/projects`."""

from __future__ import annotations

import pytest

from renders.models import Project
from tests.factories import make_project, make_render, make_user

pytestmark = pytest.mark.django_db


def test_creates_a_project(client, alice):
    body = {"name": "Spring", "description": "All of it", "metadata": {"team": "blue"}}
    response = client.post("/api/v2/projects", body)
    assert response.status_code == 201
    answer = response.json()
    project = Project.objects.get()
    assert response["Location"] == f"/api/v2/projects/{project.public_id}"
    assert answer["object"] == "project"
    assert {name: answer[name] for name in body} == body
    assert project.owner == alice


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/name"),
        ({"name": ""}, "/name"),
        ({"name": "x" * 201}, "/name"),
        ({"name": "a", "colour": "red"}, "/colour"),
        ({"name": "a", "metadata": {"bad key": "x"}}, "/metadata/bad key"),
        ({"name": "a", "metadata": {"deep": {"er": 1}}}, "/metadata/deep"),
        ({"name": "a", "metadata": {"nul": "\x00"}}, "/metadata/nul"),
        ({"name": "a", "metadata": []}, "/metadata"),
        ({"name": "a", "metadata": {f"k{number}": "" for number in range(51)}}, "/metadata"),
    ],
)
def test_refuses_invalid_bodies(client, body, pointer):
    response = client.post("/api/v2/projects", body)
    assert response.status_code == 422
    assert pointer in [error["pointer"] for error in response.json()["errors"]]
    assert not Project.objects.exists()


def test_changes_only_the_given_members(client, alice):
    project = make_project(alice, name="old", description="kept")
    response = client.patch(f"/api/v2/projects/{project.public_id}", {"name": "new"})
    assert response.status_code == 200
    project.refresh_from_db()
    assert (project.name, project.description) == ("new", "kept")


def test_deleting_keeps_the_contents(client, alice):
    project = make_project(alice)
    render = make_render(alice, project=project)
    assert client.delete(f"/api/v2/projects/{project.public_id}").status_code == 204
    render.refresh_from_db()
    assert render.project_id is None


def test_lists_only_projects_of_the_caller(client, alice):
    mine = make_project(alice)
    make_project(make_user("bob"))
    listed = client.get("/api/v2/projects").json()["data"]
    assert [row["id"] for row in listed] == [mine.public_id]
    first_version = client.get("/api/v1/projects").json()
    assert first_version["pagination"] == {"page": 1, "per_page": 25, "total": 1, "total_pages": 1}
