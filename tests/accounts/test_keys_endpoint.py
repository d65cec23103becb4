"""`/keys`: creating, changing, rotating and revoking keys, and attempts to escalate privileges."""

from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import services
from accounts.exceptions import KeyNotActive
from accounts.models import ApiKey, AuditEntry
from core.scopes import PUBLIC_SCOPES
from tests.factories import make_api_key, make_minted_key, make_user

pytestmark = pytest.mark.django_db

KEYS = "/api/v2/keys"


@pytest.fixture
def alice():
    return make_user("alice", plan="pro")


def as_key(api, key):
    api.credentials(HTTP_X_API_KEY=key)
    return api


def whoami(key):
    return APIClient().get("/api/v2/me", headers={"X-API-Key": key})


def test_creates_a_key_and_shows_its_secret_once(api, alice):
    as_key(api, make_api_key(alice))
    response = api.post(KEYS, {"name": "ci", "scopes": ["renders:*", "assets:read"]})
    assert response.status_code == 201
    assert response["Cache-Control"] == "no-store"
    body = response.json()
    assert body["scopes"] == ["assets:read", "renders:cancel", "renders:read", "renders:write"]
    assert body["key"].startswith(f"{body['prefix']}_")
    assert response["Location"] == f"{KEYS}/{body['id']}"
    detail = api.get(response["Location"])
    assert detail["Cache-Control"] == "no-store"
    assert "key" not in detail.json()
    assert "digest" not in detail.json()
    assert whoami(body["key"]).json()["scopes"] == body["scopes"]
    row = ApiKey.objects.get(key_prefix=body["prefix"].split("_")[2])
    assert (row.user, row.name, row.type) == (alice, "ci", "live")


def test_writes_an_audit_entry_with_the_address(api, alice):
    as_key(api, make_api_key(alice))
    key_id = api.post(KEYS, {"scopes": ["renders:read"]}, REMOTE_ADDR="192.0.2.7").json()["id"]
    entry = AuditEntry.objects.get(action="key.created", subject=key_id)
    assert (entry.actor, entry.address, entry.details["scopes"]) == (alice, "192.0.2.7", ["renders:read"])


def test_lists_own_keys_in_both_versions(api, alice):
    make_minted_key(make_user("bob"))
    as_key(api, make_api_key(alice))
    api.post(KEYS, {"scopes": ["renders:read"]})
    second = api.get(KEYS).json()
    assert (second["object"], len(second["data"]), second["has_more"]) == ("list", 2, False)
    first = api.get("/api/v1/keys").json()
    assert first["pagination"]["total"] == 2
    assert first["data"] == second["data"]


def test_a_list_takes_two_queries_whatever_its_length(api, alice, django_assert_num_queries):
    key = make_api_key(alice)
    as_key(api, key)
    api.get(KEYS)
    for count in (1, 8):
        for _ in range(count):
            make_minted_key(alice)
        with django_assert_num_queries(2):
            api.get(KEYS)


def test_filters_by_type_and_by_whether_it_works(api, alice):
    as_key(api, make_api_key(alice))
    services.revoke_api_key(key=make_minted_key(alice, type="test").key)
    make_minted_key(alice, expires_at=timezone.now() - timedelta(seconds=1))
    assert [key["status"] for key in api.get(f"{KEYS}?type=test").json()["data"]] == ["revoked"]
    assert [key["status"] for key in api.get(f"{KEYS}?active=true").json()["data"]] == ["active"]
    assert {key["status"] for key in api.get(f"{KEYS}?active=false").json()["data"]} == {"revoked", "expired"}
    for query in ("colour=red", "active=maybe", "active=1"):
        assert api.get(f"{KEYS}?{query}").json()["code"] == "invalid_parameter"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/scopes"),
        ({"scopes": []}, "/scopes"),
        ({"scopes": "*"}, "/scopes"),
        ({"scopes": ["renders:read", "renders:fly"]}, "/scopes/1"),
        ({"scopes": ["owls:*"]}, "/scopes/0"),
        ({"scopes": [7]}, "/scopes/0"),
        ({"scopes": ["*"], "digest": "0"}, "/digest"),
        ({"scopes": ["*"], "user": "usr_1"}, "/user"),
        ({"scopes": ["*"], "type": "worker"}, "/type"),
        ({"scopes": ["*"], "expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({"scopes": ["*"], "allowed_networks": ["10.0.0.0/8", "home"]}, "/allowed_networks/1"),
        ({"scopes": ["*"], "pinned_version": 9}, "/pinned_version"),
        ({"scopes": ["*"], "name": "x" * 101}, "/name"),
    ],
)
def test_refuses_invalid_bodies(api, alice, body, pointer):
    as_key(api, make_api_key(alice))
    response = api.post(KEYS, body)
    assert response.status_code == 422
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]
    assert ApiKey.objects.count() == 1


@pytest.mark.parametrize(
    ("caller", "asked", "missing"),
    [
        (("keys:write", "renders:read"), ["renders:write"], "renders:write"),
        (("keys:write", "renders:read"), ["renders:*"], "renders:cancel"),
        (("keys:write",), ["*"], "analytics:read"),
        (("*",), ["admin:*"], "admin:*"),
        (("*",), ["jobs:read"], "jobs:read"),
        (("*",), ["internal:credits"], "internal:credits"),
        (("*",), ["internal:*"], "internal:credits"),
        (("*",), ["workers:report"], "workers:report"),
        (("*", "admin:*", "jobs:*"), ["admin:*"], "admin:*"),
        (("*", "admin:*", "jobs:*"), ["jobs:*"], "jobs:read"),
    ],
)
def test_a_key_cannot_make_a_stronger_one(api, caller, asked, missing):
    staff = make_user(is_staff=True)
    as_key(api, make_api_key(staff, scopes=caller))
    response = api.post(KEYS, {"scopes": asked})
    assert (response.status_code, response.json()["code"]) == (403, "missing_scope")
    assert response.json()["required_scope"] == missing
    assert ApiKey.objects.count() == 1


def test_a_caller_can_grant_only_scopes_in_force(api):
    """Creating a key requires only scopes that the caller's key has now."""
    staff = make_user(is_staff=True, granted_scopes=["internal:credits"])
    as_key(api, make_api_key(staff, scopes=("keys:write", "renders:read")))
    assert api.post(KEYS, {"scopes": ["renders:read"]}).status_code == 201


def test_a_star_never_grows(api, alice, monkeypatch):
    as_key(api, make_api_key(alice))
    body = api.post(KEYS, {"scopes": ["*"]}).json()
    assert set(body["scopes"]) == PUBLIC_SCOPES
    assert ApiKey.objects.get(key_prefix=body["prefix"].split("_")[2]).scopes == sorted(PUBLIC_SCOPES)


@pytest.mark.parametrize(("plan", "limit"), [("free", 2), ("starter", 5)])
def test_the_plan_limits_active_keys(api, plan, limit):
    carol = make_user(plan=plan)
    as_key(api, make_api_key(carol))
    made = [api.post(KEYS, {"scopes": ["renders:read"]}).status_code for _ in range(limit)]
    assert made == [201] * (limit - 1) + [409]
    response = api.post(KEYS, {"scopes": ["renders:read"]})
    assert (response.json()["code"], response.json()["limit"]) == ("invalid_state", limit)
    assert ApiKey.objects.filter(user=carol).count() == limit
    revoked = ApiKey.objects.filter(user=carol).order_by("-created_at").first()
    assert api.delete(f"{KEYS}/{revoked.public_id}").status_code == 204
    assert api.post(KEYS, {"scopes": ["renders:read"]}).status_code == 201


def test_scopes_are_checked_before_the_limit(api):
    carol = make_user()
    as_key(api, make_api_key(carol, scopes=("keys:write",)))
    make_minted_key(carol)
    assert api.post(KEYS, {"scopes": ["renders:read"]}).status_code == 403


def test_staff_are_not_bound_by_the_plan():
    carol = make_user()
    for _ in range(4):
        make_minted_key(carol)
    assert ApiKey.objects.filter(user=carol).count() == 4


def test_renames_a_key_and_removes_scopes(api, alice):
    as_key(api, make_api_key(alice))
    key = make_minted_key(alice, scopes=("renders:*",)).key
    body = {"name": "narrow", "scopes": ["renders:read"], "allowed_networks": ["10.1.2.3/8"], "pinned_version": 2}
    response = api.patch(f"{KEYS}/{key.public_id}", body)
    assert response.status_code == 200
    key.refresh_from_db()
    assert (key.name, key.scopes, key.pinned_version) == ("narrow", ["renders:read"], 2)
    assert key.allowed_networks == ["10.0.0.0/8"] == response.json()["allowed_networks"]


def test_an_empty_change_changes_nothing(api, alice):
    as_key(api, make_api_key(alice))
    key = make_minted_key(alice).key
    before = ApiKey.objects.filter(pk=key.pk).values().get()
    assert api.patch(f"{KEYS}/{key.public_id}", {}).status_code == 200
    assert ApiKey.objects.filter(pk=key.pk).values().get() == before


@pytest.mark.parametrize("asked", [["renders:write"], ["renders:*"], ["*"], ["admin:*"], ["renders:read", "jobs:read"]])
def test_a_change_never_adds_scopes(api, asked):
    staff = make_user(is_staff=True)
    as_key(api, make_api_key(staff, scopes=("*", "admin:*", "jobs:*")))
    key = make_minted_key(staff, scopes=("renders:read",)).key
    response = api.patch(f"{KEYS}/{key.public_id}", {"scopes": asked})
    assert (response.status_code, response.json()["code"]) == (403, "missing_scope")
    key.refresh_from_db()
    assert key.scopes == ["renders:read"]


@pytest.mark.parametrize("body", [{"type": "test"}, {"key": "x"}, {"revoked_at": None}, {"last_used_at": None}])
def test_other_members_cannot_be_changed(api, alice, body):
    as_key(api, make_api_key(alice))
    assert api.patch(f"{KEYS}/{make_minted_key(alice).key.public_id}", body).status_code == 422


def test_a_weaker_key_cannot_take_over_a_stronger_one(api):
    """Rotation returns the secret, and a later expiry extends the key's privileges."""
    staff = make_user(is_staff=True)
    strong = make_minted_key(staff, scopes=("*", "admin:*"), expires_at=timezone.now() + timedelta(days=1))
    as_key(api, make_api_key(staff))
    before = ApiKey.objects.filter(pk=strong.key.pk).values().get()
    path = f"{KEYS}/{strong.key.public_id}"
    for response in (api.post(f"{path}/rotate"), api.patch(path, {"expires_at": None})):
        assert (response.status_code, response.json()["required_scope"]) == (403, "admin:*")
    assert ApiKey.objects.filter(pk=strong.key.pk).values().get() == before


def test_a_key_may_rotate_itself(api, alice):
    old = make_minted_key(alice, scopes=("keys:write", "renders:read"))
    response = as_key(api, old.plaintext).post(f"{KEYS}/{old.key.public_id}/rotate")
    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
    body = response.json()
    assert (body["id"], body["scopes"]) == (old.key.public_id, ["keys:write", "renders:read"])
    assert whoami(body["key"]).status_code == 200
    assert whoami(old.plaintext).json()["code"] == "token_revoked"
    assert ApiKey.objects.count() == 1


def test_the_old_secret_works_during_the_overlap(api, alice, monkeypatch):
    old = make_minted_key(alice)
    path = f"{KEYS}/{old.key.public_id}/rotate"
    new = as_key(api, old.plaintext).post(path, {"overlap_s": 60}).json()["key"]
    assert whoami(old.plaintext).status_code == whoami(new).status_code == 200
    later = timezone.now() + timedelta(seconds=61)
    monkeypatch.setattr("django.utils.timezone.now", lambda: later)
    assert whoami(old.plaintext).json()["code"] == "token_revoked"
    assert whoami(new).status_code == 200


@pytest.mark.parametrize("overlap", [-1, 604_801, "long", 1.5])
def test_refuses_an_invalid_overlap(api, alice, overlap):
    key = make_minted_key(alice)
    as_key(api, key.plaintext)
    assert api.post(f"{KEYS}/{key.key.public_id}/rotate", {"overlap_s": overlap}).status_code == 422


def test_one_of_two_concurrent_rotations_is_refused(alice):
    key = make_minted_key(alice).key
    stale = ApiKey.objects.get(pk=key.pk)
    services.rotate_api_key(key=key)
    with pytest.raises(KeyNotActive):
        services.rotate_api_key(key=stale)


def test_revocation_is_permanent_and_idempotent(api, alice):
    as_key(api, make_api_key(alice))
    revoked = make_minted_key(alice)
    path = f"{KEYS}/{revoked.key.public_id}"
    assert [api.delete(path).status_code for _ in range(2)] == [204, 204]
    assert api.get(path).json()["status"] == "revoked"
    assert whoami(revoked.plaintext).json()["code"] == "token_revoked"
    for response in (api.patch(path, {"name": "back"}), api.post(f"{path}/rotate")):
        assert (response.status_code, response.json()["code"]) == (409, "invalid_state")
    assert AuditEntry.objects.filter(action="key.revoked").count() == 1


def test_a_change_does_not_undo_a_concurrent_revocation(alice):
    key = make_minted_key(alice).key
    stale = ApiKey.objects.get(pk=key.pk)
    services.revoke_api_key(key=key)
    with pytest.raises(KeyNotActive):
        services.update_api_key(key=stale, changes={"expires_at": None}, caller_scopes=alice.scopes)


def test_an_expired_key_stays_expired(api, alice):
    as_key(api, make_api_key(alice))
    key = make_minted_key(alice, expires_at=timezone.now() - timedelta(seconds=1)).key
    assert api.patch(f"{KEYS}/{key.public_id}", {"expires_at": None}).status_code == 409


@pytest.mark.parametrize("junk", ["key_x", "usr_00000000000000000000000000", "..", "key_" + "z" * 26])
def test_a_malformed_id_is_not_found(api, alice, junk):
    as_key(api, make_api_key(alice))
    response = api.get(f"{KEYS}/{junk}")
    assert (response.status_code, response.json()["code"]) == (404, "not_found")
