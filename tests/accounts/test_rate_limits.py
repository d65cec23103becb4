"""Rate limits over HTTP: headers, refusals, and the bucket of each caller."""

from __future__ import annotations

import re
import time
from uuid import uuid4

import pytest

from accounts import services
from accounts.limits import address_block
from accounts.models import ApiKey
from api.ratelimit.limiter import limiter
from api.ratelimit.store import LimitStoreUnavailable
from renders.models import Render
from tests.factories import (
    make_api_key,
    make_edit,
    make_minted_key,
    make_project,
    make_render,
    make_template,
    make_user,
)

pytestmark = pytest.mark.django_db

ME = "/api/v2/me"
_ITEM = re.compile(r'"(?P<name>[\x20\x21\x23-\x5b\x5d-\x7e]*)"(?P<parameters>(;[a-z*][a-z0-9_.*-]*=-?\d{1,15})*)')


def parse_items(header):
    """Parse a list of strings with integer parameters, by the grammar of RFC 9651."""
    found, rest = {}, header
    while True:
        match = _ITEM.match(rest)
        assert match, rest
        pairs = [pair.split("=") for pair in match["parameters"].split(";")[1:]]
        assert match["name"] not in found
        found[match["name"]] = {name: int(value) for name, value in pairs}
        rest = rest[match.end() :]
        if not rest:
            return found
        comma = re.match(r"[ \t]*,[ \t]*(?=.)", rest)
        assert comma, rest
        rest = rest[comma.end() :]


def limits_in(response):
    policies, limit_statuses = parse_items(response["RateLimit-Policy"]), parse_items(response["RateLimit"])
    assert set(limit_statuses) <= set(policies)
    assert all(set(item) == {"q", "w"} for item in policies.values())
    assert all(set(item) == {"r", "t"} for item in limit_statuses.values())
    return policies, limit_statuses


def call(api, key, path=ME, method="get", body=None):
    return getattr(api, method)(path, body, headers={"X-API-Key": key}) if key else getattr(api, method)(path, body)


def drain(api, key, path=ME, most=300):
    """Call until refused; return how many calls passed, and the refusal."""
    for number in range(most):
        response = call(api, key, path)
        if response.status_code == 429:
            return number, response
        assert response.status_code == 200
    pytest.fail(f"{most} calls passed")


@pytest.fixture
def rate_limits(rate_limits):
    """Stops the clock of the buckets, which would refill between calls on a busy machine."""
    stopped_at = time.time_ns() // 1000
    rate_limits._store._clock_us = lambda: stopped_at
    return rate_limits


@pytest.fixture
def alice():
    return make_user("alice")


def test_every_response_has_the_limits(api, alice, rate_limits):
    key = make_api_key(alice)
    narrow = make_api_key(alice, scopes=("assets:read",))
    cases = [(key, ME, 200), (key, "/api/v2/renders/rnd_0", 404), (narrow, "/api/v1/renders", 403)]
    for used, path, status in cases:
        response = call(api, used, path)
        assert response.status_code == status
        policies, limit_statuses = limits_in(response)
        assert policies == {"key": {"q": 100, "w": 60}, "account": {"q": 100, "w": 60}}
        assert set(limit_statuses) == {"key", "account"}


def test_the_tightest_limit_comes_first(api, alice, rate_limits):
    key = make_api_key(alice)
    left = []
    for _ in range(5):
        response = call(api, key)
        assert response["RateLimit"].startswith('"key";')
        left.append(limits_in(response)[1]["key"]["r"])
    assert left == [29, 28, 27, 26, 25]
    # 100 a minute: a unit is refilled within 0.6 s.
    assert limits_in(response)[1]["key"]["t"] == 3


def test_refuses_when_the_burst_is_used_up(api, alice, rate_limits):
    passed, refused = drain(api, make_api_key(alice))
    assert passed == 30
    body = refused.json()
    assert (body["code"], body["policy"], body["status"]) == ("rate_limited", "key", 429)
    assert refused["Content-Type"].startswith("application/problem+json")
    _, limit_statuses = limits_in(refused)
    assert limit_statuses["key"]["r"] == 0
    assert refused["Retry-After"] == str(limit_statuses["key"]["t"]) == "1"
    assert limit_statuses["account"]["r"] == 70, "the refused request did not count for the account"


def test_plans_have_the_limits_of_the_contract(api, rate_limits):
    table = {"starter": (1000, 100), "creator": (5000, 250), "pro": (20000, 500), "enterprise": (100000, 2000)}
    renders = {"starter": 120, "creator": 600, "pro": 3000, "enterprise": None}
    for plan, (quota, burst) in table.items():
        key = make_api_key(make_user(plan=plan))
        policies, limit_statuses = limits_in(call(api, key, "/api/v2/renders", "post", {}))
        assert policies["key"] == policies["account"] == {"q": quota, "w": 60}
        assert limit_statuses["key"]["r"] == burst - 1
        assert policies.get("renders") == (renders[plan] and {"q": renders[plan], "w": 3600})


def test_two_keys_share_the_account(api, rate_limits):
    owner = make_user(plan="free")
    keys = [make_api_key(owner) for _ in range(4)]
    passed = [drain(api, key) for key in keys]
    assert [refused.json()["policy"] for _, refused in passed] == ["key", "key", "key", "account"]
    assert [count for count, _ in passed] == [30, 30, 30, 10]


def test_a_token_counts_against_the_account(api, alice, rate_limits):
    token = services.log_in(username="alice", password="correct horse battery").access
    response = api.get(ME, headers={"Authorization": f"Bearer {token}"})
    policies, limit_statuses = limits_in(response)
    assert set(policies) == {"account"}
    assert limit_statuses["account"]["r"] == 99


def test_another_account_is_not_affected(api, alice, rate_limits):
    drain(api, make_api_key(alice))
    response = call(api, make_api_key(make_user("bob")))
    assert response.status_code == 200
    assert limits_in(response)[1]["key"]["r"] == 29


def test_keys_of_workers_have_separate_limits(api, alice, rate_limits):
    key = make_api_key(alice, type="worker")
    policies, limit_statuses = limits_in(call(api, key))
    assert (policies, limit_statuses["key"]["r"]) == ({"key": {"q": 6000, "w": 60}}, 499)


def test_creating_renders_has_an_hourly_limit(api, alice, rate_limits):
    body = {"edit": make_edit()}
    template = make_template(alice)
    failed = make_render(alice, status="failed")
    keys = [make_api_key(alice) for _ in range(3)]
    for _ in range(14):
        assert call(api, keys[0], "/api/v2/renders", "post", {}).status_code == 422
        assert call(api, keys[1], f"/api/v2/templates/{template.public_id}/render", "post", {}).status_code in (
            202,
            402,
        )
    for _ in range(2):
        response = call(api, keys[2], f"/api/v1/renders/{failed.public_id}/retry", "post")
        assert response.status_code in (202, 402)
    rows = Render.objects.count()
    refused = call(api, keys[2], "/api/v2/renders", "post", body)
    assert (refused.status_code, refused.json()["policy"]) == (429, "renders")
    assert Render.objects.count() == rows
    policies, limit_statuses = limits_in(refused)
    assert policies["renders"] == {"q": 30, "w": 3600}
    assert 110 <= int(refused["Retry-After"]) == limit_statuses["renders"]["t"] <= 120
    assert call(api, keys[2], "/api/v2/renders/validate", "post", body).status_code == 200
    assert call(api, keys[2], "/api/v2/renders").status_code == 200


def test_unauthenticated_calls_are_limited_by_address(api, alice, rate_limits):
    body = {"refresh": "no token"}
    answers = [api.post("/api/v2/auth/token/refresh", body) for _ in range(12)]
    assert [answer.status_code for answer in answers[:10]] == [401] * 10
    assert answers[11].status_code == 429
    assert answers[11].json()["policy"] == "address"
    assert limits_in(answers[11])[0] == {"address": {"q": 30, "w": 60}}
    elsewhere = api.post("/api/v2/auth/token/refresh", body, REMOTE_ADDR="198.51.100.7")
    assert (elsewhere.status_code, limits_in(elsewhere)[1]["address"]["r"]) == (401, 9)
    assert call(api, make_api_key(alice)).status_code == 200


def test_a_missing_credential_is_refused_before_any_limit(api, rate_limits):
    for number in range(30):
        response = call(api, "ro_live_AAAAAAAA_" + "A" * 38 if number % 2 else None)
        assert response.status_code == 401
        assert limits_in(response)[1]["address"] == {"r": 10, "t": 0}


def test_an_ipv6_network_counts_as_one_client(rf):
    block = address_block(rf.get("/", REMOTE_ADDR="2001:db8:1:2:aaaa::1"))
    assert block == address_block(rf.get("/", REMOTE_ADDR="2001:db8:1:2:bbbb::2")) == "2001:db8:1:2::"
    assert block != address_block(rf.get("/", REMOTE_ADDR="2001:db8:1:3::1"))
    assert address_block(rf.get("/", REMOTE_ADDR="::ffff:192.0.2.1")) == "192.0.2.1"
    assert address_block(rf.get("/", REMOTE_ADDR="")) == ""


def test_a_refused_request_changes_nothing(api, alice, rate_limits):
    key = make_api_key(alice)
    project = make_project(alice)
    drain(api, key)
    before = ApiKey.objects.values().get(user=alice)
    assert call(api, key, f"/api/v2/projects/{project.public_id}", "delete").status_code == 429
    assert call(api, key, "/api/v2/projects", "post", {"name": "new"}).status_code == 429
    project.refresh_from_db()
    assert ApiKey.objects.values().get(user=alice) == before


def test_the_limit_is_checked_before_the_scope(api, alice, rate_limits):
    key = make_api_key(alice, scopes=("assets:read",))
    assert call(api, key, "/api/v2/renders").status_code == 403
    drain(api, key, "/api/v2/me")
    assert call(api, key, "/api/v2/renders").status_code == 429


def test_probes_documents_and_static_files_are_not_limited(api, rate_limits):
    for path in ("/live", "/api/v2/schema", "/api/docs/", "/static/admin/css/base.css", "/problems/rate-limited"):
        for _ in range(12):
            response = api.get(path)
            response.close()
            assert response.status_code == 200, path
            assert "RateLimit" not in response


def test_a_failing_store_allows_requests(api, alice, rate_limits, monkeypatch, caplog):
    def fail(*args):
        raise LimitStoreUnavailable("no space left")

    for name in ("take", "peek", "record_failure", "reset"):
        monkeypatch.setattr(rate_limits._store, name, fail)
    key = make_api_key(alice)
    for _ in range(40):
        response = call(api, key)
        assert response.status_code == 200
        assert "RateLimit" not in response
    assert call(api, None).status_code == 401
    login = {"username": "alice", "password": "correct horse battery"}
    assert api.post("/api/v2/auth/token", login).status_code == 200
    assert any("store failed" in record.message for record in caplog.records)


def test_counting_adds_no_query_to_the_main_database(api, alice, rate_limits, django_assert_num_queries):
    key = make_minted_key(alice)
    services.record_key_use(key=key.key)
    with django_assert_num_queries(1):
        assert call(api, key.plaintext).status_code == 200


def test_limits_can_be_disabled(api, alice, rate_limits, settings):
    settings.RENDEROWL_RATE_LIMITS = False
    assert limiter() is None
    key = make_api_key(alice)
    for _ in range(35):
        assert "RateLimit" not in call(api, key)


def test_an_unknown_store_fails_the_system_check(settings):
    from api.checks import check_cache_url

    assert check_cache_url(None) == []
    settings.RENDEROWL_CACHE_URL = f"memcached://{uuid4()}"
    assert [message.id for message in check_cache_url(None)] == ["renderowl.E005"]
