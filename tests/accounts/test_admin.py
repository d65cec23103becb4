"""Admin of accounts: lists, details, forms, actions and permissions."""

import re

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts import services
from accounts.key_format import parse_key
from accounts.models import ApiKey, AuditEntry, User
from tests.factories import make_minted_key, make_user

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"
ADD_KEY = "admin:accounts_apikey_add"


def logged_in(user):
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def root():
    return make_user("root", is_staff=True, is_superuser=True)


@pytest.fixture
def as_root(root):
    return logged_in(root)


def staff_with(*permissions, username="ops"):
    user = make_user(username, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    assert user.user_permissions.count() == len(permissions)
    return user


def key_form(user, **changes):
    return {
        "user": str(user.pk), "name": "nightly", "type": "live", "scopes": ["renders:read"], "expires_at_0": "",
        "expires_at_1": "", "allowed_networks": "", "pinned_version": "", **changes,
    }  # fmt: skip


@pytest.mark.parametrize("model", ["user", "apikey", "auditentry", "revokedtoken"])
def test_lists_search_and_detail_pages_work(as_root, model):
    alice = make_user("alice")
    make_minted_key(alice)
    pair = services.log_in(username="alice", password=PASSWORD)
    services.revoke_session(token=pair.refresh)
    listed = reverse(f"admin:accounts_{model}_changelist")
    assert as_root.get(listed).status_code == 200
    assert as_root.get(listed, {"q": "alice"}).status_code == 200
    row = apps.get_model("accounts", model).objects.first()
    assert as_root.get(reverse(f"admin:accounts_{model}_change", args=[row.pk])).status_code == 200


@pytest.mark.parametrize("model", ["user", "apikey", "auditentry", "revokedtoken"])
def test_a_list_takes_no_more_queries_for_more_rows(as_root, model, django_assert_max_num_queries):
    for _ in range(12):
        make_minted_key(make_user())
    with django_assert_max_num_queries(10):
        as_root.get(reverse(f"admin:accounts_{model}_changelist"))


@pytest.mark.parametrize("model", ["user", "apikey", "auditentry", "revokedtoken"])
def test_staff_without_permission_see_nothing(model):
    client = logged_in(make_user(is_staff=True))
    assert client.get(reverse(f"admin:accounts_{model}_changelist")).status_code == 403
    assert Client().get(reverse(f"admin:accounts_{model}_changelist")).status_code == 302


def test_a_key_is_shown_once_and_works(as_root, root, api):
    alice = make_user("alice")
    response = as_root.post(reverse(ADD_KEY), key_form(alice, scopes=["renders:read", "assets:read"]))
    row = ApiKey.objects.get()
    minted_page = reverse("admin:accounts_apikey_minted", args=[row.pk])
    assert response["Location"] == minted_page
    assert "ro_live_" not in str(dict(as_root.session.items())), "the session alone does not reveal the key"
    assert "ro_live_" not in str(response.cookies)
    assert logged_in(root).get(minted_page)["Location"] == reverse("admin:accounts_apikey_changelist")
    response = as_root.get(minted_page)
    assert "no-store" in response["Cache-Control"]
    secret = re.search(r'id="minted-key"[^>]*>([^<]+)<', response.content.decode())[1]
    assert parse_key(secret)
    assert (row.user, row.name, row.scopes) == (alice, "nightly", ["assets:read", "renders:read"])
    assert api.get("/api/v2/me", headers={"X-API-Key": secret}).json()["username"] == "alice"
    entry = AuditEntry.objects.get(action="key.created")
    assert (entry.actor, entry.address) == (root, "127.0.0.1")
    again = as_root.get(minted_page, follow=True)
    assert "shown once" in again.content.decode()
    assert ApiKey.objects.count() == 1
    for page in (reverse("admin:accounts_apikey_changelist"), reverse("admin:accounts_apikey_change", args=[row.pk])):
        html = as_root.get(page).content.decode()
        assert secret not in html
        assert row.digest not in html
        assert row.key_prefix in html
    assert secret not in str(as_root.session.items())
    assert secret not in str(response.cookies)


def test_a_key_may_be_restricted_to_networks(as_root):
    alice = make_user("alice")
    as_root.post(reverse(ADD_KEY), key_form(alice, allowed_networks="10.1.2.3/8\n\n192.0.2.1", pinned_version="2"))
    row = ApiKey.objects.get()
    assert (row.allowed_networks, row.pinned_version) == (["10.0.0.0/8", "192.0.2.1/32"], 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scopes": []}, "required"),
        ({"scopes": ["admin:*"]}, "does not have admin:*"),
        ({"scopes": ["owls:*"]}, "valid choice"),
        ({"allowed_networks": "home"}, "home"),
        ({"expires_at_0": "2020-01-01", "expires_at_1": "00:00"}, "in the past"),
        ({"pinned_version": "9"}, "valid choice"),
    ],
)
def test_refuses_a_key_that_would_not_work(as_root, changes, message):
    response = as_root.post(reverse(ADD_KEY), key_form(make_user("alice"), **changes))
    assert response.status_code == 200
    assert message in response.content.decode()
    assert not ApiKey.objects.exists()


def test_a_key_can_have_restricted_scopes_of_its_owner(as_root):
    worker = make_user("worker", granted_scopes=["workers:report"])
    as_root.post(reverse(ADD_KEY), key_form(worker, scopes=["workers:report"], type="worker"))
    assert ApiKey.objects.get().scopes == ["workers:report"]


def test_staff_cannot_see_the_secret_of_other_staff(root):
    ops = staff_with("add_apikey", "view_apikey", "view_user")
    client = logged_in(ops)
    response = client.post(reverse(ADD_KEY), key_form(root))
    assert "Only a superuser" in response.content.decode()
    assert not ApiKey.objects.exists()
    for owner in (ops, make_user("alice")):
        client.post(reverse(ADD_KEY), key_form(owner))
        assert ApiKey.objects.filter(user=owner).exists()


def test_revokes_the_chosen_keys(as_root, root):
    keys = [make_minted_key().key for _ in range(3)]
    data = {"action": "revoke", "_selected_action": [str(key.pk) for key in keys[:2]]}
    response = as_root.post(reverse("admin:accounts_apikey_changelist"), data, follow=True)
    assert "2 revoked" in response.content.decode()
    assert ApiKey.objects.filter(revoked_at=None).get() == keys[2]
    assert {entry.actor for entry in AuditEntry.objects.filter(action="key.revoked")} == {root}


def test_revoking_needs_its_own_permission():
    key = make_minted_key().key
    client = logged_in(staff_with("view_apikey"))
    data = {"action": "revoke", "_selected_action": [str(key.pk)]}
    client.post(reverse("admin:accounts_apikey_changelist"), data)
    assert ApiKey.objects.get().revoked_at is None


@pytest.mark.parametrize("model", ["apikey", "auditentry"])
def test_keys_and_audit_entries_cannot_be_changed_or_deleted(as_root, model):
    row = make_minted_key().key if model == "apikey" else AuditEntry.objects.first()
    change = reverse(f"admin:accounts_{model}_change", args=[row.pk])
    assert as_root.post(change, {"name": "x", "action": "x"}).status_code == 403
    assert as_root.post(reverse(f"admin:accounts_{model}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
    assert type(row).objects.filter(pk=row.pk).exists()


def test_creating_a_user_opens_a_credit_account_and_is_audited(as_root, root):
    data = {
        "username": "alice", "email": "Alice@example.org", "plan": "pro", "usable_password": "true",
        "password1": "a rather long one", "password2": "a rather long one",
    }  # fmt: skip
    response = as_root.post(reverse("admin:accounts_user_add"), data)
    assert response.status_code == 302, response.content
    alice = User.objects.get(username="alice")
    assert (alice.email, alice.plan) == ("alice@example.org", "pro")
    assert alice.check_password("a rather long one")
    assert alice.credit_account.balance == 1000
    assert AuditEntry.objects.get(action="user.created", subject=alice.public_id).actor == root


def user_form(user, **changes):
    return {
        "username": user.username, "email": user.email, "first_name": "", "last_name": "", "plan": user.plan,
        "is_active": "on", **changes,
    }  # fmt: skip


def test_a_superuser_changes_privileges_and_plans(as_root, root):
    alice = make_user("alice")
    path = reverse("admin:accounts_user_change", args=[alice.pk])
    data = user_form(alice, plan="pro", is_staff="on", granted_scopes=["internal:credits"])
    assert as_root.post(path, data).status_code == 302
    alice.refresh_from_db()
    assert (alice.plan, alice.is_staff, alice.granted_scopes) == ("pro", True, ["internal:credits"])
    assert AuditEntry.objects.get(action="user.plan_changed").details == {"from": "free", "to": "pro"}
    assert AuditEntry.objects.get(action="user.powers_changed").details["fields"] == ["is_staff", "granted_scopes"]


def test_staff_cannot_promote_themselves():
    ops = staff_with("change_user", "view_user")
    path = reverse("admin:accounts_user_change", args=[ops.pk])
    data = user_form(ops, email="ops@example.org", is_superuser="on", granted_scopes=["internal:credits"])
    assert logged_in(ops).post(path, data).status_code == 302
    ops.refresh_from_db()
    assert ops.email == "ops@example.org"
    assert (ops.is_superuser, ops.granted_scopes) == (False, [])


def test_staff_cannot_take_over_a_superuser(root):
    client = logged_in(staff_with("change_user", "view_user"))
    data = user_form(root, email="evil@example.org")
    assert client.post(reverse("admin:accounts_user_change", args=[root.pk]), data).status_code == 403
    path = reverse("admin:auth_user_password_change", args=[root.pk])
    assert client.post(path, {"password1": "x" * 12, "password2": "x" * 12}).status_code == 403
    root.refresh_from_db()
    assert root.email == ""
    assert root.check_password(PASSWORD)


def test_users_are_not_deleted(as_root):
    alice = make_user("alice")
    response = as_root.post(reverse("admin:accounts_user_delete", args=[alice.pk]), {"post": "yes"})
    assert response.status_code == 403
    assert User.objects.filter(pk=alice.pk).exists()


def test_suspends_and_resumes_the_chosen_users(as_root, root):
    alice, bob = make_user("alice"), make_user("bob")
    data = {"action": "suspend", "_selected_action": [str(alice.pk), str(root.pk)]}
    path = reverse("admin:accounts_user_changelist")
    assert "1 suspended" in as_root.post(path, data, follow=True).content.decode()
    assert set(User.objects.filter(is_suspended=True)) == {alice}
    data = {"action": "resume", "_selected_action": [str(alice.pk), str(bob.pk)]}
    assert "1 resumed" in as_root.post(path, data, follow=True).content.decode()
    assert not User.objects.filter(is_suspended=True).exists()


def test_suspending_needs_its_own_permission_and_spares_superusers(root):
    alice = make_user("alice")
    path = reverse("admin:accounts_user_changelist")
    data = {"action": "suspend", "_selected_action": [str(alice.pk), str(root.pk)]}
    logged_in(staff_with("view_user", username="viewer")).post(path, data)
    assert not User.objects.filter(is_suspended=True).exists()
    logged_in(staff_with("view_user", "suspend_user")).post(path, data)
    assert set(User.objects.filter(is_suspended=True)) == {alice}


def test_only_superusers_change_groups(as_root):
    assert as_root.get(reverse("admin:auth_group_changelist")).status_code == 200
    client = logged_in(staff_with("add_group", "change_group", "view_group"))
    assert client.post(reverse("admin:auth_group_add"), {"name": "mighty"}).status_code == 403
