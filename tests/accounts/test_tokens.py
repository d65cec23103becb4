"""`/auth/token...`: logins, refreshes, revocations, and forged tokens."""

import base64
import json
from datetime import UTC, datetime, timedelta
from unittest import mock

import jwt
import pytest
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.utils import timezone

from accounts import services
from accounts.models import RevokedToken, User
from core.retention import retentions
from core.scopes import PUBLIC_SCOPES, STAFF_SCOPES
from tests.factories import make_api_key, make_user

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"
TOKEN = "/api/v2/auth/token"


@pytest.fixture
def alice():
    return make_user("alice")


def log_in(api, username="alice", password=PASSWORD):
    return api.post(TOKEN, {"username": username, "password": password})


def whoami(api, token):
    return api.get("/api/v2/me", headers={"Authorization": f"Bearer {token}"})


def refused(response, status, code):
    assert (response.status_code, response.json()["code"]) == (status, code), response.content


def claims_of(token):
    return jwt.decode(token, options={"verify_signature": False})


def sign(claims, key=settings.SECRET_KEY, algorithm="HS256"):
    return jwt.encode(claims, key, algorithm=algorithm)


def test_a_login_returns_working_tokens(api, alice):
    response = log_in(api)
    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
    body = response.json()
    assert set(body) == {"access", "refresh"}
    me = whoami(api, body["access"]).json()
    assert (me["id"], me["credential"]) == (alice.public_id, {"kind": "token", "key": None})
    assert set(me["scopes"]) == PUBLIC_SCOPES


def test_the_claims_are_complete(api, alice):
    claims = claims_of(log_in(api).json()["access"])
    assert (claims["iss"], claims["aud"], claims["sub"]) == ("renderowl", "renderowl-api", str(alice.pk))
    assert claims["exp"] - claims["iat"] == 15 * 60
    assert claims["jti"]
    assert PASSWORD not in str(claims)


def test_a_token_has_the_current_scopes_of_its_owner(api, alice):
    token = log_in(api).json()["access"]
    alice.is_staff = True
    alice.save(update_fields=["is_staff"])
    services.grant_scopes(user=alice, scopes=["internal:credits"])
    assert set(whoami(api, token).json()["scopes"]) == PUBLIC_SCOPES | STAFF_SCOPES | {"internal:credits"}


def test_one_query_authenticates(api, alice, django_assert_num_queries):
    token = log_in(api).json()["access"]
    with django_assert_num_queries(1):
        assert whoami(api, token).status_code == 200


def test_unknown_names_and_wrong_passwords_get_the_same_response(api, alice):
    make_user("dora", is_active=False)
    answers = []
    for username, password in (("alice", "wrong"), ("mallory", "wrong"), ("dora", PASSWORD), ("dora", "wrong")):
        response = log_in(api, username, password)
        refused(response, 401, "unauthenticated")
        answers.append({name: value for name, value in response.json().items() if name != "instance"})
    assert all(answer == answers[0] for answer in answers)


def test_an_unknown_name_is_hashed_too(api, alice):
    for username in ("alice", "mallory"):
        with mock.patch("django.contrib.auth.hashers.MD5PasswordHasher.encode", return_value="") as encode:
            log_in(api, username, "wrong")
        assert encode.call_count == 1, username


def test_a_suspension_is_revealed_only_with_the_password(api, alice):
    services.suspend_user(user=alice)
    refused(log_in(api), 403, "account_suspended")
    refused(log_in(api, password="wrong"), 401, "unauthenticated")


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, {"/username", "/password"}),
        ({"username": "alice"}, {"/password"}),
        ({"username": "alice", "password": "x", "otp": "1"}, {"/otp"}),
        ({"username": ["alice"], "password": "x"}, {"/username"}),
        ({"username": "a\u0000", "password": "x"}, {"/username"}),
        ([], {""}),
    ],
)
def test_refuses_invalid_bodies(api, body, pointers):
    response = api.post(TOKEN, body)
    assert response.status_code == 422
    assert {error["pointer"] for error in response.json()["errors"]} == pointers


def test_a_password_keeps_its_spaces(api):
    make_user("sam", password="  two spaces  ")
    assert log_in(api, "sam", "  two spaces  ").status_code == 200
    assert log_in(api, "sam", "two spaces").status_code == 401


def attack(name, good, user):
    """Return the forged access token of a case, made from the claims of a valid token."""
    claims = claims_of(good)
    head, payload, signature = good.split(".")
    other_user = str(user.pk)
    none_head = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "JWT"}).encode()).rstrip(b"=").decode()
    altered = base64.urlsafe_b64encode(json.dumps({**claims, "sub": other_user}).encode()).rstrip(b"=").decode()
    hour_ago = int((datetime.now(UTC) - timedelta(hours=1)).timestamp())
    without = {missing: {k: v for k, v in claims.items() if k != missing} for missing in claims}
    return {
        "alg none": f"{none_head}.{payload}.",
        "alg none, signed": f"{none_head}.{payload}.{signature}",
        "alg None": jwt.encode(claims, None, algorithm="none"),
        "foreign secret": sign(claims, "f" * 64),
        "other algorithm": sign(claims, settings.SECRET_KEY.ljust(64, "x"), "HS512"),
        "tampered payload": f"{head}.{altered}.{signature}",
        "no signature": f"{head}.{payload}.",
        "wrong audience": sign({**claims, "aud": "other"}),
        "wrong issuer": sign({**claims, "iss": "other"}),
        "expired": sign({**claims, "exp": hour_ago}),
        "unknown user": sign({**claims, "sub": "018f0000-0000-7000-8000-000000000000"}),
        "user that is no id": sign({**claims, "sub": "alice"}),
        "numeric user": sign({**claims, "sub": 1}),
        "refresh type": sign({**claims, "token_type": "refresh"}),
        "numeric jti": sign({**claims, "jti": 7}),
        "empty": "x",
        "dots": "..",
        **{f"without {missing}": sign(body) for missing, body in without.items()},
    }[name]


@pytest.mark.parametrize(
    "name",
    [
        "alg none",
        "alg none, signed",
        "alg None",
        "foreign secret",
        "other algorithm",
        "tampered payload",
        "no signature",
        "wrong audience",
        "wrong issuer",
        "unknown user",
        "user that is no id",
        "numeric user",
        "refresh type",
        "numeric jti",
        "empty",
        "dots",
        "without aud",
        "without iss",
        "without exp",
        "without jti",
        "without sub",
        "without token_type",
        "without sid",
        "without pwd",
    ],
)
def test_refuses_forged_tokens(api, alice, name):
    good = log_in(api).json()["access"]
    assert whoami(api, good).status_code == 200
    refused(whoami(api, attack(name, good, make_user("bob"))), 401, "unauthenticated")


def test_an_expired_token_is_refused_as_expired(api, alice):
    response = whoami(api, attack("expired", log_in(api).json()["access"], alice))
    refused(response, 401, "token_expired")
    assert 'error="invalid_token"' in response["WWW-Authenticate"]


def test_a_resigned_token_is_accepted(api, alice):
    """Control of the forgeries above: an unaltered copy of the claims is accepted."""
    assert whoami(api, sign(claims_of(log_in(api).json()["access"]))).status_code == 200


def test_a_refresh_token_does_not_authenticate(api, alice):
    refused(whoami(api, log_in(api).json()["refresh"]), 401, "unauthenticated")


def test_an_api_key_beside_a_token_is_refused(api, alice):
    token = log_in(api).json()["access"]
    headers = {"Authorization": f"Bearer {token}", "X-API-Key": make_api_key(alice)}
    refused(api.get("/api/v2/me", headers=headers), 401, "unauthenticated")


def test_a_refresh_continues_the_session(api, alice):
    first = log_in(api).json()
    response = api.post(f"{TOKEN}/refresh", {"refresh": first["refresh"]})
    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
    second = response.json()
    assert whoami(api, second["access"]).status_code == 200
    assert claims_of(second["access"])["sid"] == claims_of(first["access"])["sid"]
    assert second["refresh"] != first["refresh"]


def test_a_refresh_token_used_twice_ends_the_session(api, alice):
    first = log_in(api).json()
    second = api.post(f"{TOKEN}/refresh", {"refresh": first["refresh"]}).json()
    refused(api.post(f"{TOKEN}/refresh", {"refresh": first["refresh"]}), 401, "token_revoked")
    refused(whoami(api, second["access"]), 401, "token_revoked")
    refused(api.post(f"{TOKEN}/refresh", {"refresh": second["refresh"]}), 401, "token_revoked")


def test_an_access_token_cannot_refresh(api, alice):
    refused(api.post(f"{TOKEN}/refresh", {"refresh": log_in(api).json()["access"]}), 401, "unauthenticated")


def test_suspended_and_inactive_accounts_cannot_refresh(api, alice):
    refresh = log_in(api).json()["refresh"]
    services.suspend_user(user=alice)
    refused(api.post(f"{TOKEN}/refresh", {"refresh": refresh}), 403, "account_suspended")
    User.objects.update(is_active=False)
    refused(api.post(f"{TOKEN}/refresh", {"refresh": refresh}), 401, "unauthenticated")


@pytest.mark.parametrize("member", ["access", "refresh", "token"])
def test_revoking_any_token_ends_its_session_only(api, alice, member):
    pair, other = log_in(api).json(), log_in(api).json()
    body = {"token": pair["access"]} if member == "token" else {member: pair[member]}
    assert api.post(f"{TOKEN}/revoke", body).status_code == 204
    refused(whoami(api, pair["access"]), 401, "token_revoked")
    refused(api.post(f"{TOKEN}/refresh", {"refresh": pair["refresh"]}), 401, "token_revoked")
    assert whoami(api, other["access"]).status_code == 200


def test_revoking_by_the_header_ends_that_session(api, alice):
    token = log_in(api).json()["access"]
    headers = {"Authorization": f"Bearer {token}"}
    assert api.post(f"{TOKEN}/revoke", {}, headers=headers).status_code == 204
    refused(whoami(api, token), 401, "token_revoked")


def test_revoking_twice_is_the_same_as_once(api, alice):
    pair = log_in(api).json()
    answers = [api.post(f"{TOKEN}/revoke", {"refresh": pair["refresh"]}).status_code for _ in range(2)]
    assert answers == [204, 204]
    assert RevokedToken.objects.count() == 1


def test_a_forged_token_revokes_nothing(api, alice):
    pair = log_in(api).json()
    forged = sign(claims_of(pair["access"]), "f" * 64)
    refused(api.post(f"{TOKEN}/revoke", {"token": forged}), 401, "unauthenticated")
    refused(api.post(f"{TOKEN}/revoke", {}), 401, "unauthenticated")
    assert whoami(api, pair["access"]).status_code == 200


def test_a_new_password_ends_all_sessions(api, alice):
    pair = log_in(api).json()
    alice.set_password("another long password")
    alice.save(update_fields=["password"])
    refused(whoami(api, pair["access"]), 401, "token_revoked")
    refused(api.post(f"{TOKEN}/refresh", {"refresh": pair["refresh"]}), 401, "token_revoked")


def test_suspending_the_owner_takes_effect_at_once(api, alice):
    token = log_in(api).json()["access"]
    services.suspend_user(user=alice)
    refused(whoami(api, token), 403, "account_suspended")


def test_version_1_has_the_same_endpoints(api, alice):
    pair = api.post("/api/v1/auth/token", {"username": "alice", "password": PASSWORD}).json()
    headers = {"Authorization": f"Bearer {pair['access']}"}
    assert api.get("/api/v1/me", headers=headers).json()["username"] == "alice"


def test_no_token_is_stored_in_the_database(api, alice):
    pair = log_in(api).json()
    second = api.post(f"{TOKEN}/refresh", {"refresh": pair["refresh"]}).json()
    rows = str(list(RevokedToken.objects.values()))
    for token in (*pair.values(), *second.values()):
        assert token.rsplit(".", maxsplit=1)[-1] not in rows


def test_revocations_are_deleted_after_the_tokens_expire(alice):
    now = timezone.now()
    for number, age_s in enumerate((-60, 60, 3600)):
        RevokedToken.objects.create(token_id=f"t{number}", user=alice, expires_at=now + timedelta(seconds=age_s))
    tokens = retentions["revoked tokens"]
    assert tokens.delete_batch(now, keep=timedelta(days=-1)) == 1
    assert tokens.delete_batch(now) == 0
    assert sorted(RevokedToken.objects.values_list("token_id", flat=True)) == ["t1", "t2"]


def test_expired_admin_sessions_are_deleted():
    for age_s in (-60, 60):
        session = SessionStore()
        session["x"] = age_s
        session.set_expiry(age_s)
        session.save()
    assert retentions["ended sessions"].delete_batch(timezone.now()) == 1
    (left,) = Session.objects.all()
    assert left.get_decoded()["x"] == 60
