"""The key and the owner that one written query reads are those that Django's own would read."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import services
from accounts.models import ApiKey, User
from accounts.selectors import find_key_row, key_of_row
from tests.factories import make_minted_key, make_user

pytestmark = pytest.mark.django_db


def columns_of(row) -> dict[str, object]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def find(prefix: str) -> ApiKey:
    row = find_key_row(prefix)
    assert row is not None
    return key_of_row(row)


@pytest.fixture
def key() -> ApiKey:
    owner = make_user("alice", email="alice@example.com", plan="pro", is_staff=True)
    User.objects.filter(pk=owner.pk).update(granted_scopes=["a"], last_login=timezone.now())
    in_a_week = timezone.now() + timedelta(days=7)
    minted = make_minted_key(owner, expires_at=in_a_week, allowed_networks=["10.0.0.0/8"], pinned_version=2)
    return minted.key


@pytest.mark.parametrize("time", range(2))
def test_all_columns_are_what_django_reads(key, time):
    for _ in range(time):
        find(key.key_prefix)
    found, known = find(key.key_prefix), ApiKey.objects.select_related("user").get(pk=key.pk)
    for mine, theirs in ((found, known), (found.user, known.user)):
        assert type(mine) is type(theirs)
        assert mine == theirs
        assert columns_of(mine) == columns_of(theirs)
        assert {name: type(value) for name, value in columns_of(mine).items()} == {
            name: type(value) for name, value in columns_of(theirs).items()
        }
        assert (mine._state.db, mine._state.adding) == (theirs._state.db, theirs._state.adding)
        assert not mine.get_deferred_fields()


def test_it_can_be_written_and_read_again(key):
    found = find(key.key_prefix)
    found.name = "renamed"
    found.save(update_fields=["name"])
    found.refresh_from_db()
    assert find(key.key_prefix).name == ApiKey.objects.get(pk=key.pk).name == "renamed"


def test_what_somebody_does_to_a_row_in_memory_is_his_alone(key):
    first = find(key.key_prefix)
    first.scopes.append("admin:everything")
    first.allowed_networks.clear()
    first.user.granted_scopes.append("b")
    first.user.is_staff, first.revoked_at = False, timezone.now()
    second = find(key.key_prefix)
    assert (second.allowed_networks, second.user.granted_scopes) == (["10.0.0.0/8"], ["a"])
    assert second.user.is_staff
    assert "admin:everything" not in second.scopes
    assert second.revoked_at is None


def test_every_change_shows_at_the_next_reading(key):
    assert find(key.key_prefix).user.is_suspended is False
    services.suspend_user(user=key.user)
    assert find(key.key_prefix).user.is_suspended is True
    services.resume_user(user=key.user)
    assert find(key.key_prefix).user.is_suspended is False
    services.revoke_api_key(key=key)
    assert find(key.key_prefix).is_revoked
    assert find_key_row("AAAAAAAA") is None
