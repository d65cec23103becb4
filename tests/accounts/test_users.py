"""Users: creation, plans, suspension, scopes, and the events of each."""

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from accounts import services
from accounts.events import PlanChanged, UserCreated, UserSuspended
from accounts.models import AuditEntry, User
from accounts.plans import limits_of
from core import events
from core.append_only import AppendOnlyError
from core.scopes import PUBLIC_SCOPES, STAFF_SCOPES
from tests.factories import make_api_key, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def published():
    """The published events of accounts."""
    events_seen = []
    with events.subscriptions.override():
        events.subscribe(UserCreated, PlanChanged, UserSuspended)(events_seen.append)
        yield events_seen


def test_creating_a_user_publishes_an_event(published):
    user = services.create_user(username="alice", email="Alice@Example.ORG", password="a long password")
    assert published == [UserCreated(user.pk)]
    row = User.objects.get()
    assert (row.email, row.plan, row.is_staff) == ("alice@example.org", "free", False)
    assert row.check_password("a long password")
    assert row.public_id.startswith("usr_")


def test_the_default_plan_follows_the_setting(settings):
    settings.RENDEROWL_SIGNUP_PLAN = "creator"
    assert make_user().plan == "creator"
    assert make_user(is_staff=True).plan == "enterprise"


def test_superusers_have_the_plan_of_staff():
    assert User.objects.create_superuser("root").plan == "enterprise"


@pytest.mark.parametrize(
    "fields",
    [
        {"username": "alice"},
        {"username": "other", "email": "ALICE@example.org"},
        {"username": "bad name"},
        {"username": ""},
        {"username": "other", "email": "nonsense"},
        {"username": "other", "plan": "gold"},
    ],
)
def test_refuses_what_is_malformed_or_taken(fields, published):
    make_user("alice", email="alice@example.org")
    published.clear()
    with pytest.raises(ValidationError):
        services.create_user(**fields)
    assert (User.objects.count(), published) == (1, [])


def test_the_database_itself_refuses_an_address_twice():
    make_user("alice", email="alice@example.org")
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create(username="other", email="Alice@Example.org")


def test_many_users_may_have_no_address():
    assert [make_user().email, make_user().email] == ["", ""]


def test_all_users_have_the_public_scopes_and_staff_more():
    assert make_user().scopes == PUBLIC_SCOPES
    assert make_user(is_staff=True).scopes == PUBLIC_SCOPES | STAFF_SCOPES
    assert "internal:credits" not in make_user(is_staff=True, is_superuser=True).scopes


def test_a_grant_counts_only_for_restricted_scopes():
    user = make_user(granted_scopes=["internal:credits", "abolished:write"])
    assert user.scopes == PUBLIC_SCOPES | {"internal:credits"}
    with pytest.raises(ValueError, match="renders:read"):
        services.grant_scopes(user=user, scopes=["renders:read"])


def test_grants_add_up():
    user = make_user()
    for scope in ("workers:report", "internal:credits", "workers:report"):
        services.grant_scopes(user=User.objects.get(pk=user.pk), scopes=[scope])
    assert User.objects.get().granted_scopes == ["internal:credits", "workers:report"]
    assert AuditEntry.objects.filter(action="user.scopes_granted").count() == 2


def test_a_change_of_plan_is_published_once(published):
    alice = make_user("alice")
    published.clear()
    for _ in range(2):
        services.set_plan(user=alice, plan="pro")
    assert published == [PlanChanged(alice.pk, "free", "pro")]
    with pytest.raises(ValueError, match="gold"):
        services.set_plan(user=alice, plan="gold")


def test_a_suspension_is_published_once_and_audited(published):
    alice, ops = make_user("alice"), make_user("ops", is_staff=True)
    published.clear()
    assert services.suspend_user(user=alice, reason="spam", actor=ops) is True
    assert services.suspend_user(user=alice) is False
    assert published == [UserSuspended(alice.pk)]
    entry = AuditEntry.objects.get(action="user.suspended")
    assert (entry.actor, entry.actor_name, entry.subject) == (ops, "ops", alice.public_id)
    assert entry.details == {"reason": "spam"}
    assert services.resume_user(user=alice) is True
    assert services.resume_user(user=alice) is False


def test_plans_have_the_limits_of_the_contract():
    limits = {plan: (limits_of(plan).active_keys, limits_of(plan).concurrent_renders) for plan in (
        "free", "starter", "creator", "pro", "enterprise",
    )}  # fmt: skip
    assert limits == {"free": (2, 1), "starter": (5, 2), "creator": (20, 5), "pro": (50, 10), "enterprise": (500, 50)}


def test_me_describes_the_caller(api):
    alice = make_user("alice", email="alice@example.org", plan="pro")
    body = api.get("/api/v2/me", headers={"X-API-Key": make_api_key(alice, scopes=("renders:read",))}).json()
    assert body["id"] == alice.public_id
    assert (body["object"], body["username"], body["email"]) == ("user", "alice", "alice@example.org")
    assert (body["plan"], body["limits"]) == ("pro", {"active_keys": 50, "concurrent_renders": 10})
    assert body["scopes"] == ["renders:read"]
    assert body["credential"]["kind"] == "key"
    assert body["credential"]["key"] == alice.api_keys.get().public_id
    assert "password" not in body


def test_audit_entries_are_append_only():
    make_user("alice")
    entry = AuditEntry.objects.get(action="user.created")
    for rewrite in (
        entry.save,
        entry.delete,
        AuditEntry.objects.all().delete,
        lambda: AuditEntry.objects.update(action="x"),
    ):
        with pytest.raises(AppendOnlyError):
            rewrite()
    assert AuditEntry.objects.get(pk=entry.pk).action == "user.created"
