"""Users: create, change the plan, suspend, grant scopes."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction

from accounts.events import PlanChanged, UserCreated, UserSuspended
from accounts.models import User, signup_plan
from accounts.plans import AccountPlan
from accounts.services.audit import record_audit
from core import events
from core.scopes import RESTRICTED_SCOPES


@transaction.atomic
def create_user(
    *,
    username: str,
    email: str = "",
    password: str | None = None,
    plan: str | None = None,
    is_staff: bool = False,
    is_superuser: bool = False,
    actor: User | None = None,
) -> User:
    """Create a user. password: None for an account that cannot log in; plan: None for the default.

    Raises Django's ValidationError for a username or email address that is malformed or taken.
    """
    default_plan = AccountPlan.ENTERPRISE if is_staff else signup_plan()
    user = User(
        username=User.normalize_username(username),
        email=email.lower(),
        plan=plan or default_plan,
        is_staff=is_staff,
        is_superuser=is_superuser,
    )
    user.set_password(password)
    user.full_clean(exclude=["password"])
    return register_user(user=user, actor=actor)


@transaction.atomic
def register_user(*, user: User, actor: User | None = None) -> User:
    """Save a new user built by a form, and publish UserCreated."""
    user.save(force_insert=True)
    record_audit(action="user.created", subject=user.public_id, actor=actor, details={"plan": user.plan})
    events.publish(UserCreated(user.pk))
    return user


@transaction.atomic
def set_plan(*, user: User, plan: str, actor: User | None = None) -> User:
    """Change the plan of a user, if it differs; raise ValueError if there is no such plan."""
    new_plan = AccountPlan(plan).value
    changed = User.objects.filter(pk=user.pk).exclude(plan=new_plan).update(plan=new_plan)
    old_plan, user.plan = user.plan, new_plan
    if changed:
        details = {"from": old_plan, "to": new_plan}
        record_audit(action="user.plan_changed", subject=user.public_id, actor=actor, details=details)
        events.publish(PlanChanged(user.pk, old_plan, new_plan))
    return user


@transaction.atomic
def promote_to_staff(*, user: User, actor: User | None = None) -> User:
    """Make a user a member of staff, on the plan of staff."""
    if User.objects.filter(pk=user.pk, is_staff=False).update(is_staff=True):
        record_audit(action="user.promoted", subject=user.public_id, actor=actor)
    user.is_staff = True
    return set_plan(user=user, plan=AccountPlan.ENTERPRISE, actor=actor)


@transaction.atomic
def suspend_user(*, user: User, reason: str = "", actor: User | None = None) -> bool:
    """Suspend a user, so that none of their credentials work; return False if already suspended."""
    changed = User.objects.filter(pk=user.pk, is_suspended=False).update(is_suspended=True)
    user.is_suspended = True
    if changed:
        details = {"reason": reason}
        record_audit(action="user.suspended", subject=user.public_id, actor=actor, details=details)
        events.publish(UserSuspended(user.pk))
    return bool(changed)


@transaction.atomic
def resume_user(*, user: User, actor: User | None = None) -> bool:
    """End a suspension; return False if the user was not suspended."""
    changed = User.objects.filter(pk=user.pk, is_suspended=True).update(is_suspended=False)
    user.is_suspended = False
    if changed:
        record_audit(action="user.resumed", subject=user.public_id, actor=actor)
    return bool(changed)


@transaction.atomic
def grant_scopes(*, user: User, scopes: Iterable[str], actor: User | None = None) -> User:
    """Grant a user restricted scopes in addition to those that they have.

    Raises ValueError for a scope that is not restricted: all users have those.
    """
    wanted = frozenset(scopes)
    if unknown := sorted(wanted - RESTRICTED_SCOPES):
        raise ValueError(unknown[0])
    # Concurrent grants must not overwrite each other: PostgreSQL locks the row, SQLite has one writer.
    locked = User.objects.select_for_update().get(pk=user.pk)
    missing = wanted - locked.scopes
    user.granted_scopes = sorted(missing | set(locked.granted_scopes))
    if missing:
        user.save(update_fields=["granted_scopes"])
        details = {"scopes": sorted(missing)}
        record_audit(action="user.scopes_granted", subject=user.public_id, actor=actor, details=details)
    return user
