"""Changes by staff in the admin are audited with actor, address and subject, in the same transaction."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEntry, User
from core.admin import AuditedForms, ReadOnlyAdmin, audited
from jobs import services as job_services
from jobs.models import QueueState, Schedule
from renders.models import Project, Render
from tests.factories import (
    make_api_key,
    make_asset,
    make_edit,
    make_job,
    make_minted_key,
    make_project,
    make_render,
    make_user,
)

pytestmark = pytest.mark.django_db
ADDRESS = "192.0.2.7"


@pytest.fixture
def root() -> User:
    return make_user("root", is_staff=True, is_superuser=True)


@pytest.fixture
def client(root: User) -> Client:
    found = Client(REMOTE_ADDR=ADDRESS)
    found.force_login(root)
    AuditEntry.objects.all()._raw_delete("default")
    return found


def act(client: Client, model: str, action: str, *rows) -> None:
    url = reverse(f"admin:{model}_changelist")
    response = client.post(url, {"action": action, "_selected_action": [str(row.pk) for row in rows]})
    assert response.status_code == 302, response.content


def recorded() -> list[tuple[str, str]]:
    """Return the audit entries, all of which must have root and the address."""
    rows = list(AuditEntry.objects.order_by("id"))
    assert {(row.actor_name, row.address) for row in rows} <= {("root", ADDRESS)}
    return [(row.action, row.subject) for row in rows]


def test_every_writable_admin_is_audited() -> None:
    local = {model: site for model, site in admin.site._registry.items() if "tests" not in model.__module__}
    silent = [model._meta.label for model, site in local.items() if not isinstance(site, AuditedForms | ReadOnlyAdmin)]
    assert silent == [], "inherit core.admin.AuditedForms, or ReadOnlyAdmin where no form writes"


def test_actions_on_queues_jobs_and_schedules_are_audited(client: Client) -> None:
    queue = QueueState.objects.create(name="renders")
    act(client, "jobs_queuestate", "pause_queues", queue)
    act(client, "jobs_queuestate", "resume_queues", queue)
    dead, waiting = make_job(status="dead"), make_job()
    act(client, "jobs_job", "retry_jobs", dead)
    act(client, "jobs_job", "cancel_jobs", waiting)
    job_services.sync_schedules()
    schedule = Schedule.objects.get(name="deprecation-notices")
    for action in ("disable_schedules", "enable_schedules", "run_schedules"):
        act(client, "jobs_schedule", action, schedule)
    assert recorded() == [
        ("queue.paused", "renders"),
        ("queue.resumed", "renders"),
        ("job.retried", dead.public_id),
        ("job.cancelled", waiting.public_id),
        ("schedule.disabled", "deprecation-notices"),
        ("schedule.enabled", "deprecation-notices"),
        ("schedule.run", "deprecation-notices"),
    ]


def test_actions_on_renders_and_assets_are_audited(client: Client) -> None:
    answer = Client().post(
        "/api/v2/renders", {"edit": make_edit()}, content_type="application/json", headers={"X-API-Key": make_api_key()}
    )
    render = Render.objects.get()
    assert answer.json()["id"] == render.public_id
    done, asset = make_render(status="succeeded"), make_asset()
    AuditEntry.objects.all()._raw_delete("default")
    act(client, "renders_render", "cancel_renders", render)
    act(client, "renders_render", "cancel_renders", done)  # refused, so not audited
    act(client, "renders_render", "delete_outputs", done)
    act(client, "assets_asset", "delete_unheld", asset)
    assert recorded() == [
        ("render.cancelled", render.public_id),
        ("render.output_deleted", done.public_id),
        ("asset.deleted", asset.public_id),
    ]


def test_forms_are_audited(client: Client) -> None:
    alice = make_user("alice")
    project = make_project(alice)
    AuditEntry.objects.all()._raw_delete("default")
    form = {"name": "new", "description": "", "metadata": '{"a": 1}'}
    client.post(reverse("admin:renders_project_change", args=[project.pk]), form)
    client.post(reverse("admin:renders_project_add"), {**form, "owner": str(alice.pk)})
    added = Project.objects.exclude(pk=project.pk).get()
    client.post(reverse("admin:renders_project_delete", args=[project.pk]), {"post": "yes"})
    assert recorded() == [
        ("project.changed", project.public_id),
        ("project.added", added.public_id),
        ("project.deleted", project.public_id),
    ]
    assert AuditEntry.objects.get(action="project.changed").details == {"fields": ["Metadata", "Name"]}


def test_changes_of_users_keys_and_passwords_are_audited(client: Client) -> None:
    alice = make_user("alice")
    key = make_minted_key(alice).key
    AuditEntry.objects.all()._raw_delete("default")
    words = {"password1": "a new long password", "password2": "a new long password", "usable_password": "true"}
    client.post(reverse("admin:auth_user_password_change", args=[alice.pk]), words)
    act(client, "accounts_user", "suspend", alice)
    act(client, "accounts_apikey", "revoke", key)
    assert recorded() == [
        ("user.changed", alice.public_id),
        ("user.suspended", alice.public_id),
        ("key.revoked", key.public_id),
    ]
    alice.refresh_from_db()
    assert alice.check_password("a new long password")
    assert "a new long password" not in str(list(AuditEntry.objects.values()))


def test_failures_are_not_audited(root: User, rf) -> None:
    request = rf.post("/")
    request.user = root
    before = AuditEntry.objects.count()
    with pytest.raises(RuntimeError), audited(request, "project.changed", "x"):
        Project.objects.create(owner=root, name="half done")
        raise RuntimeError
    assert not Project.objects.exists()
    assert AuditEntry.objects.count() == before


def test_the_audit_log_is_read_only(client: Client, root: User) -> None:
    make_user("alice")
    entry = AuditEntry.objects.first()
    assert entry is not None
    detail = reverse("admin:accounts_auditentry_change", args=[entry.pk])
    assert client.get(detail).status_code == 200
    assert client.post(detail, {"action": "x"}).status_code == 403
    assert client.post(reverse("admin:accounts_auditentry_delete", args=[entry.pk]), {"post": "yes"}).status_code == 403
    assert client.get(reverse("admin:accounts_auditentry_add")).status_code == 403
