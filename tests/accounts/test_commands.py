"""The commands `create_api_key` and `set_plan`."""

import io
import json

import pytest
from django.core.management import CommandError, call_command

from accounts.key_format import parse_key
from accounts.models import ApiKey, AuditEntry, User
from core.scopes import PUBLIC_SCOPES
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def create(*args):
    out = io.StringIO()
    call_command("create_api_key", *args, stdout=out)
    return out.getvalue()


def create_json(*args):
    output = create(*args, "--json")
    assert output.count("\n") == 1
    return json.loads(output)


def scopes_in_force(api, key):
    response = api.get("/api/v2/me", headers={"X-API-Key": key})
    assert response.status_code == 200
    return set(response.json()["scopes"])


def test_creates_a_user_and_a_working_key(api):
    report = create_json("alice", "--scopes", "renders:*,assets:read", "--create-user")
    assert set(report) == {"id", "key", "user", "scopes"}
    assert report["user"] == "alice"
    assert report["scopes"] == ["assets:read", "renders:cancel", "renders:read", "renders:write"]
    assert scopes_in_force(api, report["key"]) == set(report["scopes"])
    alice = User.objects.get(username="alice")
    assert (alice.plan, alice.is_staff, alice.has_usable_password()) == ("free", False, False)
    assert ApiKey.objects.get(user=alice).public_id == report["id"]


def test_is_repeatable_for_an_existing_user(api):
    keys = {create_json("alice", "--scopes", "*", "--create-user")["key"] for _ in range(4)}
    assert len(keys) == 4
    assert User.objects.count() == 1
    for key in keys:
        assert scopes_in_force(api, key) == PUBLIC_SCOPES


def test_prints_the_key_for_people_too():
    output = create("alice", "--scopes", "*", "--create-user")
    assert any(parse_key(line) for line in output.splitlines())


@pytest.mark.parametrize(("kind", "head"), [("live", "ro_live_"), ("test", "ro_test_"), ("worker", "ro_wrk_")])
def test_creates_keys_of_every_type(api, kind, head):
    report = create_json("alice", "--scopes", "workers:report", "--type", kind, "--create-user")
    assert report["key"].startswith(head)
    assert scopes_in_force(api, report["key"]) == {"workers:report"}


@pytest.mark.parametrize(
    ("grants", "scopes"),
    [
        ("internal:credits", {"internal:credits"}),
        ("internal:*", {"internal:credits"}),
        ("jobs:*", {"jobs:read", "jobs:write"}),
        ("admin:*", {"admin:*"}),
        ("*, admin:*", PUBLIC_SCOPES | {"admin:*"}),
    ],
)
@pytest.mark.parametrize("staff", [(), ("--staff",)])
def test_restricted_scopes_are_in_force(api, grants, scopes, staff):
    report = create_json("ops", "--scopes", grants, "--create-user", *staff)
    assert scopes_in_force(api, report["key"]) == scopes


def test_grants_no_more_than_the_key_needs():
    create("ops", "--scopes", "internal:credits,renders:read,jobs:read", "--create-user", "--staff")
    assert User.objects.get().granted_scopes == ["internal:credits"]  # jobs:read comes with being staff
    create("dev", "--scopes", "renders:*", "--create-user")
    assert User.objects.get(username="dev").granted_scopes == []


def test_staff_get_the_plan_of_staff():
    create("ops", "--scopes", "*", "--create-user", "--staff")
    ops = User.objects.get()
    assert (ops.is_staff, ops.is_superuser, ops.plan) == (True, False, "enterprise")


def test_promotes_an_existing_user():
    make_user("alice")
    create("alice", "--scopes", "jobs:read", "--staff")
    alice = User.objects.get()
    assert (alice.is_staff, alice.plan, alice.granted_scopes) == (True, "enterprise", [])
    assert AuditEntry.objects.filter(action="user.promoted", subject=alice.public_id).exists()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("mallory", "--scopes", "*"), "no user mallory"),
        (("alice", "--scopes", "renders:fly"), "renders:fly is not a scope"),
        (("alice", "--scopes", " , "), "at least one scope"),
        (("bad name!", "--scopes", "*", "--create-user"), "valid username"),
        (("new", "--scopes", "owls:*", "--create-user"), "not a scope"),
    ],
)
def test_refuses_with_one_line_and_creates_nothing(args, message):
    make_user("alice")
    with pytest.raises(CommandError, match=message):
        create(*args)
    assert (User.objects.count(), ApiKey.objects.count()) == (1, 0)


def test_changes_the_plan_of_a_user():
    make_user("alice")
    out = io.StringIO()
    for _ in range(2):
        call_command("set_plan", "alice", "pro", stdout=out)
    assert out.getvalue() == "alice is on the plan pro.\n" * 2
    assert User.objects.get().plan == "pro"
    assert AuditEntry.objects.get(action="user.plan_changed").details == {"from": "free", "to": "pro"}


def test_refuses_a_plan_or_user_that_does_not_exist():
    make_user("alice")
    with pytest.raises(CommandError, match="invalid choice"):
        call_command("set_plan", "alice", "gold")
    with pytest.raises(CommandError, match="no user bob"):
        call_command("set_plan", "bob", "pro")
    assert User.objects.get().plan == "free"
