"""Permissions of automations, and the scopes that limit their actions."""

import pytest
from rest_framework.test import APIClient

from automations.models import Automation
from tests.factories import make_api_key, make_automation, make_template, make_user
from tests.permission_matrix import Access, check_access

pytestmark = pytest.mark.django_db
READ, WRITE = "automations:read", "automations:write"


def test_permissions_of_an_automation():
    alice = make_user("alice")
    row = make_automation(alice)
    check_access(
        Access("automation-detail", {"GET": READ, "PATCH": WRITE, "DELETE": WRITE}, bodies={"PATCH": {"name": "x"}}),
        owner=alice,
        row=row,
    )
    check_access(Access("automation-trigger", {"POST": WRITE}, bodies={"POST": {}}), owner=alice, row=row)
    check_access(Access("automation-rotate-secret", {"POST": WRITE}), owner=alice, row=row)
    check_access(Access("automation-runs", {"GET": READ}), owner=alice, row=row)


def test_permissions_of_the_list():
    check_access(Access("automation-list", {"GET": READ, "POST": WRITE}))


@pytest.fixture
def without_render_scope():
    """Alice, and a client with a key of hers that may not submit renders."""
    alice = make_user("alice")
    key = make_api_key(alice, scopes=("automations:read", "automations:write", "templates:*"))
    return alice, APIClient(headers={"X-API-Key": key})


def refused(answer) -> bool:
    return (answer.status_code, answer.json()["code"], answer.json()["required_scope"]) == (
        403,
        "missing_scope",
        "renders:write",
    )


def test_a_key_without_the_render_scope_cannot_create_render_automations(without_render_scope):
    alice, client = without_render_scope
    action = {"type": "render", "template": make_template(alice).public_id}
    body = {"name": "x", "trigger": {"type": "manual"}, "action": action}
    assert refused(client.post("/api/v2/automations", body))
    assert not Automation.objects.exists()
    notifying = client.post("/api/v2/automations", {**body, "action": {"type": "notify", "title": "x"}})
    assert notifying.status_code == 201
    path = f"/api/v2/automations/{notifying.json()['id']}"
    assert refused(client.patch(path, {"action": action}))
    assert refused(client.patch("/api/v2/automations/aut_00000000000000000000000000", {"action": action}))
    assert Automation.objects.get().action_type == "notify"


def test_a_key_without_the_render_scope_can_pause_a_render_automation(without_render_scope):
    alice, client = without_render_scope
    action = {"type": "render", "template": make_template(alice).public_id}
    row = make_automation(alice, action=action, author_scopes=("automations:write", "renders:write"))
    answer = client.patch(f"/api/v2/automations/{row.public_id}", {"is_active": False})
    assert answer.status_code == 200
    row.refresh_from_db()
    assert row.author_scopes == ["automations:write", "renders:write"]


def test_author_scopes_are_those_of_the_key_that_set_the_action(without_render_scope):
    alice, client = without_render_scope
    row = make_automation(alice, author_scopes=("automations:write", "renders:write"))
    client.patch(f"/api/v2/automations/{row.public_id}", {"action": {"type": "notify", "title": "new"}})
    row.refresh_from_db()
    assert "renders:write" not in row.author_scopes
