"""Authentication by API key, and its number of queries."""

import hashlib
from datetime import timedelta
from unittest import mock

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import services
from accounts.models import ApiKey
from core.scopes import PUBLIC_SCOPES
from tests.factories import make_api_key, make_minted_key, make_user

pytestmark = pytest.mark.django_db

ME = "/api/v2/me"


def ask(api, key, **headers):
    return api.get(ME, headers={"X-API-Key": key, **headers})


def refused(response, status, code):
    assert (response.status_code, response.json()["code"]) == (status, code)
    return response.json()


def test_only_the_digest_is_stored():
    minted = make_minted_key()
    row = ApiKey.objects.filter(pk=minted.key.pk).values().get()
    assert row["digest"] == hashlib.sha256(minted.plaintext.encode()).hexdigest()
    assert minted.plaintext.split("_")[3] not in str(row)


def test_both_headers_name_the_same_caller(api):
    alice = make_user("alice")
    key = make_api_key(alice)
    for headers in ({"X-API-Key": key}, {"Authorization": f"Bearer {key}"}, {"Authorization": f"bearer {key}"}):
        response = api.get(ME, headers=headers)
        assert response.status_code == 200
        assert response.json()["id"] == alice.public_id


def test_the_same_key_twice_is_one_credential(api):
    key = make_api_key()
    assert ask(api, key, Authorization=f"Bearer {key}").status_code == 200


def test_refuses_two_credentials_that_differ(api):
    refused(ask(api, make_api_key(), Authorization=f"Bearer {make_api_key()}"), 401, "unauthenticated")


def test_no_credential_is_challenged(api):
    response = api.get(ME)
    refused(response, 401, "unauthenticated")
    assert response["WWW-Authenticate"] == 'Bearer realm="renderowl"'


def test_a_malformed_key_takes_no_query(api, django_assert_num_queries):
    key = make_api_key()
    flipped = key[:-1] + ("A" if key[-1] != "A" else "B")
    for junk in (flipped, "ro_live_x", "", "🦉"):
        with django_assert_num_queries(0):
            response = ask(api, junk.encode().decode("latin-1"))
        refused(response, 401, "unauthenticated")


def test_a_key_takes_one_query(api):
    key = make_api_key()
    ask(api, key)
    with CaptureQueriesContext(connection) as queries:
        assert ask(api, key).status_code == 200
    assert len(queries) == 1
    assert "idx_api_keys_key_prefix" in explain(queries[0]["sql"])


def explain(sql):
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # PostgreSQL would use a sequential scan on such small tables.
            make_api_key()
            cursor.execute("ANALYZE accounts_user")
            cursor.execute("ANALYZE accounts_apikey")
            cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(("EXPLAIN QUERY PLAN " if connection.vendor == "sqlite" else "EXPLAIN ") + sql)
        return str(cursor.fetchall())


def test_the_right_id_with_another_secret_is_unknown(api):
    key = make_minted_key()
    with mock.patch("accounts.key_format.secrets.choice", side_effect=list("A" * 32)):
        from accounts.key_format import compose_key

        forged = compose_key("ro_live", key.key.key_prefix).text
    refused(ask(api, forged), 401, "unauthenticated")


def test_the_head_is_part_of_the_secret(api):
    """A test key cannot be presented as a live one, not even with a matching checksum."""
    from accounts.key_format import checksum

    body = make_api_key(type="test").replace("ro_test", "ro_live")[:-6]
    refused(ask(api, body + checksum(body)), 401, "unauthenticated")


def test_a_revoked_key_is_refused_as_revoked(api):
    minted = make_minted_key()
    services.revoke_api_key(key=minted.key)
    response = ask(api, minted.plaintext)
    refused(response, 401, "token_revoked")
    assert 'error="invalid_token"' in response["WWW-Authenticate"]


def test_a_key_expires_at_its_time(api):
    key = make_api_key(expires_at=timezone.now() + timedelta(minutes=1))
    assert ask(api, key).status_code == 200
    with mock.patch("django.utils.timezone.now", return_value=timezone.now() + timedelta(minutes=1)):
        refused(ask(api, key), 401, "token_expired")


def test_suspending_an_account_takes_effect_at_once(api):
    alice = make_user("alice")
    key = make_api_key(alice)
    services.suspend_user(user=alice)
    refused(ask(api, key), 403, "account_suspended")
    services.resume_user(user=alice)
    assert ask(api, key).status_code == 200


def test_an_inactive_account_is_unknown(api):
    refused(ask(api, make_api_key(make_user(is_active=False))), 401, "unauthenticated")


@pytest.mark.parametrize(
    ("networks", "address", "allowed"),
    [
        (["10.0.0.0/8"], "10.1.2.3", True),
        (["10.0.0.0/8"], "11.1.2.3", False),
        (["10.0.0.0/8"], "::ffff:10.1.2.3", True),
        (["2001:db8::/32"], "2001:db8::1", True),
        (["2001:db8::/32"], "10.1.2.3", False),
        (["192.0.2.1/32", "10.0.0.0/8"], "192.0.2.1", True),
        (["10.0.0.0/8"], "", False),
        ([], "", True),
    ],
)
def test_a_key_works_only_from_its_networks(api, networks, address, allowed):
    key = make_api_key(allowed_networks=networks)
    response = api.get(ME, headers={"X-API-Key": key}, REMOTE_ADDR=address)
    assert response.status_code == (200 if allowed else 401)


def test_a_forwarded_address_counts_only_behind_a_proxy(api, settings):
    key = make_api_key(allowed_networks=["10.0.0.0/8"])
    headers = {"X-API-Key": key, "X-Forwarded-For": "11.0.0.1, 10.0.0.1"}
    assert api.get(ME, headers=headers, REMOTE_ADDR="127.0.0.1").status_code == 401
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert api.get(ME, headers=headers, REMOTE_ADDR="127.0.0.1").status_code == 200
    headers["X-Forwarded-For"] = "10.0.0.1, 11.0.0.1"
    assert api.get(ME, headers=headers, REMOTE_ADDR="127.0.0.1").status_code == 401


def test_use_is_recorded_at_most_once_a_minute(api):
    minted = make_minted_key()
    start = timezone.now()
    recorded = []
    for seconds in (0, 30, 59, 61, 90, 122):
        with mock.patch("django.utils.timezone.now", return_value=start + timedelta(seconds=seconds)):
            assert ask(api, minted.plaintext).status_code == 200
        recorded.append((ApiKey.objects.get(pk=minted.key.pk).last_used_at - start).total_seconds())
    assert recorded == [0, 0, 0, 61, 61, 122]


def test_concurrent_requests_record_use_once():
    key = make_minted_key().key
    first, second = ApiKey.objects.get(pk=key.pk), ApiKey.objects.get(pk=key.pk)
    assert services.record_key_use(key=first) is True
    assert services.record_key_use(key=second) is False


def test_effective_scopes_are_the_keys_and_the_owners(api):
    alice = make_user("alice", is_staff=True)
    key = make_api_key(alice, scopes=("renders:*", "jobs:read", "internal:credits"))
    assert ask(api, key).json()["scopes"] == ["jobs:read", "renders:cancel", "renders:read", "renders:write"]
    services.grant_scopes(user=alice, scopes=["internal:credits"])
    assert "internal:credits" in ask(api, key).json()["scopes"]
    alice.is_staff = False
    alice.save(update_fields=["is_staff"])
    assert "jobs:read" not in ask(api, key).json()["scopes"]


def test_a_star_grants_the_public_scopes(api):
    key = make_api_key(make_user(is_staff=True))
    assert set(ask(api, key).json()["scopes"]) == PUBLIC_SCOPES


def test_a_removed_scope_grants_nothing(api):
    minted = make_minted_key(scopes=("renders:read",))
    ApiKey.objects.filter(pk=minted.key.pk).update(scopes=["renders:read", "abolished:write"])
    assert ask(api, minted.plaintext).json()["scopes"] == ["renders:read"]
