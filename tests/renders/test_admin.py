"""Admin screens of renders, projects and templates."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from jobs.models import Job
from renders.models import Project, Render, Template
from renders.requests import RenderRequest
from renders.services.submit import submit_render
from tests.factories import make_edit, make_project, make_render, make_template, make_user

pytestmark = pytest.mark.django_db
RENDERS = reverse("admin:renders_render_changelist")


@pytest.fixture
def staff(db):
    """A superuser's browser."""
    return browser_of(make_user("root", is_staff=True, is_superuser=True))


def browser_of(user):
    browser = Client()
    browser.force_login(user)
    return browser


def act(browser, action, *rows):
    data = {"action": action, "_selected_action": [str(row.pk) for row in rows]}
    return browser.post(RENDERS, data, follow=True)


def messages_of(response):
    return [str(message) for message in response.context["messages"]]


def test_list_shows_every_status(staff, alice):
    for status in ("queued", "rendering", "cancelling", "succeeded", "failed", "cancelled"):
        make_render(alice, status=status, percent=41.7, thumbnail_key="renders/x/1/thumbnail.jpg")
    page = staff.get(RENDERS).content.decode()
    assert page.count('role="progressbar"') == 6
    assert page.count('loading="lazy"') == 1
    assert 'aria-valuenow="41.7"' in page


def test_list_takes_few_queries(staff, alice, django_assert_max_num_queries):
    for _ in range(25):
        make_render(alice, status="succeeded")
    with django_assert_max_num_queries(8):
        staff.get(RENDERS)


@pytest.mark.parametrize("by", ["id", "name"])
def test_search_finds(staff, alice, by):
    render = make_render(alice)
    make_render(make_user("bob"))
    term = render.public_id if by == "id" else "alice"
    page = staff.get(RENDERS, {"q": term}).content.decode()
    assert render.public_id in page
    assert page.count('role="progressbar"') == 1


def test_detail_shows_a_player_the_warnings_and_the_notes(staff, alice):
    warning = {"pointer": "/edit/x", "code": "unknown_field", "detail": "<b>bold</b>"}
    note = {"pointer": "/edit/y", "code": "encoding_guessed", "detail": "<i>slanted</i>"}
    render = make_render(
        alice, status="succeeded", warnings=[warning], notes=[note], log="said <this>", timings={"fetch": 0.5}
    )
    render.job_id = render.pk
    render.save(update_fields=["job_id"])
    page = staff.get(reverse("admin:renders_render_change", args=[render.pk])).content.decode()
    assert "<video" in page
    assert "&lt;b&gt;bold&lt;/b&gt;" in page
    assert "&lt;i&gt;slanted&lt;/i&gt;" in page
    assert "said &lt;this&gt;" in page
    assert "&quot;timeline&quot;" in page
    assert reverse("admin:jobs_job_change", args=[render.pk]) in page
    assert "0.500 s" in page


@pytest.mark.parametrize(("kind", "tag"), [("png", "<img"), ("mp3", "<audio"), ("gif", "<img"), ("webm", "<video")])
def test_detail_shows_each_format_in_a_suitable_element(staff, alice, kind, tag):
    render = make_render(alice, status="succeeded", output_format=kind)
    assert tag in staff.get(reverse("admin:renders_render_change", args=[render.pk])).content.decode()


@pytest.mark.parametrize("status", ["queued", "failed"])
def test_detail_without_output(staff, alice, status):
    error = {"code": "render_failed", "message": "so it is"} if status == "failed" else None
    render = make_render(alice, status=status, error=error)
    page = staff.get(reverse("admin:renders_render_change", args=[render.pk]))
    assert page.status_code == 200
    assert ("so it is" in page.content.decode()) is (status == "failed")


def test_cancel_reports_successes_and_refusals(staff, alice):
    waiting = submit_render(owner=alice, request=RenderRequest(edit=make_edit()))
    done = make_render(alice, status="succeeded")
    messages = messages_of(act(staff, "cancel_renders", waiting, done))
    assert "1 renders cancelled." in messages
    assert any(done.public_id in message for message in messages)
    waiting.refresh_from_db()
    assert (waiting.status, Job.objects.get().status) == ("cancelled", "cancelled")


def test_retry_and_delete_outputs(staff, alice):
    failed, done = make_render(alice, status="failed"), make_render(alice, status="succeeded")
    assert messages_of(act(staff, "retry_renders", failed)) == ["1 renders submitted again."]
    assert Render.objects.get(retry_of=failed).owner == alice
    assert messages_of(act(staff, "delete_outputs", done)) == ["1 renders had their output deleted."]
    done.refresh_from_db()
    assert done.output_deleted_at is not None


def test_actions_need_their_own_permission(alice):
    viewer = make_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_render"))
    browser = browser_of(viewer)
    render = make_render(alice)
    assert browser.get(RENDERS).status_code == 200
    act(browser, "cancel_renders", render)
    render.refresh_from_db()
    assert render.status == "queued"


@pytest.mark.parametrize("name", ["render", "project", "template"])
def test_staff_without_permission_see_nothing(name):
    browser = browser_of(make_user("clerk", is_staff=True))
    assert browser.get(reverse(f"admin:renders_{name}_changelist")).status_code == 403


def test_renders_are_read_only(staff, alice):
    render = make_render(alice)
    assert staff.get(reverse("admin:renders_render_add")).status_code == 403
    assert staff.post(reverse("admin:renders_render_change", args=[render.pk]), {"status": "failed"}).status_code == 403
    assert staff.post(reverse("admin:renders_render_delete", args=[render.pk])).status_code == 403


def test_projects(staff, alice):
    project = make_project(alice)
    assert project.name in staff.get(reverse("admin:renders_project_changelist"), {"q": "alice"}).content.decode()
    data = {"name": "renamed", "description": "", "metadata": "{}"}
    staff.post(reverse("admin:renders_project_change", args=[project.pk]), data)
    project.refresh_from_db()
    assert project.name == "renamed"
    staff.post(reverse("admin:renders_project_add"), {**data, "owner": str(alice.pk)})
    assert Project.objects.filter(owner=alice).count() == 2


class TestTemplates:
    """Their edits are validated before they are saved."""

    def form(self, alice, edit, **members):
        data = {"owner": str(alice.pk), "name": "t", "edit": json.dumps(edit), "merge_defaults": "{}", **members}
        versions = {"versions-TOTAL_FORMS": "0", "versions-INITIAL_FORMS": "0"}
        return {**data, **versions}

    def test_saving_a_changed_edit_adds_a_version(self, staff, alice):
        template = make_template(alice)
        path = reverse("admin:renders_template_change", args=[template.pk])
        assert staff.post(path, self.form(alice, make_edit(length=3))).status_code == 302
        template.refresh_from_db()
        assert (template.version, template.versions.count()) == (2, 2)
        page = staff.get(path).content.decode()
        assert "{{ NAME }}" in page

    def test_refuses_an_invalid_edit_with_its_pointer(self, staff, alice):
        response = staff.post(reverse("admin:renders_template_add"), self.form(alice, make_edit(format="avi")))
        assert "/edit/output/format" in response.content.decode()
        assert not Template.objects.exists()

    @pytest.mark.parametrize("member", [{"merge_defaults": "[]"}, {"edit": "[]"}, {"edit": "{"}])
    def test_refuses_anything_but_an_object(self, staff, alice, member):
        response = staff.post(reverse("admin:renders_template_add"), {**self.form(alice, make_edit()), **member})
        assert response.status_code == 200
        assert not Template.objects.exists()

    def test_refuses_a_project_of_another_account(self, staff, alice):
        project = make_project(make_user("bob"))
        form = self.form(alice, make_edit(), project=str(project.pk))
        assert "belongs to another account" in staff.post(reverse("admin:renders_template_add"), form).content.decode()

    def test_list_and_add(self, staff, alice):
        assert staff.post(reverse("admin:renders_template_add"), self.form(alice, make_edit())).status_code == 302
        assert Template.objects.get().versions.count() == 1
        assert staff.get(reverse("admin:renders_template_changelist"), {"q": "t"}).status_code == 200
